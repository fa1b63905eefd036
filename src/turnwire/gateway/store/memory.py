"""The store that lives in this process and dies with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from turnwire.gateway.store.shelf import Shelf

if TYPE_CHECKING:
    from turnwire.gateway.context import Context


class MemoryStore:
    """Stored responses in memory, the least recently used ones forgotten first.

    Args:
        limit_bytes: Bytes of all chains, shared ancestors counted once.
        limit_count: Responses that can be found.
    """

    def __init__(self, limit_bytes: int, limit_count: int) -> None:
        self._shelf = Shelf(limit_bytes, limit_count)

    async def get(self, response_id: str) -> Context | None:
        """Return the chain that ends with this response, or None."""
        return self._shelf.get(response_id)

    async def put(self, context: Context) -> None:
        """Keep a response; it can be found once this returns."""
        self._shelf.put(context)

    async def delete(self, response_id: str) -> None:
        """Keep a response no longer, if it is here; chains that go through it stay whole."""
        self._shelf.forget(response_id)
