"""The last failure of a turn, as the exception that the caller sees."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from turnwire import errors
from turnwire.core.backoff import asked_pause
from turnwire.core.failure import (
    Failure,
    FailureKind,
    is_previous_response_not_found,
    is_retryable,
)
from turnwire.io.redirects import describe_redirect, is_redirect

if TYPE_CHECKING:
    from turnwire.core.pool_turn import PoolTurn
    from turnwire.events import Response

Error = TypeVar("Error", errors.TransportError, errors.SlowConsumer)

_OK: Final = 200
_UNAUTHORIZED: Final = 401
_TOO_MANY: Final = 429
_TOO_LARGE: Final = 413

_SAID_IN_WORDS: Final = {
    FailureKind.DIAL_TIMEOUT: errors.DialTimeout,
    FailureKind.QUEUE_TIMEOUT: errors.QueueTimeout,
    FailureKind.FIRST_EVENT_TIMEOUT: errors.FirstEventTimeout,
    FailureKind.PROGRESS_TIMEOUT: errors.ProgressTimeout,
    FailureKind.TURN_TIMEOUT: errors.TurnTimeout,
    FailureKind.HANDED_OVER: errors.TransportError,
}


def error_of(failure: Failure, turn: PoolTurn, partial: Response | None) -> errors.TurnwireError:
    """Build the exception for a turn that did not end well; each call builds another one."""
    kind = failure.kind
    if kind in _SAID_IN_WORDS:
        return _of_turn(_SAID_IN_WORDS[kind](failure.message), turn, partial)
    if kind is FailureKind.UNANSWERED:
        return errors.UnansweredCalls(failure.message, call_ids=failure.call_ids)
    if kind in (FailureKind.DIAL, FailureKind.SIGN_IN, FailureKind.REFUSED):
        return _of_turn(dial_error(failure), turn, partial)
    if kind is FailureKind.SLOW_CONSUMER:
        slow = errors.SlowConsumer(failure.message, limit_bytes=failure.limit_bytes)
        return _of_turn(slow, turn, partial)
    if kind is FailureKind.SERVER and turn.route == "http":
        if failure.status == _UNAUTHORIZED or is_redirect(failure.status):
            # The same for both transports: over HTTP each turn signs in for itself.
            message = f"the server refused the turn with HTTP {failure.status}: {failure.message}"
            return _of_turn(dial_error(replace(failure, message=message)), turn, partial)
        if failure.status == _OK:
            answered = failure.headers.get("content-type", "something without a type")
            message = f"the server answered with {answered}; expected text/event-stream"
            failure = replace(failure, message=message)
    about: dict[str, Any] = {
        "response_id": turn.response_id,
        "delivery": turn.delivery,
        "partial": partial,
    }
    if kind is FailureKind.SERVER:
        return server_error(failure, **about)
    about |= _said(failure)
    if kind is FailureKind.TOO_LARGE:
        return errors.RequestTooLarge(failure.message, **about)
    interrupted = errors.TurnInterrupted(f"the turn was cut off: {failure.message}", **about)
    interrupted.last_sequence_number = turn.last_sequence_number
    interrupted.__cause__ = _cause(failure)
    return interrupted


def _of_turn(error: Error, turn: PoolTurn, partial: Response | None) -> Error:
    error.response_id, error.delivery, error.partial = turn.response_id, turn.delivery, partial
    return error


def server_error(failure: Failure, **about: Any) -> errors.TurnError:
    """Build the exception for what the server said of a turn; ``about`` is the turn's own part."""
    return _server_error_class(failure)(_server_message(failure), **_said(failure), **about)


def _said(failure: Failure) -> dict[str, Any]:
    return {
        "code": failure.code,
        "status": failure.status,
        "type": failure.type,
        "param": failure.param,
        "headers": failure.headers,
        "retryable": is_retryable(failure),
    }


def dial_error(failure: Failure) -> errors.DialError:
    """Build the exception for a socket that could not be opened."""
    unauthorized = failure.status == _UNAUTHORIZED
    kind = errors.AuthenticationError if unauthorized else errors.DialError
    return kind(
        failure.message + describe_redirect(failure.status, failure.headers),
        status=failure.status,
        headers=failure.headers,
        body=failure.body,
        retry_after=asked_pause(failure.headers),
    )


def _cause(failure: Failure) -> errors.TurnwireError | None:
    match failure.kind:
        case FailureKind.LOST:
            return errors.ConnectionLost(
                failure.message,
                close_code=failure.close_code,
                close_reason=failure.close_reason,
            )
        case FailureKind.PROTOCOL:
            return errors.ProtocolError(failure.message, remote=True)
        case _:
            return None


def _server_error_class(failure: Failure) -> type[errors.TurnError]:
    if is_previous_response_not_found(failure):
        return errors.PreviousResponseNotFound
    if failure.status == _TOO_MANY or failure.code == "rate_limit_exceeded":
        return errors.RateLimited
    if failure.code == "context_length_exceeded":
        return errors.ContextTooLong
    if failure.status == _TOO_LARGE:
        return errors.RequestTooLarge
    return errors.TurnError


def _server_message(failure: Failure) -> str:
    about = ", ".join(
        f"{name} {value}"
        for name, value in (("status", failure.status), ("code", failure.code))
        if value is not None
    )
    return f"{failure.message} ({about})" if about else failure.message
