"""What a turn shows of its answer, whatever its upstream speaks: deltas, or events of the wire.

The first thing that it says decides: several upstreams may stand behind one, and of different
kinds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from turnwire.events import Event
from turnwire.gateway.output.relay import Relay
from turnwire.gateway.output.responder import Responder

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.upstreams.deltas import Delta


class Answer:
    """Builds the events of one response.

    Args:
        response: The response object at its start; not changed.
        new_id: Makes an id from its prefix, such as ``"msg"``.
    """

    def __init__(self, response: Json, new_id: Callable[[str], str]) -> None:
        self._response = response
        self._responder = Responder(response, new_id)
        self._relay: Relay | None = None

    @property
    def _maker(self) -> Responder | Relay:
        return self._responder if self._relay is None else self._relay

    def begin(self) -> list[Json]:
        """Return the events that every response starts with."""
        return self._responder.begin()

    def feed(self, said: Delta | Event) -> list[Json]:
        """Take one piece from the upstream and return its events.

        Raises:
            UpstreamFailed: It says that the response failed.
        """
        if not isinstance(said, Event):
            return self._responder.feed(said)
        if self._relay is None:
            self._relay = Relay(self._response)
        return self._relay.feed(said)

    @property
    def finish(self) -> str | None:
        """Why the response ended; None if that was not said."""
        return self._maker.finish

    @property
    def at_boundary(self) -> bool:
        """True if no item is open, and no call waits for the client."""
        return self._maker.at_boundary

    def ends_before(self, piece: Delta | Event) -> bool:
        """Say whether a response that is steered ends before this piece: it begins an item."""
        if isinstance(piece, Event):
            return self._relay is None or self._relay.ends_before(piece)
        return self._responder.ends_before(piece)

    def steered(self) -> list[Json]:
        """End between two items; return the events of the item that is whole now."""
        return self._maker.steered()

    def cancelled(self) -> tuple[list[Json], Json]:
        """End the response at once; return the last events, the terminal one apart."""
        return self._maker.cancelled()

    def end(self, completed_at: int) -> tuple[list[Json], Json]:
        """Close what is open; return the last events, the terminal one apart."""
        return self._maker.end(completed_at)

    def fail(self, message: str, code: str) -> tuple[list[Json], Json]:
        """End the response because the model run failed."""
        return self._maker.fail(message, code)
