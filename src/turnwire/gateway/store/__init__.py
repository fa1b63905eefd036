"""Where responses stay after their turn, so that any socket and any POST can go on from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from turnwire.gateway.store.memory import MemoryStore
from turnwire.gateway.store.unavailable import StoreUnavailable

if TYPE_CHECKING:
    from turnwire.gateway.context import Context

__all__ = ["MemoryStore", "Store", "StoreUnavailable"]


class Store(Protocol):
    """Keeps the responses of ``store: true``; may forget the least recently used ones.

    Why there are three, and how they work: docs/decisions/0012-stores.md.  What one returns
    is the whole chain; a link's ``response`` and ``input`` are those of its turn.
    Whoever waits may be cancelled: what was asked for is then done or not done, never half.
    """

    async def open(self) -> None:
        """Get ready; called once, before anything else.

        Raises:
            ConfigError: It is not there, or is not ours.
        """
        ...

    async def check(self) -> None:
        """Return if responses can be kept, as far as is known; costs nothing while all is well.

        Raises:
            StoreUnavailable: It did not answer when it was asked last, and does not now.
        """
        ...

    async def get(self, response_id: str, owner: str) -> Context | None:
        """Return the chain that ends with this response and count it as used.

        None if there is no such response, or if it belongs to somebody else.

        Raises:
            StoreUnavailable: Nobody knows.
        """
        ...

    async def put(self, context: Context) -> None:
        """Keep a response; it can be found once this returns.

        Raises:
            StoreUnavailable: It may be there or not.
        """
        ...

    async def delete(self, response_id: str, owner: str) -> None:
        """Keep a response of this owner no longer; chains that go through it stay whole.

        Raises:
            StoreUnavailable: It may still be there.
        """
        ...

    async def close(self) -> None:
        """Let go of files and connections; nothing is asked after that."""
        ...
