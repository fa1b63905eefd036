"""A clock that a test moves by hand, for everything that takes the time as an argument."""

from __future__ import annotations


class Clock:
    """Time for tests of the core: it stands still until it is told to advance.

    Args:
        now: Where it starts, in seconds.
    """

    __slots__ = ("_now",)

    def __init__(self, now: float = 0.0) -> None:
        self._now = now

    @property
    def now(self) -> float:
        """The time in seconds."""
        return self._now

    def advance(self, seconds: float) -> float:
        """Move on by so many seconds and return the new time.

        Raises:
            ValueError: ``seconds`` is negative; the clocks that this one stands for are monotonic.
        """
        if seconds < 0:
            raise ValueError(f"A monotonic clock cannot go back by {-seconds} s; advance by >= 0.")
        self._now += seconds
        return self._now

    def __repr__(self) -> str:
        return f"Clock(now={self._now!r})"
