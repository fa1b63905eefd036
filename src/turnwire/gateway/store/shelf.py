"""A shelf of chains, bounded in bytes, number and age, with what they share counted once."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from turnwire.gateway.context import Context


class Shelf:
    """Keeps the most recently used chains.

    A link stays in memory as long as any chain on the shelf goes through it, whether or not it can
    still be found by its own id; so that is what ``size_bytes`` counts.

    Args:
        limit_bytes: Bytes of all links that are kept alive.
        limit_count: Chains that can be found.
        ttl: Seconds after which a chain is not found any more; None for no end.
    """

    def __init__(self, limit_bytes: int, limit_count: int, ttl: float | None = None) -> None:
        self._limit_bytes = limit_bytes
        self._limit_count = limit_count
        self._ttl = ttl
        self._found: OrderedDict[str, Context] = OrderedDict()  # by use
        self._since: OrderedDict[str, float] = OrderedDict()  # the same ones, by age
        self._holders: dict[Context, int] = {}  # for each link: its id, and the links after it
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._found)

    def peek(self, response_id: str, now: float = 0.0) -> Context | None:
        """Return a chain without counting it as used, unless it is too old."""
        since = self._since.get(response_id)
        if since is None or self._too_old(since, now):
            return None
        return self._found[response_id]

    def get(self, response_id: str, now: float = 0.0) -> Context | None:
        """Return a chain and count it as used, unless it is too old."""
        context = self.peek(response_id, now)
        if context is not None:
            self._found.move_to_end(response_id)
        return context

    def put(self, context: Context, now: float = 0.0) -> None:
        """Keep a chain; what is too old goes, and the least recently used if there is no room."""
        self.forget(context.response_id)
        self._found[context.response_id] = context
        self._since[context.response_id] = now
        self._hold(context)
        while self._found and self._too_old(next(iter(self._since.values())), now):
            self.forget(next(iter(self._since)))
        while self._found and (
            self.size_bytes > self._limit_bytes or len(self._found) > self._limit_count
        ):
            self.forget(next(iter(self._found)))

    def forget(self, response_id: str) -> None:
        """Let a chain go, if it is here."""
        context = self._found.pop(response_id, None)
        if context is not None:
            del self._since[response_id]
            self._release(context)

    def _too_old(self, since: float, now: float) -> bool:
        return self._ttl is not None and now - since >= self._ttl

    def _hold(self, context: Context) -> None:
        for link in context.lineage():
            holders = self._holders.get(link, 0)
            self._holders[link] = holders + 1
            if holders:
                return  # its past is held already
            self.size_bytes += link.size_bytes

    def _release(self, context: Context) -> None:
        for link in context.lineage():
            holders = self._holders[link] - 1
            if holders:
                self._holders[link] = holders
                return  # a later link still needs it, and its past
            del self._holders[link]
            self.size_bytes -= link.size_bytes
