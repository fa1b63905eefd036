"""What has to end before the gateway may stop: open sockets, and requests that are being served."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Generator

    from turnwire.gateway.downstream.lingering import Lingering

_LAST_WORDS: Final = 1.0  # seconds


class OpenSocket(Protocol):
    """A client's socket, whatever is spoken on it."""

    def drain(self) -> None:
        """Begin nothing new; close when what runs has ended."""
        ...

    def give_up(self) -> None:
        """End everything and close at once."""
        ...


class OpenWork:
    """Sockets and requests in progress.

    Args:
        lingering: Turns for which nobody waits; they are stopped first.

    Attributes:
        stopping: True once nothing new is to be begun.
    """

    def __init__(self, lingering: Lingering) -> None:
        self._lingering = lingering
        self._sockets: set[OpenSocket] = set()
        self._requests = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.stopping = False

    @contextmanager
    def socket(self, socket: OpenSocket) -> Generator[None]:
        """Count a socket while it is open."""
        self._sockets.add(socket)
        try:
            with self.request():
                yield
        finally:
            self._sockets.discard(socket)

    @contextmanager
    def request(self) -> Generator[None]:
        """Count a request while it is served."""
        self._requests += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._requests -= 1
            if not self._requests:
                self._idle.set()

    def stop(self) -> None:
        """Let every socket take no new turns, and close when its running ones have ended."""
        self.stopping = True
        self._lingering.stop()
        for socket in tuple(self._sockets):
            socket.drain()

    async def close(self) -> None:
        """Stop what still runs without a client."""
        await self._lingering.close()

    async def drain(self, limit: float) -> None:
        """Stop, and wait until everything has ended, for at most this many seconds.

        What runs on sockets then is ended with an error that says so; clients get a moment to
        take it.
        """
        self.stop()
        if not await self._ends_within(limit):
            for socket in tuple(self._sockets):
                socket.give_up()
            await self._ends_within(_LAST_WORDS)

    async def _ends_within(self, limit: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await self._idle.wait()
        return self._idle.is_set()
