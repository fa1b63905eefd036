"""Byte counters that two processes see: the link counts, the measuring side reads.

They live in a small shared file, so that reading them costs the measured process next to nothing.
"""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_SIZE_BYTES: Final = 16  # two unsigned numbers of 8 bytes


class ByteCounts:
    """Bytes that crossed the link, from the client's side.

    Args:
        path: The shared file; see :meth:`create`.
    """

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _SIZE_BYTES)
        self._numbers = memoryview(self._map).cast("Q")

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make the shared file, with both counters at 0."""
        path.write_bytes(bytes(_SIZE_BYTES))
        return cls(path)

    @property
    def sent(self) -> int:
        """Bytes from the client."""
        return self._numbers[0]

    @property
    def received(self) -> int:
        """Bytes to the client."""
        return self._numbers[1]

    def count_sent(self, size_bytes: int) -> None:
        """Count bytes from the client."""
        self._numbers[0] += size_bytes

    def count_received(self, size_bytes: int) -> None:
        """Count bytes to the client."""
        self._numbers[1] += size_bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._numbers.release()
        self._map.close()
