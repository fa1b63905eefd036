"""A bounded queue of bytes that remembers whose they are."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from turnwire.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Portion(Generic[K]):
    """So many bytes of one key."""

    key: K
    size_bytes: int


@dataclass(slots=True)
class _Chunk(Generic[K]):
    key: K
    data: bytes
    start: int = 0  # what is before it was taken

    @property
    def left(self) -> int:
        return len(self.data) - self.start


class Ring(Generic[K]):
    """Bytes in order, each with a key, never more than a limit.

    Nothing is copied on the way in, so a ring holds on to at most the limit and one chunk.  It
    knows no lock: whoever shares it between threads has one.

    Args:
        limit_bytes: How much it holds; rounded down to whole units.
        unit_bytes: The size of a sample: bytes come, go and are dropped in whole units, so that
            what is left stays audible.

    Attributes:
        size_bytes: How much it holds now.
        limit_bytes: How much it can hold.
    """

    def __init__(self, limit_bytes: int, *, unit_bytes: int = 1) -> None:
        self.unit_bytes = unit_bytes
        self.limit_bytes = limit_bytes - limit_bytes % unit_bytes
        if self.limit_bytes <= 0:
            raise ConfigError(
                f"A ring of {limit_bytes} bytes has no room for a unit of {unit_bytes}; "
                "make the limit larger."
            )
        self.size_bytes = 0
        self._chunks: deque[_Chunk[K]] = deque()

    @property
    def free_bytes(self) -> int:
        """How much would fit."""
        return self.limit_bytes - self.size_bytes

    def put(self, data: bytes, key: K) -> int:
        """Add what fits at the end.

        Returns:
            How many bytes that were: the first ones of ``data``.

        Raises:
            ConfigError: ``data`` is no whole number of units; nothing was added.
        """
        self._check(data)
        taken = min(len(data), self.free_bytes)
        self._append(data[:taken], key)
        return taken

    def push(self, data: bytes, key: K) -> list[Portion[K]]:
        """Add everything at the end and drop the oldest for it.

        Returns:
            What was dropped, oldest first; of ``data`` too, if it is larger than the ring.

        Raises:
            ConfigError: ``data`` is no whole number of units; nothing was added.
        """
        self._check(data)
        over = max(0, len(data) - self.limit_bytes)
        dropped = [portion for portion, _ in self._take(len(data) - self.free_bytes)]
        self._append(data[over:], key)
        return merged([*dropped, Portion(key, over)])

    def take(self, size_bytes: int) -> tuple[bytes, list[Portion[K]]]:
        """Take bytes from the front.

        Args:
            size_bytes: At most so many; rounded down to whole units.

        Returns:
            The bytes, fewer than asked for if there are no more, and whose they are, in order.
        """
        taken = self._take(size_bytes - size_bytes % self.unit_bytes)
        return b"".join(data for _, data in taken), merged(portion for portion, _ in taken)

    def clear(self) -> list[Portion[K]]:
        """Drop everything; return what that was, oldest first."""
        dropped = merged(Portion(chunk.key, chunk.left) for chunk in self._chunks)
        self._chunks.clear()
        self.size_bytes = 0
        return dropped

    def drop(self, keys: Collection[K]) -> list[Portion[K]]:
        """Drop everything of some keys, so that the rest moves up; return it as ``clear`` does."""
        gone = [chunk for chunk in self._chunks if chunk.key in keys]
        self._chunks = deque(chunk for chunk in self._chunks if chunk.key not in keys)
        self.size_bytes -= sum(chunk.left for chunk in gone)
        return merged(Portion(chunk.key, chunk.left) for chunk in gone)

    def _check(self, data: bytes) -> None:
        if len(data) % self.unit_bytes:
            raise ConfigError(
                f"{len(data)} bytes are no whole number of samples of {self.unit_bytes} bytes; "
                "keep the rest until the next piece comes."
            )

    def _append(self, data: bytes, key: K) -> None:
        if data:
            self._chunks.append(_Chunk(key, data))
            self.size_bytes += len(data)

    def _take(self, size_bytes: int) -> list[tuple[Portion[K], bytes]]:
        taken: list[tuple[Portion[K], bytes]] = []
        while self._chunks and size_bytes > 0:
            chunk = self._chunks[0]
            end = min(chunk.start + size_bytes, len(chunk.data))
            data = chunk.data[chunk.start : end]
            taken.append((Portion(chunk.key, len(data)), data))
            size_bytes -= len(data)
            self.size_bytes -= len(data)
            chunk.start = end
            if not chunk.left:
                self._chunks.popleft()
        return taken


def merged(portions: Iterable[Portion[K]]) -> list[Portion[K]]:
    """Return the portions with neighbours of one key made one, and without empty ones."""
    whole: list[Portion[K]] = []
    for portion in portions:
        if whole and whole[-1].key == portion.key:
            whole[-1] = Portion(portion.key, whole[-1].size_bytes + portion.size_bytes)
        elif portion.size_bytes:
            whole.append(portion)
    return whole
