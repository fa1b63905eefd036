"""What went wrong, as a value: the core never raises at its caller, the client does.

Also the tolerant reader of error events; the shapes are in docs/protocol/errors.md#shape.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

import msgspec

from turnwire.events import ErrorBody, Event, ResponseErrorEvent, ResponseFailedEvent

if TYPE_CHECKING:
    from collections.abc import Mapping


class FailureKind(Enum):
    """Where it went wrong."""

    DIAL = "dial"  # no answer to the upgrade, or to the POST
    SIGN_IN = "sign_in"  # the function that returns the key failed
    REFUSED = "refused"  # an answer to the upgrade that is not 101
    DIAL_TIMEOUT = "dial_timeout"
    QUEUE_TIMEOUT = "queue_timeout"
    FIRST_EVENT_TIMEOUT = "first_event_timeout"
    PROGRESS_TIMEOUT = "progress_timeout"
    TURN_TIMEOUT = "turn_timeout"
    LOST = "lost"  # the socket closed before the terminal event
    PROTOCOL = "protocol"  # the peer broke a rule of the wire
    SERVER = "server"  # an error event, a failed response, an HTTP error
    TOO_LARGE = "too_large"  # the message is over the socket's limit; not sent
    UNANSWERED = "unanswered"  # tool calls in the history have no answer; not sent
    SLOW_CONSUMER = "slow_consumer"
    CLOSED = "closed"  # the client was closed by its owner
    STEER = "steer"  # what was said to a running turn does not count
    UNSENT = "unsent"  # the server would refuse it; not sent
    HANDED_OVER = "handed_over"  # it goes over HTTP, which is its caller's business


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure; fields that do not apply are None."""

    kind: FailureKind
    message: str
    code: str | None = None
    status: int | None = None
    type: str | None = None
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    body: bytes = field(default=b"", repr=False)
    close_code: int | None = None
    close_reason: str = ""
    limit_bytes: int = 0
    call_ids: tuple[str, ...] = ()

    @property
    def brief(self) -> str:
        """The message without the peer's words, which are for the caller and not for logs."""
        if self.kind is FailureKind.REFUSED:
            return f"the server refused the WebSocket upgrade with HTTP {self.status}"
        if self.kind is FailureKind.LOST and self.close_code is not None:
            return f"the socket closed with code {self.close_code}"
        return self.message


@dataclass(frozen=True, slots=True)
class CloseInfo:
    """How a socket or an HTTP stream ended.

    Attributes:
        code: WebSocket close code; 1006 if there was none; None for HTTP.
        reason: The peer's words, or what the operating system said.
        reached: False if there was no connection at all, so that nothing was sent.
        timed_out: True if that was because it took too long.
        signed_in: False if there was not even a key to say hello with.
    """

    code: int | None
    reason: str = ""
    reached: bool = True
    timed_out: bool = False
    signed_in: bool = True


# The server's own end of a socket's life: docs/protocol/limits.md#age
LIMIT_REACHED: Final = "websocket_connection_limit_reached"
# It takes no further lane names on this socket: docs/protocol/lanes.md
NAMES_USED_UP: Final = "websocket_stream_limit_reached"

# Codes that mean "later": docs/protocol/errors.md#retryable
RETRYABLE_CODES: Final = frozenset(
    {"rate_limit_exceeded", "server_error", "server_is_overloaded", "overloaded_error"}
)
RETRYABLE_STATUS: Final = frozenset({408, 409, 429})
_FINAL_CODES: Final = frozenset({"insufficient_quota"})  # a 429 that waiting does not cure
_FINAL_STATUS: Final = frozenset({501, 505})  # "never", not "not now"
SERVER_ERROR_STATUS: Final = 500


