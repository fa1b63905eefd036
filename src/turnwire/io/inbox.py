"""The events of one turn between the engine, which puts, and the caller, who gets."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from turnwire.core.actions import Finish
    from turnwire.events import Event


class Inbox:
    """A queue of events with a limit in bytes.

    Attributes:
        events: What has arrived and was not read.
        size_bytes: What it weighs.
        finish: How the turn ended, once it has.
    """

    __slots__ = ("_waiter", "events", "finish", "limit_bytes", "size_bytes")

    def __init__(self, limit_bytes: int) -> None:
        self.events: deque[Event] = deque()
        self.size_bytes = 0
        self.limit_bytes = limit_bytes
        self.finish: Finish | None = None
        self._waiter: asyncio.Future[None] | None = None

    def put(self, event: Event) -> bool:
        """Add an event; False if the inbox is now over its limit."""
        self.events.append(event)
        self.size_bytes += len(event.raw)
        if self._waiter is not None:
            self._wake()
        return self.size_bytes <= self.limit_bytes

    def close(self, finish: Finish) -> None:
        """Note how the turn ended; nothing is put after this."""
        self.finish = finish
        if self._waiter is not None:
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        self._waiter = None

    async def wait_changed(self) -> None:
        """Wait for an event or for the end; cancelling is safe."""
        if self._waiter is None or self._waiter.done():
            self._waiter = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._waiter)
