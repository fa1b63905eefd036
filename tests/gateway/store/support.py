"""Links and stores to test with."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from turnwire.gateway.context import Context
from turnwire.gateway.input.items import Call
from turnwire.gateway.store import MemoryStore, Store
from turnwire.gateway.store.redis import RedisStore
from turnwire.gateway.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def link(
    name: str,
    parent: Context | None = None,
    size: int = 10,
    *,
    owner: str = "me",
    dead_end: bool = False,
) -> Context:
    """Return a link that holds so many bytes, some of them in each of its parts."""
    above = parent.content_bytes if parent else 0
    rest = size - size // 2 - size // 4
    return Context(
        response_id=name,
        parent=parent,
        input=(b"i" * (size // 2),),
        output=(b"o" * (size // 4),),
        pending=(Call("function_call", f"call_{name}"),),
        response=b"r" * rest,
        item_count=2 + (parent.item_count if parent else 0),
        content_bytes=above + size - rest,
        owner=owner,
        dead_end=dead_end,
    )


def chain(*names: str, size: int = 10) -> list[Context]:
    """Return links that follow each other."""
    links: list[Context] = []
    for name in names:
        links.append(link(name, links[-1] if links else None, size))
    return links


def told(context: Context | None) -> list[tuple[Any, ...]] | None:
    """Return all that is in a chain, newest link first, to be compared."""
    if context is None:
        return None
    return [
        (
            each.response_id, each.input, each.output, each.pending, each.response,
            each.item_count, each.content_bytes, each.owner, each.dead_end,
        )
        for each in context.lineage()
    ]  # fmt: skip


@dataclass
class Clock:
    """Tells the time that the test sets."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Stores:
    """Opens stores of one kind, with one clock, on the same data wherever that is possible."""

    kind: str
    folder: Path
    redis_url: Callable[[], str]
    prefix: str = "test"
    clock: Clock = field(default_factory=Clock)
    _open: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def open(
        self, limit_bytes: int = 2**20, limit_count: int = 10_000, **options: Any
    ) -> Store:
        """Open one; it is closed when the test ends."""
        store = self.make(limit_bytes, limit_count, **options)
        await store.open()
        self._open.push_async_callback(store.close)
        return store

    def make(self, limit_bytes: int = 2**20, limit_count: int = 10_000, **options: Any) -> Store:
        """Return one that is still to be opened."""
        limits = (limit_bytes, limit_count)
        options = {"clock": self.clock, **options}
        match self.kind:
            case "memory":
                return MemoryStore(*limits, **options)
            case "sqlite":
                return SqliteStore(self.folder / "store", *limits, **options)
            case "redis":
                return RedisStore(self.redis_url(), *limits, prefix=self.prefix, **options)
            case _:
                raise AssertionError(self.kind)

    async def aclose(self) -> None:
        """Close those that were opened."""
        await self._open.aclose()
