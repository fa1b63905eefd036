"""What operators may know of the model servers, by the names that the configuration gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from turnwire.gateway.upstreams import Upstream

HealthName = Literal["healthy", "suspect", "down", "probing"]


@dataclass(frozen=True, slots=True)
class UpstreamState:
    """One model server as it is now.

    Attributes:
        name: As configured.
        health: ``healthy`` and ``suspect`` get turns, ``down`` and ``probing`` get none.
        active: Turns that run there.
        waiting: Turns that wait for one of its places.
        reason: What last went wrong there, without content, or None.
    """

    name: str
    health: HealthName = "healthy"
    active: int = 0
    waiting: int = 0
    reason: str | None = None

    @property
    def up(self) -> bool:
        """True if turns go there."""
        return self.health in ("healthy", "suspect")


@runtime_checkable
class ShowsStates(Protocol):
    """An upstream that knows how it is, or how those behind it are."""

    def states(self) -> tuple[UpstreamState, ...]:
        """Return one for each model server."""
        ...


def upstream_states(upstream: Upstream, active: int) -> tuple[UpstreamState, ...]:
    """Return how the upstreams are.

    Args:
        upstream: The one that turns are given to; one that says nothing of itself counts as
            healthy, and its first model name is its name.
        active: Model runs that are active now.
    """
    if isinstance(upstream, ShowsStates):
        return upstream.states()
    return (UpstreamState(next(iter(upstream.models), "upstream"), active=active),)
