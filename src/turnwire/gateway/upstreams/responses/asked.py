"""One turn at a model server: its events from the first one that shows something."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from turnwire.core.signals import signal_of
from turnwire.core.turn import TurnSignal, TurnState
from turnwire.events import TurnRestartedEvent
from turnwire.gateway.upstreams import UpstreamFailed
from turnwire.gateway.upstreams.failures import BUSY

if TYPE_CHECKING:
    from turnwire.core.failure import Failure
    from turnwire.core.request import TurnRequest
    from turnwire.events import Event
    from turnwire.io.engine import Engine

_SHOWS: Final = frozenset({TurnSignal.PRODUCE, TurnSignal.COMPLETE, TurnSignal.INCOMPLETE})
_ENDED_WELL: Final = frozenset({TurnState.COMPLETED, TurnState.INCOMPLETE})
_MOST_HELD_BYTES: Final = 2**16


class AskedTurn:
    """A turn that runs from its creation until it ends, or is closed.

    Until there is output nothing of it is handed out: so long it may be sent again, or go
    somewhere else, and nobody notices.

    Args:
        engine: What runs it.
        request: What is asked.

    Raises:
        UpstreamFailed: Too much waits to be sent.
    """

    def __init__(self, engine: Engine, request: TurnRequest) -> None:
        submitted = engine.submit(request)
        if submitted is None:
            raise UpstreamFailed(
                "Too much waits for the model server. Try again later.", status=429, code=BUSY
            )
        self._engine = engine
        self._turn, self._inbox = submitted
        self._held: list[Event] = []

    @property
    def failure(self) -> Failure | None:
        """What ended it badly; None if nothing has."""
        return self._inbox.finish.failure if self._inbox.finish is not None else None

    @property
    def ended_well(self) -> bool:
        """True once the server has said everything."""
        return self._turn.state in _ENDED_WELL

    async def next_batch(self) -> deque[Event]:
        """Return all events that have come, waiting for the first; empty at the end.

        An event that says that the turn has failed is not among them; ``failure`` is what it says.
        Cancelling it loses nothing.
        """
        inbox = self._inbox
        while True:
            if inbox.events:
                events = deque(inbox.events)
                inbox.clear()
                if inbox.finish is not None and inbox.finish.failure is not None:
                    _drop_failure(events)
                if not self._turn.shown:
                    events = self._passed(events)
                if events:
                    return events
            elif inbox.finish is not None:
                return deque()
            else:
                await inbox.wait_changed()

    def _passed(self, events: deque[Event]) -> deque[Event]:
        """Hold events back until one of them shows something; from then on nothing is repeated."""
        for event in events:
            if isinstance(event, TurnRestartedEvent):
                self._held.clear()
            else:
                self._held.append(event)
        is_small = sum(len(event.raw) for event in self._held) <= _MOST_HELD_BYTES
        if is_small and not any(signal_of(event) in _SHOWS for event in self._held):
            return deque()
        self._turn.shown = True
        passed = deque(self._held)
        self._held.clear()
        return passed

    def close(self) -> None:
        """Stop it, if it has not ended: its lane is drained, or what carries it is closed."""
        self._engine.cancel(self._turn.id)


def _drop_failure(events: deque[Event]) -> None:
    if signal_of(events[-1]) is TurnSignal.FAIL:
        events.pop()
