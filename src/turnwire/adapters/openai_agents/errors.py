"""turnwire's errors as the SDK's own: what the runner, its retries and people's code expect."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, cast

import httpx2
import openai
from agents import ModelBehaviorError, UserError
from agents.retry import ModelRetryAdvice

from turnwire import errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_STATUS_ERRORS: Final[Mapping[int, type[openai.APIStatusError]]] = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
}
_SERVER_ERROR: Final = 500
_TIMEOUTS: Final = (
    errors.DialTimeout,
    errors.QueueTimeout,
    errors.FirstEventTimeout,
    errors.ProgressTimeout,
    errors.TurnTimeout,
    TimeoutError,
)
# Of these nothing had reached the server.
_NOT_SENT: Final = (errors.DialError, errors.DialTimeout, errors.QueueTimeout, errors.QueueFull)
_NO_HOST: Final = "http://turnwire"  # where turns go is the client's business


def sdk_error(error: errors.TurnwireError) -> Exception:
    """Return the SDK's exception for one of turnwire's, which becomes its cause."""
    asked = httpx2.Request("POST", f"{_NO_HOST}/responses")
    message = str(error)
    if isinstance(error, errors.ConfigError):
        return UserError(message)
    if isinstance(error, _TIMEOUTS):
        timed_out = openai.APITimeoutError(request=asked)
        timed_out.message, timed_out.args = message, (message,)
        return timed_out
    if isinstance(error, errors.DialError) and error.status is not None:
        return _status_error(message, error.status, error.headers, _said(error.body), asked)
    if isinstance(error, errors.TransportError | errors.TurnInterrupted | errors.QueueFull):
        return openai.APIConnectionError(message=message, request=asked)
    if not isinstance(error, errors.TurnError):
        return openai.APIError(message, asked, body=None)
    body = {
        "message": message,
        "type": error.type,
        "param": error.param,
        "code": error.code,
    }
    if error.status is not None:
        return _status_error(message, error.status, error.headers, body, asked)
    if error.response_id is not None and error.type is None:  # `response.failed`
        return ModelBehaviorError(f"The response failed: {message}")
    return openai.APIError(message, asked, body=body)


def _status_error(
    message: str, status: int, headers: Mapping[str, str], body: object, asked: httpx2.Request
) -> openai.APIStatusError:
    by_default = openai.InternalServerError if status >= _SERVER_ERROR else openai.APIStatusError
    answer = httpx2.Response(status, headers=headers, request=asked)
    return _STATUS_ERRORS.get(status, by_default)(message, response=answer, body=body)


def _said(body: bytes) -> object:
    """Return the error in the body of a refusal, if it is one of the service's."""
    try:
        loaded: Any = json.loads(body)
    except ValueError:
        return None
    if isinstance(loaded, dict):
        fields = cast("dict[str, Any]", loaded)
        return fields.get("error", fields)
    return None


def retry_advice(error: Exception, *, is_linked: bool) -> ModelRetryAdvice | None:
    """Say whether the runner may send a turn again; None if that is not ours to say.

    Args:
        error: What the turn ended with.
        is_linked: Whether the server keeps the history, so that it must not get the same twice.
    """
    cause = next(_of_turnwire(error), None)
    if cause is None or isinstance(cause, errors.ConfigError):
        return None
    if isinstance(cause, errors.TurnError) and not isinstance(cause, errors.TurnInterrupted):
        return None  # the server's answer: the SDK reads its status and headers
    delivery: str | None = getattr(cause, "delivery", None)
    if isinstance(cause, _NOT_SENT) or delivery == "queued":
        wait = cause.retry_after if isinstance(cause, errors.DialError) else None
        return ModelRetryAdvice(
            suggested=_may_pass(cause), retry_after=wait, replay_safety="safe", reason=str(error)
        )
    began = delivery in ("accepted", "output")
    if began or is_linked:
        return ModelRetryAdvice(
            suggested=False, replay_safety="unsafe", reason=str(error), response_started=began
        )
    return ModelRetryAdvice(suggested=True, reason=str(error))


def _may_pass(cause: errors.TurnwireError) -> bool:
    """Say whether it may go better next time: a refusal of the service's is meant."""
    status = cause.status if isinstance(cause, errors.DialError) else None
    return status is None or status in (408, 409, 429) or status >= _SERVER_ERROR


def _of_turnwire(error: BaseException | None) -> Iterator[errors.TurnwireError]:
    while error is not None:
        if isinstance(error, errors.TurnwireError):
            yield error
        error = error.__cause__
