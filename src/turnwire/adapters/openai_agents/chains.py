"""Finds the chain that a history continues, so that only what is new in it is sent.

The runner hands over the whole history each turn.  Ids of the model's own items lead to the chain
that ended with them; whether it really is the same history is proven by the chain, item by item.
A wrong guess costs bytes, and the turn says why.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from turnwire.adapters.openai_agents.asides import Asides

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from turnwire.client.aio import AsyncClient
    from turnwire.client.chain import AsyncChain
    from turnwire.client.turn import AsyncTurn
    from turnwire.events import Response

NoReplay = Literal["never"] | None

_MOST_CHAINS: Final = 256
_MOST_BYTES: Final = 64 * 2**20


class KnownChain:
    """A chain, and how to recognise it.

    Attributes:
        chain: Its history.
        ids: Ids of the items with which its last turn ended.
        size_bytes: What the history weighs, about.
        replay: ``never`` if its turns must not be sent again; None for the client's way.
        asides: What was said to its turns while they ran.
    """

    __slots__ = ("_turn", "asides", "chain", "ids", "replay", "size_bytes")

    def __init__(self, chain: AsyncChain, replay: NoReplay, asides: Asides | None = None) -> None:
        self.chain = chain
        self.asides = asides or Asides()
        self.replay: NoReplay = replay
        self.ids: tuple[str, ...] = ()
        self.size_bytes = 0
        self._turn: weakref.ref[AsyncTurn] | None = None

    @property
    def is_busy(self) -> bool:
        """True while a turn runs on the chain; not if whoever began it has gone."""
        return self._turn is not None and self._turn() is not None

    def begin(self, turn: AsyncTurn) -> None:
        """A turn of the chain begins."""
        self._turn = weakref.ref(turn)

    def end(self) -> None:
        """The turn has ended, well or not."""
        self._turn = None


class Chains:
    """The chains of one client; those not used for longest are forgotten.

    Args:
        client: Where they run.
        most_chains: How many may be remembered.
        most_bytes: What their histories may weigh.
    """

    def __init__(
        self,
        client: AsyncClient,
        *,
        most_chains: int = _MOST_CHAINS,
        most_bytes: int = _MOST_BYTES,
    ) -> None:
        self.client = client
        self._most_chains = most_chains
        self._most_bytes = most_bytes
        self._kept: OrderedDict[KnownChain, None] = OrderedDict()
        self._by_id: dict[str, KnownChain] = {}
        self._size_bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, history: Sequence[Any], replay: NoReplay = None) -> KnownChain:
        """Return the chain that a history seems to continue, a fork of it, or a new one.

        Args:
            history: All of it.
            replay: ``never`` if the turn must not be sent again after it was perhaps run.
        """
        found = self._with_an_item_of(history)
        if found is None or (replay is not None and found.replay is None):
            return KnownChain(self.client.chain(replay=replay), replay)
        if found.is_busy:  # somebody else goes on from there too
            return KnownChain(found.chain.fork(), found.replay, found.asides.copy())
        return found

    def _with_an_item_of(self, history: Sequence[Any]) -> KnownChain | None:
        by_id = self._by_id
        if not by_id:
            return None
        for item in reversed(history):
            for name in ("id", "call_id"):
                each = cast("dict[str, Any]", item).get(name) if isinstance(item, dict) else None
                found = by_id.get(each) if isinstance(each, str) else None
                if found is not None:
                    return found
        return None

    def keep(self, known: KnownChain, response: Response, size_bytes: int) -> None:
        """Remember how a chain ended; call it when its turn has ended well."""
        self._forget(known)
        known.ids = tuple(_ids(response))
        known.size_bytes = size_bytes
        self._kept[known] = None
        self._size_bytes += size_bytes
        self._by_id.update(dict.fromkeys(known.ids, known))
        self._make_room()

    def _forget(self, known: KnownChain) -> None:
        if known not in self._kept:
            return
        del self._kept[known]
        self._size_bytes -= known.size_bytes
        for each in known.ids:
            if self._by_id.get(each) is known:
                del self._by_id[each]

    def _make_room(self) -> None:
        for known in tuple(self._kept)[:-1]:  # whatever it weighs, the last one is wanted next
            if len(self._kept) <= self._most_chains and self._size_bytes <= self._most_bytes:
                return
            self._forget(known)


def _ids(response: Response) -> Iterable[str]:
    for item in response.output:
        for each in (item.id, getattr(item, "call_id", None)):
            if isinstance(each, str) and each:
                yield each
