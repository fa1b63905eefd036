"""turnwire's errors as LiveKit's, with the word whether LiveKit may run the turn again.

Never after something was shown: an agent would say it twice.
"""

from __future__ import annotations

from livekit.agents import APIConnectionError, APIError, APIStatusError, APITimeoutError

from turnwire import errors

_UNKNOWN = -1  # LiveKit's word for an error without a status
_TIMEOUTS = (
    errors.DialTimeout,
    errors.FirstEventTimeout,
    errors.ProgressTimeout,
    errors.QueueTimeout,
    errors.TurnTimeout,
)


def livekit_error(error: errors.TurnwireError, *, may_repeat: bool, shown: bool) -> APIError:
    """Build LiveKit's error.

    Args:
        error: What ended the turn.
        may_repeat: Whether the server may do twice what it was asked.
        shown: Whether LiveKit has been shown output.
    """
    message = str(error)
    if isinstance(error, errors.TurnError) and not isinstance(error, errors.TurnInterrupted):
        return APIStatusError(
            message,
            status_code=_UNKNOWN if error.status is None else error.status,
            request_id=error.headers.get("x-request-id"),
            body={"code": error.code, "type": error.type, "param": error.param},
            retryable=error.retryable and not shown,
        )
    if isinstance(error, errors.DialError) and error.status is not None:
        return APIStatusError(message, status_code=error.status, retryable=not shown)
    if isinstance(error, errors.TransportError | errors.TurnInterrupted):
        unread = error.delivery in (None, "queued")
        retryable = not shown and (may_repeat or unread)
        if isinstance(error, _TIMEOUTS):
            return APITimeoutError(message, retryable=retryable)
        return APIConnectionError(message, retryable=retryable)
    if isinstance(error, errors.QueueFull):
        return APIConnectionError(message, retryable=True)
    return APIError(message, retryable=False)


def incomplete_error(reason: str | None) -> APIStatusError:
    """Build the error of a response that stopped early: half an answer must not look whole."""
    return APIStatusError(
        f"the response is incomplete: {reason or 'the server gave no reason'}",
        status_code=_UNKNOWN,
        retryable=False,
    )
