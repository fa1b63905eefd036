"""Messages that wait to be written to one client, bounded in bytes.

A client that does not read must not make memory grow: whoever has more to say waits in ``room``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def _nobody() -> None:
    pass


class Outbox:
    """The queue between the turns of a socket and its one writer.

    Args:
        limit_bytes: When this much waits, ``room`` waits, too.

    Attributes:
        news: Called when there is something to take, and when nothing more will come.
        size_bytes: What was put and not yet written.
        close_code: What to close the socket with when everything is out; None if more may come.
        close_reason: The words that go with it, often none.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._messages: list[bytes] = []
        self._roomy: asyncio.Event | None = None  # if somebody waits for room
        self._abandoned = False
        self.news: Callable[[], None] = _nobody
        self.size_bytes = 0
        self.close_code: int | None = None
        self.close_reason = ""

    def __bool__(self) -> bool:
        """Return whether there is something to take."""
        return bool(self._messages)

    def put(self, message: bytes) -> None:
        """Queue a message; never waits, so call ``room`` before producing the next one."""
        if self._abandoned or self.close_code is not None:
            return  # nobody reads any more
        self._messages.append(message)
        self.size_bytes += len(message)
        self.news()

    def finish(self, close_code: int, close_reason: str = "") -> None:
        """Queue nothing more; the writer closes the socket when everything is out."""
        if self.close_code is None:
            self.close_code, self.close_reason = close_code, close_reason
            self.news()

    def abandon(self) -> None:
        """Drop everything: nothing can be written any more, so nobody needs to wait."""
        self._abandoned = True
        self._messages.clear()
        self._freed(self.size_bytes)

    async def room(self) -> None:
        """Wait until less than the limit is queued."""
        if self.size_bytes >= self._limit_bytes:
            self._roomy = self._roomy or asyncio.Event()
            await self._roomy.wait()

    def take(self, most_bytes: int) -> list[bytes]:
        """Take the oldest messages until they have this many bytes; they count until ``written``.

        One is taken whatever its size.
        """
        count = size_bytes = 0
        for message in self._messages:
            if size_bytes >= most_bytes:
                break
            size_bytes += len(message)
            count += 1
        taken, self._messages = self._messages[:count], self._messages[count:]
        return taken

    def written(self, size_bytes: int) -> None:
        """Note that so many bytes of what was taken are out."""
        if not self._abandoned:
            self._freed(size_bytes)

    def _freed(self, size_bytes: int) -> None:
        self.size_bytes -= size_bytes
        if self._roomy is not None and self.size_bytes < self._limit_bytes:
            self._roomy.set()
            self._roomy = None
