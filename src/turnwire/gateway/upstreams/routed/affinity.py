"""Which upstream has a chain: one that keeps state answers faster when a chain comes back to it.

A link of a chain is known by what it adds and by what it continues, so that nobody has to name the
upstream that served it: not the store, not another process.  What is forgotten costs bytes, never
correctness.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from turnwire.gateway.context import Context, Prompt

_LIMIT: Final = 16_384  # links; some 2 MiB
_DIGEST_BYTES: Final = 16


class Affinity:
    """Remembers the upstreams of the links that were used last.

    Args:
        limit: How many links.
    """

    def __init__(self, limit: int = _LIMIT) -> None:
        self._limit = limit
        self._names: OrderedDict[bytes, str] = OrderedDict()

    def note(self, prompt: Prompt, name: str) -> None:
        """Remember which upstream answered a prompt."""
        link = _link(prompt.parent, prompt.encoded)
        self._names[link] = name
        self._names.move_to_end(link)
        if len(self._names) > self._limit:
            self._names.popitem(last=False)

    def of(self, prompt: Prompt) -> str | None:
        """Return the upstream that answered the turn which this prompt continues, or None."""
        last = prompt.parent
        if last is None:
            return None
        link = _link(last.parent, last.input)
        if link in self._names:
            self._names.move_to_end(link)
        return self._names.get(link)


def _link(parent: Context | None, added: tuple[bytes, ...]) -> bytes:
    digest = blake2b((parent.response_id if parent else "").encode(), digest_size=_DIGEST_BYTES)
    for item in added:
        digest.update(b"\0" + item)
    return digest.digest()
