"""Links that are in this process's memory anyway, so that a store reads only what is new here.

Links never change, so one that was read once is right for ever; whether it may still be *found* is
the store's to say, each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from turnwire.gateway.store.link import Link, decode_link
from turnwire.gateway.store.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Iterable

    from turnwire.gateway.context import Context


class KnownLinks:
    """The chains that were used last, and every link that somebody else keeps alive.

    Args:
        limit_bytes: Bytes that are kept alive for their own sake.
        limit_count: Chains that are.
    """

    def __init__(self, limit_bytes: int, limit_count: int) -> None:
        self._alive: WeakValueDictionary[str, Context] = WeakValueDictionary()
        self._used = Shelf(limit_bytes, limit_count)

    def get(self, response_id: str | None) -> Context | None:
        """Return a link with those before it, if it is here."""
        return None if response_id is None else self._alive.get(response_id)

    def use(self, context: Context) -> Context:
        """Keep a chain, as the one that was used last."""
        if self._used.get(context.response_id) is context:
            return context
        for link in context.lineage():
            if self._alive.get(link.response_id) is link:
                break  # and so are those before it
            self._alive[link.response_id] = link
        self._used.put(context)
        return context

    def read(self, data: Iterable[bytes], links: list[Link]) -> Context | None:
        """Decode links, newest first, up to one that goes on from a known link, and return that.

        Args:
            data: Encoded links; no more are taken than needed.
            links: Gets those that were decoded.

        Raises:
            StoreUnavailable: One of them cannot be read.
        """
        for each in data:
            links.append(decode_link(each))
            parent = self.get(links[-1].parent_id)
            if parent is not None:
                return parent
        return None

    def forget(self, response_id: str) -> None:
        """Keep a chain no longer for its own sake."""
        self._used.forget(response_id)
