"""The store in a file: it outlives the process, and several processes may share it."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from turnwire.gateway.store.known_links import KnownLinks
from turnwire.gateway.store.link_file import LinkFile
from turnwire.gateway.store.sqlite_schema import open_sqlite
from turnwire.gateway.store.unavailable import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.gateway.context import Context

_T = TypeVar("_T")

_log = logging.getLogger(__name__)

FILE_NAME: Final = "responses.sqlite3"


class SqliteStore:
    """Stored responses in one file, the least recently used ones forgotten first.

    Works in a thread of its own, one thing after the other.

    Args:
        folder: Where the file is; made if it is not there. On a local disk.
        limit_bytes: Bytes of all chains, shared ancestors counted once.
        limit_count: Responses that can be found.
        ttl: Seconds that a response can be found; None for no end.
        cache_bytes: Chains that are kept in memory, too, so as not to be read again.
        timeout: Seconds to wait for another process that writes.
        clock: Returns the Unix time.
    """

    def __init__(
        self,
        folder: str | Path,
        limit_bytes: int,
        limit_count: int,
        ttl: float | None = None,
        *,
        cache_bytes: int = 32 * 2**20,
        timeout: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = Path(folder) / FILE_NAME
        self._limit_bytes = limit_bytes
        self._limit_count = limit_count
        self._ttl = ttl
        self._cache_bytes = cache_bytes
        self._timeout = timeout
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "turnwire-store")  # starts when it is needed
        self._file: LinkFile | None = None

    async def open(self) -> None:
        """Open the file.

        Raises:
            ConfigError: It cannot be opened, or is not ours.
        """
        self._file = await self._there(self._open)

    async def check(self) -> None:
        """Do nothing: whether a disk is full shows when it is written."""

    async def get(self, response_id: str, owner: str) -> Context | None:
        """Return the chain that ends with this response, if it is this owner's.

        Raises:
            StoreUnavailable: The file cannot be read.
        """
        file, now = self._opened(), self._clock()
        return await self._ask(lambda: file.get(response_id, owner, now))

    async def put(self, context: Context) -> None:
        """Keep a response; once this returns it outlives the process.

        Raises:
            StoreUnavailable: The file cannot be written; the response is not kept.
        """
        file, now = self._opened(), self._clock()
        await self._ask(lambda: file.put(context, now))

    async def delete(self, response_id: str, owner: str) -> None:
        """Keep a response of this owner no longer; chains that go through it stay whole.

        Raises:
            StoreUnavailable: The file cannot be written; the response is still there.
        """
        file = self._opened()
        await self._ask(lambda: file.delete(response_id, owner))

    async def close(self) -> None:
        """Close the file, after everything that was asked for before."""
        file, self._file = self._file, None
        try:
            if file is not None:
                await self._there(file.close)
        except sqlite3.Error as error:
            _log.warning("the store was not closed cleanly; it is sound: %s", error)
        finally:
            self._thread.shutdown(wait=False)  # it has nothing more to do

    def _open(self) -> LinkFile:
        return LinkFile(
            open_sqlite(self._path, self._timeout),
            limit_bytes=self._limit_bytes,
            limit_count=self._limit_count,
            ttl=self._ttl,
            known=KnownLinks(self._cache_bytes, self._limit_count),
        )

    def _opened(self) -> LinkFile:
        if self._file is None:
            raise StoreUnavailable("The store is closed. Try again later.")
        return self._file

    async def _ask(self, work: Callable[[], _T]) -> _T:
        try:
            return await self._there(work)
        except sqlite3.Error as error:
            _log.warning("the store failed: %s", error)
            raise StoreUnavailable from error

    async def _there(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
