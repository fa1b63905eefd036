"""The chains that a context may continue: a few, found by what they say.

Agents are interrupted, and then their context goes on from an earlier place than its chain does.
So a chain stays known as it was before each of its turns: a stored response can be continued from
there too.  A chain that was forgotten costs bytes, never an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from turnwire.adapters.livekit.context import Mark
    from turnwire.client.chain import AsyncChain

_MOST_CHAINS: Final = 32
_MOST_BYTES: Final = 64 * 2**20  # what their histories weigh, each counted whole


@dataclass(slots=True)
class KnownChain:
    """A chain at rest.

    Attributes:
        chain: Nobody runs a turn on it.
        mark: What its history says.
        continued: True if a later state of it is known.
    """

    chain: AsyncChain
    mark: Mark
    continued: bool = False


class KnownChains:
    """Chains at rest; those used longest ago are forgotten, earlier states before latest ones."""

    def __init__(self) -> None:
        self._by_digest: dict[bytes, KnownChain] = {}  # least recently used first
        self._size_bytes = 0

    def __len__(self) -> int:
        return len(self._by_digest)

    def find(self, marks: Sequence[Mark]) -> tuple[KnownChain, int] | None:
        """Return the chain that holds most of a history, and how many items it holds.

        Args:
            marks: Those after each item; a turn needs something new, so the last does not count.
        """
        for count in range(len(marks) - 1, 0, -1):
            known = self._by_digest.get(marks[count - 1].digest)
            if known is not None:
                return known, count
        return None

    def keep(self, chain: AsyncChain, mark: Mark) -> KnownChain:
        """Remember a chain that is at rest."""
        self._forget(mark.digest)
        known = self._by_digest[mark.digest] = KnownChain(chain, mark)
        self._size_bytes += mark.size_bytes
        while len(self) > 1 and (len(self) > _MOST_CHAINS or self._size_bytes > _MOST_BYTES):
            self._forget(self._least_needed())
        return known

    def _least_needed(self) -> bytes:
        earlier = (digest for digest, known in self._by_digest.items() if known.continued)
        return next(earlier, None) or next(iter(self._by_digest))

    def _forget(self, digest: bytes) -> None:
        known = self._by_digest.pop(digest, None)
        if known is not None:
            self._size_bytes -= known.mark.size_bytes
