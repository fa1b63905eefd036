"""The engine's failures in the words that clients are told: ``failures.py`` says which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from turnwire.core.failure import LIMIT_REACHED, NAMES_USED_UP, FailureKind, status_of_words
from turnwire.gateway.upstreams import UpstreamFailed
from turnwire.gateway.upstreams.failures import (
    BAD_GATEWAY,
    BUSY,
    CUT,
    NOT_LET_IN,
    TIMEOUT,
    UNREACHABLE,
    kind_of,
    passed_on,
    refused_key,
    without_secrets,
)

if TYPE_CHECKING:
    from turnwire.core.failure import Failure

# What the engine reads out of a body that says nothing, and what many say of a wrong path.
_NO_REASONS: Final = frozenset({"no reason given", "not found"})
_NOT_FOUND: Final = 404
_TOO_MANY: Final = 429
_CLIENT_ERROR: Final = 400
_SERVER_ERROR: Final = 500

# Everything that the server has not said itself: status, code, words.
_BY_KIND: Final[dict[FailureKind, tuple[int, str | None, str]]] = {
    FailureKind.DIAL: (502, UNREACHABLE, "The model server cannot be reached."),
    FailureKind.DIAL_TIMEOUT: (
        504, UNREACHABLE, "The model server did not take the connection in time.",
    ),
    FailureKind.SIGN_IN: (500, None, "The gateway has no key that it could send to the server."),
    FailureKind.QUEUE_TIMEOUT: (
        429, BUSY, "The model server had no place for this turn in time. Try again later.",
    ),
    FailureKind.FIRST_EVENT_TIMEOUT: (504, TIMEOUT, "The model server did not answer in time."),
    FailureKind.PROGRESS_TIMEOUT: (504, TIMEOUT, "The model server fell silent."),
    FailureKind.TURN_TIMEOUT: (504, TIMEOUT, "The model server did not finish in time."),
    FailureKind.LOST: (502, CUT, "The model server broke off before the end of its answer."),
    FailureKind.PROTOCOL: (502, CUT, "The model server sent what is no event of this answer."),
    FailureKind.TOO_LARGE: (
        413, "message_too_large", "The model server takes no message of this size. Send less.",
    ),
    FailureKind.SLOW_CONSUMER: (500, None, "The answer was not read fast enough."),
    FailureKind.CLOSED: (503, None, "The gateway is stopping. Try again later."),
}  # fmt: skip

# What a server says of a socket or a lane that only the gateway knows.
_OF_OUR_SOCKET: Final = frozenset({LIMIT_REACHED, NAMES_USED_UP, "invalid_stream_id"})


def upstream_failed(
    failure: Failure, *, secret: str | None = None, is_ours: bool = False
) -> UpstreamFailed:
    """Say what a client is told of a failure.

    Args:
        failure: What happened.
        secret: The key that was sent; wherever the server repeats it, it is cut out.
        is_ours: True if it is the gateway's key, about which its clients can do nothing.
    """
    if failure.kind is FailureKind.REFUSED:
        return _refused(failure, is_ours=is_ours)
    if failure.kind is FailureKind.SERVER and failure.code not in _OF_OUR_SOCKET:
        return _said(failure, secret, is_ours=is_ours)
    kind = FailureKind.LOST if failure.kind is FailureKind.SERVER else failure.kind
    status, code, message = _BY_KIND.get(kind, (BAD_GATEWAY, None, "The model server failed."))
    return UpstreamFailed(message, status=status, code=code)


def _refused(failure: Failure, *, is_ours: bool) -> UpstreamFailed:
    """Tell of an upgrade that was refused."""
    status = failure.status or BAD_GATEWAY
    if status in NOT_LET_IN and is_ours:
        return refused_key(status)
    if status in NOT_LET_IN:
        message = "The model server refused this key."
        return UpstreamFailed(message, status=status, code="invalid_api_key")
    if status != _TOO_MANY and status < _SERVER_ERROR:
        message = f"The model server takes no WebSocket here: it answered with HTTP {status}."
        if status == _NOT_FOUND:
            message += " Its URL may be wrong."
        return UpstreamFailed(message, status=BAD_GATEWAY, code=UNREACHABLE)
    message = f"The model server takes no connection now: it answered with HTTP {status}."
    headers = passed_on(failure.headers)
    return UpstreamFailed(message, status=status, code=failure.code, headers=headers)


def _said(failure: Failure, secret: str | None, *, is_ours: bool) -> UpstreamFailed:
    status = _status(failure)
    if status in NOT_LET_IN and is_ours:
        return refused_key(status)
    message = without_secrets(failure.message, (secret or "",))
    if message.strip(" .").lower() in _NO_REASONS:
        message = _unexplained(failure.status or status)
    return UpstreamFailed(
        message,
        status=status,
        code=failure.code,
        headers=passed_on(failure.headers),
        kind=failure.type or kind_of(status),
        param=failure.param,
    )


def _unexplained(status: int) -> str:
    """Tell of an answer that has nothing but a status."""
    said = f"The model server answered {status} without a reason"
    # Or clients would take it for the gateway that has no such path.
    return f"{said}; its URL may be wrong." if status == _NOT_FOUND else f"{said}."


def _status(failure: Failure) -> int:
    if failure.status is not None and failure.status >= _CLIENT_ERROR:
        return failure.status  # some say 200, which was the stream's
    return status_of_words(failure.code, failure.type) or BAD_GATEWAY
