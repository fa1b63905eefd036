"""A chain: turns linked by ``previous_response_id``, and the proof that a link still holds.

Only new items are sent when it is *proven* that the server already has the rest.  A miss costs
bytes, never correctness, and says why.  Sources: docs/protocol/continuation.md.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal
from weakref import WeakSet

from turnwire.core.history import Call, HistoryItem, unanswered

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from turnwire.core.lane import LaneName
    from turnwire.core.params import Params

MissReason = Literal[
    "connection_lost",  # the socket that held the response (`store=false`) is gone
    "credential_changed",
    "evicted",  # the server had forgotten the response, or is known to have
    "history_changed",  # an earlier item is not what was sent or received: see `index`
    "lane_taken",  # another turn took the lane that held the response, or its socket was full
    "nothing_new",  # the same history again
    "not_stored",  # over HTTP the server only finds stored responses
    "parameters_changed",  # see `field`
    "previous_failed",  # the turn before did not complete
    "unanswered_call",  # a tool call of the model has no output: `field` is its id
]


@dataclass(frozen=True, slots=True)
class ChainMiss:
    """Why everything was sent.

    Attributes:
        reason: One word of ``MissReason``.
        index: The first item that differs, where that is the reason.
        field: The parameter or the call that is the reason, where there is one.
    """

    reason: MissReason
    index: int | None = None
    field: str | None = None


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Head:
    """The response that the next turn continues: one immutable record, so parts cannot disagree.

    Forks share it, and the lane that caches the response refers to it weakly: once no chain has it
    any more, nobody needs that lane.

    Attributes:
        response_id: Opaque; gateways rewrite it.
        connection: Generation of the socket that holds it, or None for HTTP.
        lane: The lane that holds it.
        credential: Fingerprint of the key that made it.
        stored: Whether it outlives the socket.
        params: The parameters it was made with.
        length: How many items of the history it covers: all input, then all output.
        warm_up: True if the model has not run yet, so that no new item is needed.
        chains: Those that may continue it: one, and its forks.
    """

    response_id: str
    connection: int | None
    lane: LaneName
    credential: str
    stored: bool
    params: Params
    length: int
    warm_up: bool = False
    chains: WeakSet[Chain] = field(default_factory=WeakSet["Chain"], compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a turn is about to be sent.

    Attributes:
        connection: Generation of the socket, or None for HTTP.
        lane: The lane.
        credential: Fingerprint of the key in use there.
        cached: The response that the turn would find there without a store, or None.
        open_sockets: Generations of the sockets that are open.
    """

    connection: int | None
    lane: LaneName
    credential: str
    cached: str | None
    open_sockets: Container[object] = ()


@dataclass(frozen=True, slots=True)
class Composed:
    """What to send, and what the history becomes if the turn completes.

    Attributes:
        previous_response_id: The link, or None if everything is sent.
        items: The items to send.
        miss: Why everything is sent, if there was a history to leave out.
        kept: How many items of the chain's history stay.
        added: The items that come after those.
    """

    previous_response_id: str | None
    items: Sequence[HistoryItem]
    miss: ChainMiss | None
    kept: int
    added: Sequence[HistoryItem]


