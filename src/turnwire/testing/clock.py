"""A clock that a test moves by hand, for everything that takes the time as an argument."""

from __future__ import annotations

import heapq
from itertools import count
from typing import TYPE_CHECKING

from turnwire.testing.flag import Flag
from turnwire.testing.steps import Gate

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """Time for tests of the core and for scripts: it stands still until it is told to advance.

    Args:
        now: Where it starts, in seconds.
    """

    __slots__ = ("_alarms", "_now", "_order")

    def __init__(self, now: float = 0.0) -> None:
        self._now = now
        self._alarms: list[tuple[float, int, Flag]] = []
        self._order = count()

    @property
    def now(self) -> float:
        """The time in seconds."""
        return self._now

    @property
    def next(self) -> float | None:
        """The earliest time that somebody waits for, or None."""
        return self._alarms[0][0] if self._alarms else None

    def advance(self, seconds: float) -> float:
        """Move on by so many seconds, ring what is due, and return the new time.

        Who is woken runs later, and counts a further wait from the new time.

        Raises:
            ValueError: ``seconds`` is negative; the clocks that this one stands for are monotonic.
        """
        if seconds < 0:
            raise ValueError(f"A monotonic clock cannot go back by {-seconds} s; advance by >= 0.")
        self._now += seconds
        while self._alarms and self._alarms[0][0] <= self._now:
            heapq.heappop(self._alarms)[2].set()
        return self._now

    def alarm(self, seconds: float) -> Flag:
        """Return a flag that is set once so many seconds have passed; it counts from now on."""
        flag = Flag()
        if seconds <= 0:
            flag.set()
        else:
            heapq.heappush(self._alarms, (self._now + seconds, next(self._order), flag))
        return flag

    def __repr__(self) -> str:
        return f"Clock(now={self.now!r})"


async def reach(until: Gate | float, clock: Clock, changed: Callable[[], None]) -> None:
    """Wait until a gate is open or so many seconds have passed; ``changed``: now it waits."""
    if isinstance(until, Gate):
        await until.pass_through()
    else:
        alarm = clock.alarm(until)
        changed()
        await alarm.wait()
