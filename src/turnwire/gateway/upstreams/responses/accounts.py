"""A model server as each credential sees it: sockets and chains of its own.

Chains belong to the credential that made them, and so do sockets.  Credentials are told apart by
their hashes; they themselves are only where they sign in.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import contextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING

from turnwire.core.chain_index import ChainIndex
from turnwire.core.statistics import PoolStatistics
from turnwire.gateway.upstreams import UpstreamFailed
from turnwire.gateway.upstreams.failures import BUSY

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from turnwire.io.engine import Engine


class Account:
    """One credential at the server.

    Args:
        engine: Its sockets.
        chain_bytes: How much of its chains may be remembered.

    Attributes:
        engine: Its sockets.
        index: Its chains.
        users: Turns that run on it.
        timer: Lets it go when it has not been used for long.
    """

    def __init__(self, engine: Engine, chain_bytes: int) -> None:
        self.engine = engine
        self.index = ChainIndex(chain_bytes)
        self.users = 0
        self.timer: asyncio.TimerHandle | None = None

    def stop_timer(self) -> None:
        """Let it stay."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Accounts:
    """All credentials in use; those not used for longest are let go.

    Args:
        make: Makes the account of a key; None is no key.
        limit: How many there may be.
        idle: Seconds after which one that nobody uses is let go; None for never.
    """

    def __init__(
        self, make: Callable[[str | None], Account], *, limit: int, idle: float | None
    ) -> None:
        self._make = make
        self._limit = limit
        self._idle = idle
        self._known: OrderedDict[bytes, Account] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()
        self._ended = PoolStatistics()

    def __len__(self) -> int:
        return len(self._known)

    def statistics(self) -> PoolStatistics:
        """Return the counters of all of them together, of those that were let go, too."""
        return sum((each.engine.statistics() for each in self._known.values()), self._ended)

    @contextmanager
    def use(self, key: str | None) -> Generator[Account]:
        """Use the account of a key, which is not let go meanwhile.

        Raises:
            UpstreamFailed: All accounts that there may be are in use.
        """
        name = blake2b(b"" if key is None else b"=" + key.encode(), digest_size=16).digest()
        account = self._known.get(name)
        if account is None:
            self._make_room()
            account = self._known[name] = self._make(key)
        self._known.move_to_end(name)
        account.users += 1
        account.stop_timer()
        try:
            yield account
        finally:
            account.users -= 1
            if self._idle is not None and not account.users and name in self._known:
                loop = asyncio.get_running_loop()
                account.timer = loop.call_later(self._idle, self._let_go, name)

    def _make_room(self) -> None:
        if len(self._known) < self._limit:
            return
        unused = (name for name, account in self._known.items() if not account.users)
        name = next(unused, None)
        if name is None:
            message = f"The gateway serves {self._limit} other keys now. Try again later."
            raise UpstreamFailed(message, status=429, code=BUSY)
        self._let_go(name)

    def _let_go(self, name: bytes) -> None:
        account = self._known.pop(name)
        account.stop_timer()
        task = asyncio.get_running_loop().create_task(self._end(account))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _end(self, account: Account) -> None:
        await account.engine.aclose()
        self._ended += account.engine.statistics()

    async def aclose(self) -> None:
        """Close everything; turns that run fail at once."""
        for name in tuple(self._known):
            self._let_go(name)
        await asyncio.gather(*self._closing, return_exceptions=True)
