"""Where responses stay after their turn, so that any socket and any POST can go on from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from turnwire.gateway.store.memory import MemoryStore

if TYPE_CHECKING:
    from turnwire.gateway.context import Context

__all__ = ["MemoryStore", "Store"]


class Store(Protocol):
    """Keeps the responses of ``store: true``; may forget the oldest."""

    async def get(self, response_id: str) -> Context | None:
        """Return the chain that ends with this response, or None."""
        ...

    async def put(self, context: Context) -> None:
        """Keep a response; it can be found once this returns."""
        ...

    async def delete(self, response_id: str) -> None:
        """Keep a response no longer, if it is here; chains that go through it stay whole."""
        ...
