"""Messages that wait to be written to one client, bounded in bytes.

A client that does not read must not make memory grow: whoever has more to say waits in ``room``.
"""

from __future__ import annotations

import asyncio
from collections import deque


class Outbox:
    """The queue between the turns of a socket and its one writer.

    Args:
        limit_bytes: When this much waits, ``room`` waits, too.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._messages: deque[bytes] = deque()
        self._filled = asyncio.Event()
        self._roomy = asyncio.Event()
        self._roomy.set()
        self._abandoned = False
        self.size_bytes = 0
        self.close_code: int | None = None

    def put(self, message: bytes) -> None:
        """Queue a message; never waits, so call ``room`` before producing the next one."""
        if self._abandoned or self.close_code is not None:
            return  # nobody reads any more
        self._messages.append(message)
        self.size_bytes += len(message)
        self._filled.set()
        if self.size_bytes >= self._limit_bytes:
            self._roomy.clear()

    def finish(self, close_code: int) -> None:
        """Queue nothing more; the writer closes the socket when everything is out."""
        if self.close_code is None:
            self.close_code = close_code
            self._filled.set()

    def abandon(self) -> None:
        """Drop everything: nothing can be written any more, so nobody needs to wait."""
        self._abandoned = True
        self._messages.clear()
        self.size_bytes = 0
        self._roomy.set()

    async def room(self) -> None:
        """Wait until less than the limit is queued."""
        if not self._roomy.is_set():
            await self._roomy.wait()

    async def filled(self) -> None:
        """Wait until there is something to take, or nothing more will come."""
        await self._filled.wait()

    def take(self) -> bytes | None:
        """Take the oldest message, or None; its bytes count until ``written``."""
        if self._messages:
            return self._messages.popleft()
        if self.close_code is None:
            self._filled.clear()
        return None

    def written(self, message: bytes) -> None:
        """Note that a message that was taken is out."""
        self.size_bytes -= len(message)
        if self.size_bytes < self._limit_bytes:
            self._roomy.set()
