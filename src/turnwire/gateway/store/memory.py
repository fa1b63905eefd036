"""The store that lives in this process and dies with it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from turnwire.gateway.store.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.gateway.context import Context


class MemoryStore:
    """Stored responses in memory, the least recently used ones forgotten first.

    Args:
        limit_bytes: Bytes of all chains, shared ancestors counted once.
        limit_count: Responses that can be found.
        ttl: Seconds that a response can be found; None for no end.
        clock: Returns the time in seconds.
    """

    def __init__(
        self,
        limit_bytes: int,
        limit_count: int,
        ttl: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shelf = Shelf(limit_bytes, limit_count, ttl)
        self._clock = clock

    async def open(self) -> None:
        """Do nothing: memory is there."""

    async def check(self) -> None:
        """Do nothing: memory is always there."""

    async def get(self, response_id: str, owner: str) -> Context | None:
        """Return the chain that ends with this response, if it is this owner's."""
        context = self._shelf.peek(response_id, self._clock())
        if context is None or context.owner != owner:
            return None
        return self._shelf.get(response_id)

    async def put(self, context: Context) -> None:
        """Keep a response; it can be found once this returns."""
        self._shelf.put(context, self._clock())

    async def delete(self, response_id: str, owner: str) -> None:
        """Keep a response of this owner no longer; chains that go through it stay whole."""
        context = self._shelf.peek(response_id)
        if context is not None and context.owner == owner:
            self._shelf.forget(response_id)

    async def close(self) -> None:
        """Do nothing: the process's end is this store's."""
