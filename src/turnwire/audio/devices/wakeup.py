"""From a device's thread into the event loop."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Wakeup:
    """Calls a function in the event loop: once, however often it was rung until then.

    So a loop that is busy collects one call, not one for each block.

    Args:
        loop: Where the function is called.
        answer: The function.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, answer: Callable[[], None]) -> None:
        self._loop = loop
        self._answer = answer
        self._rung = False

    def ring(self) -> None:
        """Have the function called soon; from any thread, and for nothing once the loop closed."""
        if not self._rung:
            self._rung = True
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._call)

    def _call(self) -> None:
        self._rung = False  # before the answer, which then sees what comes from here on
        self._answer()
