"""When a stream goes over its caller's own HTTP instead of a socket, and the reason in words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from turnwire.agent_stream.events import AgentEvent
from turnwire.agent_stream.messages import Context, Model
from turnwire.agent_stream.options import Options
from turnwire.errors import (
    AuthenticationError,
    DialError,
    DialTimeout,
    RequestTooLarge,
    TurnInterrupted,
)

if TYPE_CHECKING:
    from turnwire.core.breaker import Health
    from turnwire.errors import TurnwireError

FallBack: TypeAlias = Callable[[Model, Context, Options, str], AsyncIterator[AgentEvent]]

_COOLDOWN_SECONDS: Final = 300.0  # as long as the client's own first one


class Refusals:
    """Whether sockets could be opened lately; a stream that finds out pays for it with time.

    The client itself judges only turns that go over its own HTTP.

    Args:
        clock: What tells the time in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._reason: str | None = None
        self._until = 0.0

    @property
    def reason(self) -> str | None:
        """Why no socket should be dialled now, or None if one may be."""
        return self._reason if self._clock() < self._until else None

    def note(self, error: TurnwireError, reason: str) -> None:
        """Note why a stream fell back; only dials say something about the next stream."""
        if isinstance(error, DialError | DialTimeout):
            self._reason, self._until = reason, self._clock() + _COOLDOWN_SECONDS


def reason_before(options: Options, health: Health, refusals: Refusals) -> str | None:
    """Say why no socket is even tried, or None if one is."""
    if options.transport == "http":
        return 'requested: transport="http"'
    if options.transport == "websocket":
        return None
    if health.transport == "http":
        return f"fallback: {health.reason or 'sockets did not work'}"
    return refusals.reason


def reason_after(error: TurnwireError) -> str | None:
    """Say why a turn that was not written to a socket goes over HTTP, or None if it does not.

    A key that was refused and a limit that was reached would be the same over HTTP.
    """
    match error:
        case AuthenticationError() | DialError(status=429):
            return None
        case DialError() | DialTimeout() | RequestTooLarge() | TurnInterrupted():
            return f"fallback: {error}"
        case _:
            return None