# What errors mean that come without a status: their codes, and their types.
_STATUS_OF_WORD: Final = {
    "authentication_error": 401,
    "context_length_exceeded": 400,
    "insufficient_quota": 429,
    "invalid_prompt": 400,
    "invalid_request_error": 400,
    "not_found_error": 404,
    "overloaded_error": 503,
    "permission_error": 403,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "server_is_overloaded": 503,
    "too_many_requests": 429,
}


def status_of_words(code: object, kind: object) -> int | None:
    """Return the HTTP status that an error's code means, or else its type; None if neither does."""
    words = (word for word in (code, kind) if isinstance(word, str))
    return next((_STATUS_OF_WORD[word] for word in words if word in _STATUS_OF_WORD), None)


def is_retryable(failure: Failure) -> bool:
    """Say whether the same turn may succeed later; what the server says of that comes first."""
    told = failure.headers.get("x-should-retry")
    if told in ("true", "false"):
        return told == "true"
    if failure.code in _FINAL_CODES or failure.status in _FINAL_STATUS:
        return False
    if failure.status is not None and (
        failure.status in RETRYABLE_STATUS or failure.status >= SERVER_ERROR_STATUS
    ):
        return True
    return failure.code in RETRYABLE_CODES


_NOT_FOUND: Final = "previous_response_not_found"
_BAD_REQUEST: Final = frozenset({None, 400, 404})


def is_previous_response_not_found(failure: Failure) -> bool:
    """Recognise the lost parent in all its shapes, the one without a code included."""
    if failure.code is not None:
        return failure.code == _NOT_FOUND
    said = failure.message.lower().replace("_", " ")
    return failure.status in _BAD_REQUEST and (
        failure.param == "previous_response_id" or "previous response" in said
    )


def is_lane_refusal(failure: Failure) -> bool:
    """Recognise a server that does not know ``stream_id``."""
    if failure.code == NAMES_USED_UP:
        return False
    if failure.param == "stream_id" or failure.code == "invalid_stream_id":
        return True
    return failure.status in _BAD_REQUEST and "stream_id" in failure.message


def failure_of_event(event: Event) -> Failure:
    """Read the failure out of a terminal event, whatever its shape."""
    if isinstance(event, ResponseErrorEvent):
        return _failure_of_error(event)
    if isinstance(event, ResponseFailedEvent):
        return _failure_of_body(event.response.error or ErrorBody(), None, None)
    return failure_of_json(event.raw, f"the server ended the turn with `{event.type}`")


def _failure_of_error(event: ResponseErrorEvent) -> Failure:
    match event.error:
        case ErrorBody():
            body = event.error
        case str():
            body = ErrorBody(code=event.code, message=event.error, param=event.param)
        case None:
            body = ErrorBody(code=event.code, message=event.message, param=event.param)
    status = event.status if event.status is not None else event.status_code
    return _failure_of_body(body, status, event.headers)


def _failure_of_body(
    body: ErrorBody, status: int | None, headers: Mapping[str, Any] | None
) -> Failure:
    merged = {**(headers or {}), **(body.headers or {})}
    detail = body.detail if isinstance(body.detail, str) else None
    return Failure(
        FailureKind.SERVER,
        body.message or detail or "the server gave no reason",
        code=None if body.code is None else str(body.code),
        status=status,
        type=body.type,
        param=body.param,
        headers={str(name).lower(): str(value) for name, value in merged.items()},
    )


class _AnyError(msgspec.Struct):
    error: ErrorBody | str | None = None
    message: str | None = None
    detail: str | None = None
    code: str | int | None = None


def failure_of_json(
    data: bytes,
    otherwise: str,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Failure:
    """Read the failure out of an HTTP error body or an odd event; ``otherwise`` if unreadable."""
    try:
        found = msgspec.json.decode(data, type=_AnyError)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found = _AnyError()
    match found.error:
        case ErrorBody() as body:
            pass
        case str() as message:
            body = ErrorBody(message=message, code=found.code)
        case None:
            body = ErrorBody(message=found.message or found.detail or otherwise, code=found.code)
    return _failure_of_body(body, status, headers)
