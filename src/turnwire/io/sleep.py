"""Notices that the machine slept: one clock goes on then, the other one stands still."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_LEAST_SECONDS: Final = 30.0  # a clock that is put right moves by less


class SleepWatch:
    """Compares the clocks.

    Args:
        now: The time of the event loop.
        wall_clock: The time of day, in seconds.
    """

    def __init__(self, now: float, wall_clock: Callable[[], float] = time.time) -> None:
        self._wall_clock = wall_clock
        self._ahead = wall_clock() - now

    def slept(self, now: float) -> float | None:
        """Return how many seconds the machine slept since this was last asked, or None."""
        ahead = self._wall_clock() - now
        slept, self._ahead = ahead - self._ahead, ahead
        return slept if slept >= _LEAST_SECONDS else None
