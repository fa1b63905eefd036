"""The clients of a round: opened, sometimes closed in the middle, and counted at the end."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from client.colours import Threads, WrappedChain, WrappedClient
from turnwire import AsyncClient, Client
from turnwire.core.statistics import PoolStatistics

if TYPE_CHECKING:
    from random import Random

    from chaos.book import Book
    from chaos.rounds import Round
    from chaos.service import Service

_AT_ONCE = 2


@dataclass(slots=True, eq=False)
class Opened:
    """One client."""

    client: Any
    threads: Threads | None
    is_open: bool = True

    def load_chain(self, dump: bytes, **given: Any) -> Any:
        if self.threads is None:
            return self.client.load_chain(dump, **given)
        return WrappedChain(self.client.blocking.load_chain(dump, **given), self.threads)

    async def close(self) -> None:
        self.is_open = False
        await self.client.aclose()


@dataclass(slots=True)
class Clients:
    """The clients of one round."""

    told: Round
    service: Service
    opened: list[Opened] = field(default_factory=list[Opened])
    all: list[Opened] = field(default_factory=list[Opened])
    _threads: Threads | None = None
    _closing: asyncio.Task[None] | None = None
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    def choose(self, rng: Random) -> Opened:
        return rng.choice(self.opened)

    async def __aenter__(self) -> Self:
        if self.told.colour == "sync":
            self._threads = Threads()
        self.opened = [self._open() for _ in range(_AT_ONCE)]
        if self.told.times.get("close client"):
            self._closing = asyncio.create_task(self._close_now_and_then())
        return self

    def _open(self) -> Opened:
        options: dict[str, Any] = {
            "base_url": self.service.peer.base_url,
            "api_key": self.service.sign_in,
            "trust_env": False,
            **self.told.client,
        }
        if self._threads is None:
            opened = Opened(AsyncClient(**options), None)
        else:
            opened = Opened(WrappedClient(Client(**options), self._threads), self._threads)
        self.all.append(opened)
        return opened

    async def _close_now_and_then(self) -> None:
        rng = self.told.stream("closing")
        while True:
            await asyncio.sleep(rng.random() * 2 / self.told.times["close client"])
            place = rng.randrange(len(self.opened))
            old, self.opened[place] = self.opened[place], self._open()
            self.service.injected["close client"] += 1
            await old.close()

    async def __aexit__(self, *about: object) -> None:
        if self._closing is not None:
            self._closing.cancel()
            await asyncio.gather(self._closing, return_exceptions=True)
        await asyncio.gather(*(opened.close() for opened in self.all))
        if self._threads is not None:
            self._threads.executor.shutdown()

    def statistics(self) -> PoolStatistics:
        """Return the counters of all clients together."""
        every = [opened.client.statistics() for opened in self.all]
        return sum(every, PoolStatistics())

    def judge(self, book: Book) -> None:
        """Compare the counters with each other, now that all are closed."""
        counted = self.statistics()
        ended = counted.completed + counted.failed + counted.cancelled
        if ended != counted.turns:
            book.violated("every turn is counted once", None, counted)
        left = (counted.sockets, counted.active, counted.waiting, counted.queued_bytes)
        if any(left):
            book.violated("a closed client has nothing left", None, counted)
