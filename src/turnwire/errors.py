"""Every exception that turnwire raises, and nothing else.

::

    TurnwireError
    ├── ConfigError (ValueError)      your arguments, before any I/O
    │   └── UnansweredCalls           .call_ids: tool calls in the history without an output
    ├── TransportError                .response_id .delivery .partial, if it ended a turn
    │   ├── DialError                 .status .headers .body .retry_after
    │   │   └── AuthenticationError
    │   ├── ConnectionLost            .close_code .close_reason
    │   ├── DialTimeout
    │   ├── QueueTimeout
    │   ├── FirstEventTimeout
    │   ├── ProgressTimeout
    │   └── TurnTimeout
    ├── ProtocolError                 .remote: did the peer break a rule, or did we?
    ├── TurnError                     .code .status .type .param .headers .response_id .delivery
    │   │                             .partial .retryable
    │   ├── PreviousResponseNotFound
    │   ├── RateLimited
    │   ├── ContextTooLong
    │   ├── RequestTooLarge
    │   └── TurnInterrupted           cut off before its terminal event: .partial
    ├── SteerError                    .response_id .input: what was said to a running turn
    │   ├── SteerFailed               .code: it does not count
    │   └── SteerUnknown              nobody knows whether it counts
    ├── ToolLoopLimit                 .response: `max_turns` were not enough
    ├── DeviceError                   a microphone or a speaker
    ├── SlowConsumer                  .limit_bytes .response_id .delivery .partial
    └── QueueFull                     .limit_bytes

No message and no ``repr`` contains a key, a header or what was said to the model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from turnwire.events.response import Response

__all__ = [
    "AuthenticationError",
    "ConfigError",
    "ConnectionLost",
    "ContextTooLong",
    "DeviceError",
    "DialError",
    "DialTimeout",
    "FirstEventTimeout",
    "PreviousResponseNotFound",
    "ProgressTimeout",
    "ProtocolError",
    "QueueFull",
    "QueueTimeout",
    "RateLimited",
    "RequestTooLarge",
    "SlowConsumer",
    "SteerError",
    "SteerFailed",
    "SteerUnknown",
    "ToolLoopLimit",
    "TransportError",
    "TurnError",
    "TurnInterrupted",
    "TurnTimeout",
    "TurnwireError",
    "UnansweredCalls",
]


class TurnwireError(Exception):
    """The root: ``except TurnwireError`` catches everything that turnwire raises.

    All of them can be copied and pickled.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception's own way would call the class with the message and without its keywords.
        return _remade, (type(self), *self.args), vars(self)


def _remade(kind: type[TurnwireError], *args: object) -> TurnwireError:
    return kind.__new__(kind, *args)


class ConfigError(TurnwireError, ValueError):
    """An argument is wrong; nothing was sent."""


class UnansweredCalls(ConfigError):
    """Tool calls in the history have no output, and servers refuse that; nothing was sent.

    Attributes:
        call_ids: Which calls.
    """

    def __init__(self, message: str, *, call_ids: tuple[str, ...]) -> None:
        super().__init__(message)
        self.call_ids = call_ids


class TransportError(TurnwireError):
    """The way to the server failed, not the server's answer.

    Attributes:
        response_id: Id of the response, if one had been created.
        delivery: How far the turn had come, as in :class:`TurnError`; None if there was no turn.
        partial: What had arrived before, or None.
    """

    response_id: str | None = None
    delivery: str | None = None
    partial: Response | None = None


