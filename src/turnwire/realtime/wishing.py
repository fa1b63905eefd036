"""What the halves of a transport that speak have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, cast

from turnwire.core.failure import Failure
from turnwire.core.realtime.uplink import NoRoom
from turnwire.errors import ConfigError, QueueFull
from turnwire.events import encode
from turnwire.realtime.answers import Confirmed, error_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from turnwire.core.realtime.actions import Ticket
    from turnwire.core.realtime.machine import RealtimeMachine
    from turnwire.realtime.answers import Answer
    from turnwire.realtime.inbox import Inbox

_FORMATS: Final = ("pcm16", "g711_ulaw", "g711_alaw", "audio/pcm", "audio/pcmu", "audio/pcma")

A = TypeVar("A", bound="Answer[Any]")
P = ParamSpec("P")
T = TypeVar("T")


class Wishing:
    """Somebody who wishes for things of the machine."""

    _machine: RealtimeMachine
    _inbox: Inbox

    def _now(self) -> float:
        raise NotImplementedError

    def _act(self) -> None:
        raise NotImplementedError

    def _check_open(self) -> None:
        raise NotImplementedError

    def _wish(self, wish: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """Wish for something that has to be said to the server.

        Raises:
            QueueFull: Too many bytes wait to be sent.
        """
        try:
            return wish(*args, **named)
        except NoRoom:
            limit_bytes = self._machine.settings.control_bytes
            self._act()
            message = (
                f"{limit_bytes} bytes may wait to be sent apart from audio, and this does not fit;"
                " the server takes them too slowly: try again later, or send less at once"
            )
            raise QueueFull(message, limit_bytes=limit_bytes) from None

    def _asked(self, ticket: Ticket | Failure) -> Confirmed:
        if isinstance(ticket, Failure):
            raise error_of(ticket)
        return self._waits(ticket, Confirmed())

    def _waits(self, ticket: Ticket, answer: A) -> A:
        self._inbox.wait(ticket, answer)
        self._act()
        return answer


def check_json(value: Any) -> None:
    """Check that something can be sent.

    Raises:
        ConfigError: JSON cannot hold it.
    """
    try:
        encode(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"it cannot be sent as JSON: {error}") from error


def check_session(fields: Mapping[str, Any]) -> None:
    """Check what a session is to be.

    Raises:
        ConfigError: JSON cannot hold it, or a format is none that there is.
    """
    _check_tools(fields.get("tools"))
    check_json(fields)
    for name in ("input_format", "output_format"):
        if isinstance(given := fields.get(name), str) and given not in _FORMATS:
            raise ConfigError(f"`{name}` must be {', '.join(_FORMATS)}, not {given!r}")


def _check_tools(tools: object) -> None:
    if isinstance(tools, (list, tuple)) and any(map(callable, cast("list[object]", tools))):
        raise ConfigError(
            "Realtime tools are dicts in the shape of the wire, not functions:"
            ' {"type": "function", "name": …, "parameters": {…}}; their calls come with'
            ' `on("function_call", …)`'
        )
