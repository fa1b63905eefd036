"""Blocking readers: of events, of audio, of words."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from turnwire.realtime.sync.thread import Thread

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class _End(Enum):
    """No more will come."""

    END = "end"


class _Source(Protocol[T_co]):
    def poll(self) -> T_co | None: ...
    def close(self) -> None: ...
    async def __anext__(self) -> T_co: ...


class Reader(Generic[T]):
    """What comes, one after the other; iterate it, from one thread.

    It takes part as long as somebody holds it, so that leaving a loop is enough.
    """

    def __init__(self, thread: Thread, source: _Source[T]) -> None:
        self._thread = thread
        self._source = source

    def poll(self) -> T | None:
        """Return the next one, or None if none waits now.

        Raises:
            StopIteration: No more will come.
            TurnwireError: As while iterating.
        """

        def look() -> T | _End | None:
            try:
                return self._source.poll()
            except StopAsyncIteration:
                return _End.END

        return _found(self._thread.do(look))

    def close(self) -> None:
        """Read no more, and forget what waits."""
        self._thread.do(self._source.close)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        """Return the next one; Ctrl-C loses none."""

        async def step() -> T | _End:
            try:
                return await self._source.__anext__()
            except StopAsyncIteration:
                return _End.END

        def rest() -> T | _End:
            try:
                found = self._source.poll()
            except StopAsyncIteration:
                return _End.END
            return _End.END if found is None else found

        return _found(self._thread.wait_or(step(), rest))


def _found(found: T | _End) -> T:
    if isinstance(found, _End):
        raise StopIteration
    return found
