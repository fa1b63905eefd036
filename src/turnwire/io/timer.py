"""The one timer of an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Timer:
    """Rings once, at the deadline that it was last armed with.

    Args:
        loop: Whose clock and whose calls.
        ring: Called at the deadline.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._handle: asyncio.TimerHandle | None = None
        self._deadline: float | None = None

    def arm(self, deadline: float | None) -> None:
        """Ring at this time of the loop's, and at no other; None for never."""
        if deadline == self._deadline:
            return
        if self._handle is not None:
            self._handle.cancel()
        self._handle = None if deadline is None else self._loop.call_at(deadline, self._due)
        self._deadline = deadline

    def _due(self) -> None:
        self._handle = self._deadline = None
        self._ring()