class Chain:
    """The whole logical history, and the head.

    Attributes:
        items: Input and output items of every completed turn, each encoded once.
        head: What the next turn may continue, or None.
        turn: The turn that runs or is next, by number; turns of a chain run one after the other.
        turn_written: True once that turn is on the wire.
        behind: The turns after that one, by number.
    """

    __slots__ = (
        "__weakref__", "_pending", "_why_no_head", "behind", "head", "items", "turn",
        "turn_written",
    )  # fmt: skip

    def __init__(self) -> None:
        self.items: list[HistoryItem] = []
        self.head: Head | None = None
        self.turn: int | None = None
        self.turn_written = False
        self.behind: deque[int] = deque()
        self._pending: list[Call] = []
        self._why_no_head: MissReason = "previous_failed"

    def fork(self) -> Chain:
        """Return a chain with the same past and head, and its own future."""
        other = Chain()
        other.items = self.items.copy()
        other._set_head(self.head)
        other._pending = self._pending.copy()
        other._why_no_head = self._why_no_head
        return other

    @property
    def unanswered(self) -> list[str | None]:
        """Ids of the model's tool calls that have no output yet."""
        return [call_id for _, call_id in self._pending]

    def compose(
        self,
        given: Sequence[HistoryItem],
        params: Params,
        seat: Seat,
        *,
        whole: bool,
        warm_up: bool = False,
    ) -> Composed:
        """Decide what a turn must send from a seat.

        Args:
            given: The items that the caller handed over.
            params: The turn's parameters.
            seat: Where it will be sent.
            whole: True if ``given`` is the full history, False if only what is new.
            warm_up: True if the model is not to run; then nothing need be new.
        """
        kept = self._common_length(given) if whole else len(self.items)
        added = given[kept:] if whole else given
        miss = None
        if self.items or self.head:
            miss = self._miss(kept, added, params, seat, idle=warm_up)
        if self.head is not None and miss is None:
            return Composed(self.head.response_id, added, None, kept, added)
        everything = given if whole else [*self.items, *given]
        return Composed(None, everything, miss, kept, added)

    def _common_length(self, given: Sequence[HistoryItem]) -> int:
        for index, (mine, theirs) in enumerate(zip(self.items, given, strict=False)):
            if not mine.same(theirs):
                return index
        return min(len(self.items), len(given))

    def _miss(
        self,
        kept: int,
        added: Sequence[HistoryItem],
        params: Params,
        seat: Seat,
        *,
        idle: bool,
    ) -> ChainMiss | None:
        """Return the first reason why the head cannot be used, or None."""
        head = self.head
        if kept < len(self.items):
            return ChainMiss("history_changed", index=kept)
        if head is None:
            return ChainMiss(self._why_no_head)
        assert head.length == kept  # head and items change together, in `completed`
        if not (added or head.warm_up or idle):
            return ChainMiss("nothing_new")
        if self._pending:
            answers = unanswered(added, self._pending)
            for call in self._pending:
                if call in answers:
                    return ChainMiss("unanswered_call", field=call[1])
        changed = params.difference(head.params)
        if changed is not None:
            return ChainMiss("parameters_changed", field=changed)
        if head.credential != seat.credential:
            return ChainMiss("credential_changed")
        return None if head.stored else _miss_without_store(head, seat)

    def completed(
        self, composed: Composed, output: Sequence[HistoryItem], head: Head | None
    ) -> None:
        """Take a finished turn into the history; only ``response.completed`` brings a head."""
        del self.items[composed.kept :]
        self.items += composed.added
        self.items += output
        pending = self._pending if composed.miss is None else ()
        before = self.items if composed.miss is not None else (*composed.added, *output)
        self._pending = unanswered(before, pending)
        self._set_head(replace(head, length=len(self.items)) if head else None)
        self._why_no_head = "previous_failed"

    def _set_head(self, head: Head | None) -> None:
        if self.head is not None:
            self.head.chains.discard(self)
        self.head = head
        if head is not None:
            head.chains.add(self)

    @property
    def is_awaited(self) -> bool:
        """True while another chain may continue the same response and has not begun to."""
        others = self.head.chains if self.head is not None else ()
        return any(other is not self and not other.turn_written for other in others)

    def clear(self, why: MissReason) -> None:
        """Forget the head: the next turn sends everything."""
        self._set_head(None)
        self._why_no_head = why


def _miss_without_store(head: Head, seat: Seat) -> ChainMiss | None:
    """Say why a response that only its socket holds cannot be found from a seat."""
    if seat.connection is None:
        return ChainMiss("not_stored")
    if head.connection not in seat.open_sockets:
        return ChainMiss("connection_lost")
    if head.connection != seat.connection or seat.cached != head.response_id:
        return ChainMiss("lane_taken")
    return None