class DialError(TransportError):
    """The socket could not be opened.

    Attributes:
        status: HTTP status of a refused upgrade, or None if there was no answer.
        headers: Headers of the refusal.
        body: Body of the refusal, at most 64 KiB.
        retry_after: Seconds that the server asked to wait, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = dict(headers or {})
        self.body = body
        self.retry_after = retry_after


class AuthenticationError(DialError):
    """The server refused the credential (HTTP 401)."""


class ConnectionLost(TransportError):
    """The socket closed.

    Attributes:
        close_code: WebSocket close code; 1006 if the socket dropped without one.
        close_reason: The peer's words, often empty.
    """

    def __init__(self, message: str, *, close_code: int | None, close_reason: str = "") -> None:
        super().__init__(message)
        self.close_code = close_code
        self.close_reason = close_reason


class DialTimeout(TransportError):
    """The socket did not open in time."""


class QueueTimeout(TransportError):
    """No lane became free in time."""


class FirstEventTimeout(TransportError):
    """The server took the turn and did not answer with a single event in time."""


class ProgressTimeout(TransportError):
    """The server had begun to answer, and sent nothing for too long."""


class TurnTimeout(TransportError):
    """The turn as a whole took longer than its caller allowed."""


class ProtocolError(TurnwireError):
    """A rule of the wire was broken.

    Attributes:
        remote: True if the peer broke it, False if this side did.
    """

    def __init__(self, message: str, *, remote: bool = True) -> None:
        super().__init__(message)
        self.remote = remote


class TurnError(TurnwireError):
    """The server ended the turn with an error, or the turn could not be finished.

    Attributes:
        code: The server's error code, such as ``"server_error"``, or None.
        status: The HTTP-equivalent status, or None.
        type: The server's error type, such as ``"invalid_request_error"``, or None.
        param: The parameter that the server complained about, or None.
        response_id: Id of the response, if one had been created.
        headers: Headers that came inside the error event.
        delivery: How far the turn had come: ``queued``, ``writing``, ``accepted``, ``output``,
            ``steering`` or ``terminal``.
        retryable: True if the same turn may succeed later: 408, 409, 429, 5xx and overload codes.
        partial: What had arrived before, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        type: str | None = None,  # noqa: A002  # the wire's name
        param: str | None = None,
        response_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        delivery: str = "queued",
        retryable: bool = False,
        partial: Response | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.type = type
        self.param = param
        self.response_id = response_id
        self.headers = dict(headers or {})
        self.delivery = delivery
        self.retryable = retryable
        self.partial = partial


class PreviousResponseNotFound(TurnError):
    """The server no longer has the response that ``previous_response_id`` names."""


class RateLimited(TurnError):
    """HTTP 429 or ``rate_limit_exceeded``; ``headers`` may hold ``retry-after``."""


class ContextTooLong(TurnError):
    """The input does not fit the model's context window."""


class RequestTooLarge(TurnError):
    """The message is larger than the server takes on a socket."""


class TurnInterrupted(TurnError):
    """The turn was cut off before its terminal event, whatever the close code said.

    Attributes:
        last_sequence_number: The last one that arrived, or None.
    """

    last_sequence_number: int | None = None


class SteerError(TurnwireError):
    """What was said to a running turn did not reach the model, as far as is known.

    The turn itself goes on.

    Attributes:
        response_id: The response that it was sent to, or None if it was not sent.
        input: What was said, as messages, to be said again if need be.
    """

    def __init__(
        self,
        message: str,
        *,
        response_id: str | None = None,
        input: list[dict[str, Any]] | None = None,  # noqa: A002  # the SDK's name
    ) -> None:
        super().__init__(message)
        self.response_id = response_id
        self.input = input or []


class SteerFailed(SteerError):
    """It does not count: the server gave it back, or it was not sent.

    Attributes:
        code: The server's code, such as ``steering_not_supported``, ``response_already_completed``
            or ``too_many_pending_steers``; or, where turnwire itself gives it back,
            ``response_not_active`` or ``response_not_continued``.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        response_id: str | None = None,
        input: list[dict[str, Any]] | None = None,  # noqa: A002  # the SDK's name
    ) -> None:
        super().__init__(message, response_id=response_id, input=input)
        self.code = code


class SteerUnknown(SteerError):
    """The connection was lost, or the server said nothing in time: it may count, or not.

    Look at what the model said next before you say it again.
    """


class ToolLoopLimit(TurnwireError):
    """The tool loop ran for ``max_turns`` turns and the model still calls tools.

    Attributes:
        response: The last response, with the calls that were not made.
    """

    def __init__(self, message: str, *, response: Response) -> None:
        super().__init__(message)
        self.response = response


class DeviceError(TurnwireError):
    """A microphone or a speaker cannot be opened, or has stopped by itself."""


class SlowConsumer(TurnwireError):
    """Events of a turn were not read and filled their buffer; only that turn failed.

    Attributes:
        limit_bytes: The limit that was reached.
        response_id: Id of the response, if one had been created.
        delivery: How far the turn had come, as in :class:`TurnError`; None for a connection.
        partial: What had arrived, also what was not read; None for a connection.
    """

    response_id: str | None = None
    delivery: str | None = None
    partial: Response | None = None

    def __init__(self, message: str, *, limit_bytes: int) -> None:
        super().__init__(message)
        self.limit_bytes = limit_bytes


class QueueFull(TurnwireError):
    """Too many bytes wait to be sent; the new turn was not queued.

    Attributes:
        limit_bytes: The limit that was reached.
    """

    def __init__(self, message: str, *, limit_bytes: int) -> None:
        super().__init__(message)
        self.limit_bytes = limit_bytes
