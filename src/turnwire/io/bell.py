"""Wakes those who wait until something has changed."""

from __future__ import annotations

import asyncio


class Bell:
    """Rings for everybody who waits at that moment; belongs to one event loop."""

    __slots__ = ("_waiter",)

    def __init__(self) -> None:
        self._waiter: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Wake those who wait."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        self._waiter = None

    async def wait(self) -> None:
        """Wait for the next ring; cancelling is safe."""
        if self._waiter is None:
            self._waiter = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._waiter)
