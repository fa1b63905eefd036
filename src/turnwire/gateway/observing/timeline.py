"""The turns that run, and those that ended last: what a status page draws.  Pure."""

from __future__ import annotations

from collections import deque
from itertools import chain, islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from turnwire.gateway.observing.seen import SeenTurn


class Timeline:
    """Remembers turns that ended for a while; those that run are bounded by the gateway's limits.

    Args:
        seconds: How long a turn is remembered after its end.
        limit: Turns that are remembered, and turns that ``recent`` returns.
    """

    def __init__(self, seconds: float = 60.0, limit: int = 300) -> None:
        self.seconds = seconds
        self.limit = limit
        self._running: dict[int, SeenTurn] = {}
        self._ended: deque[SeenTurn] = deque(maxlen=limit)
        self.revision = 0

    @property
    def running(self) -> int:
        """Turns that have not ended."""
        return len(self._running)

    def begin(self, turn: SeenTurn) -> None:
        """Take a turn that runs from now on."""
        self._running[turn.number] = turn
        self.revision += 1

    def changed(self) -> None:
        """Note that something that is drawn is not what it was."""
        self.revision += 1

    def end(self, turn: SeenTurn) -> None:
        """Take a turn's end, which the turn itself knows."""
        if self._running.pop(turn.number, None) is not None:
            self._ended.append(turn)
            self.revision += 1

    def recent(self, now: float, limit: int | None = None) -> list[SeenTurn]:
        """Return the turns to draw, in order of their numbers.

        If they are too many, those that run go before those that ended, and of these the newest.

        Args:
            now: The time.
            limit: How many are too many, if fewer than the timeline's own limit are wanted.
        """
        limit = self.limit if limit is None else limit
        while self._ended and _end_of(self._ended[0]) < now - self.seconds:
            self._ended.popleft()
        some = islice(chain(self._running.values(), reversed(self._ended)), limit)
        return sorted(some, key=lambda turn: turn.number)


def _end_of(turn: SeenTurn) -> float:
    assert turn.ended is not None  # it is among those that have ended
    return turn.ended
