"""Events that no server sends: what this side did to a turn, in the turn's own stream."""

from __future__ import annotations

from turnwire.events.base import Event


class TurnRestartedEvent(Event, frozen=True, kw_only=True, tag="turn.restarted"):
    """The turn was cut off or refused and runs again, from the beginning.

    Nothing of what came before it counts any more.

    Attributes:
        reason: What had gone wrong.
        model_runs: How many model runs this turn may have started so far.
    """

    reason: str
    model_runs: int


class TurnResumedEvent(Event, frozen=True, kw_only=True, tag="turn.resumed"):
    """The turn was cut off; what follows was fetched from the server's store.

    Everything that came before it still counts, and nothing comes twice; unless ``starting_after``
    is None: then the whole response comes in one piece, and nothing else counts.

    Attributes:
        reason: What had gone wrong.
        response_id: The stored response.
        starting_after: Sequence number of the last event that had arrived, or None.
    """

    reason: str
    response_id: str
    starting_after: int | None = None
