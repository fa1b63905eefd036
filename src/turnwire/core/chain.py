"""A chain: turns linked by ``previous_response_id``, and the proof that a link still holds.

Only new items are sent when it is *proven* that the server already has the rest.  A miss costs
bytes, never correctness, and says why.  Sources: docs/protocol/continuation.md.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal
from weakref import WeakSet

from turnwire.core.answers import NoStub, with_stubs, without_unanswered
from turnwire.core.history import Call, HistoryItem
from turnwire.core.history import unanswered as open_calls
from turnwire.core.statistics import ChainStatistics

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from turnwire.core.answers import Unanswered
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
    "rotated",  # the same, because of its age
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
        warm_up: True if the model has not run yet, so that no new item is needed.
        chains: Those that may continue it: one, and its forks.
    """

    response_id: str
    connection: int | None
    lane: LaneName
    credential: str
    stored: bool
    params: Params
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
        rotated: Generations of those that were replaced because of their age.
        spoilt: The response that must not be continued from there, or None.
        waiting: What the server itself puts before the input of a turn that continues the head.
    """

    connection: int | None
    lane: LaneName
    credential: str
    cached: str | None
    open_sockets: Container[object] = ()
    rotated: Container[object] = ()
    spoilt: str | None = None
    waiting: Sequence[HistoryItem] = ()


@dataclass(frozen=True, slots=True)
class Composed:
    """What to send, and what the history becomes if the turn completes.

    Attributes:
        previous_response_id: The link, or None if everything is sent.
        items: The items to send.
        miss: Why everything is sent, if there was a history to leave out.
        kept: How many items of the chain's history stay.
        added: The items that come after those.
        saved_bytes: What is left out because the server has it.
    """

    previous_response_id: str | None
    items: Sequence[HistoryItem]
    miss: ChainMiss | None
    kept: int
    added: Sequence[HistoryItem]
    saved_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Unanswerable:
    """Tool calls without an output that forbid to send anything.

    Attributes:
        call_ids: Which calls.
    """

    call_ids: tuple[str, ...]


class Chain:
    """The whole logical history, and the head.

    Attributes:
        items: Input and output items of every completed turn, each encoded once.
        size_bytes: What those weigh.
        head: What the next turn may continue, or None.
        turn: The turn that runs or is next, by number; turns of a chain run one after the other.
        turn_written: True once that turn is on the wire.
        behind: The turns after that one, by number.
        why_no_head: Why there is none, if there is none.
        statistics: Counters of its turns.
    """

    __slots__ = (
        "__weakref__",
        "_pending",
        "behind",
        "head",
        "items",
        "size_bytes",
        "statistics",
        "turn",
        "turn_written",
        "why_no_head",
    )  # fmt: skip

    def __init__(self) -> None:
        self.items: list[HistoryItem] = []
        self.size_bytes = 0
        self.head: Head | None = None
        self.turn: int | None = None
        self.turn_written = False
        self.behind: deque[int] = deque()
        self.statistics = ChainStatistics()
        self._pending: list[Call] = []
        self.why_no_head: MissReason = "previous_failed"

    def fork(self) -> Chain:
        """Return a chain with the same past and head, and its own future."""
        other = Chain()
        other.items, other.size_bytes = self.items.copy(), self.size_bytes
        other._set_head(self.head)
        other._pending = self._pending.copy()
        other.why_no_head = self.why_no_head
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
        unanswered: Unanswered = "error",
    ) -> Composed | Unanswerable:
        """Decide what a turn must send from a seat.

        Args:
            given: The items that the caller handed over.
            params: The turn's parameters.
            seat: Where it will be sent.
            whole: True if ``given`` is the full history, False if only what is new.
            warm_up: True if the model is not to run; then nothing need be new.
            unanswered: What to do about tool calls that would be left without an output.
        """
        kept = self._common_length(given) if whole else len(self.items)
        added: Sequence[HistoryItem] = given[kept:] if whole else given
        before = self._pending if kept == len(self.items) else open_calls(self.items[:kept])
        missing = () if unanswered == "send" else open_calls(added, before)
        if missing and unanswered == "stub":
            try:
                answered = with_stubs([*self.items[:kept], *added])
            except NoStub as error:
                return Unanswerable(error.call_ids)
            return self.compose(answered, params, seat, whole=True, warm_up=warm_up)
        if missing and unanswered == "drop":
            rest = without_unanswered([*self.items[:kept], *added])
            composed = self.compose(rest, params, seat, whole=True, warm_up=warm_up)
            return _because_of(composed, missing[0])
        if missing:
            return Unanswerable(tuple(call_id or "" for _, call_id in missing))
        miss = None
        if self.items or self.head:
            miss = self._miss(kept, added, params, seat, idle=warm_up)
        if self.head is not None and miss is None:
            response_id, saved_bytes = self.head.response_id, self.size_bytes
            if whole and seat.waiting:
                added = without(added, seat.waiting)
            return Composed(response_id, added, None, kept, added, saved_bytes)
        return Composed(None, [*self.items[:kept], *added], miss, kept, added)

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
            return ChainMiss(self.why_no_head)
        if not (added or head.warm_up or idle):
            return ChainMiss("nothing_new")
        changed = params.difference(head.params)
        if changed is not None:
            return ChainMiss("parameters_changed", field=changed)
        if head.credential != seat.credential:
            return ChainMiss("credential_changed")
        if head.response_id == seat.spoilt:
            return ChainMiss("lane_taken")
        return None if head.stored else _miss_without_store(head, seat)

    def completed(
        self, composed: Composed, output: Sequence[HistoryItem], head: Head | None
    ) -> None:
        """Take a finished turn into the history; only ``response.completed`` brings a head."""
        for item in self.items[composed.kept :]:
            self.size_bytes -= len(item.encoded)
        del self.items[composed.kept :]
        self.items += composed.added
        self.items += output
        self.size_bytes += sum(len(item.encoded) for item in (*composed.added, *output))
        pending = self._pending if composed.miss is None else ()
        before = self.items if composed.miss is not None else (*composed.added, *output)
        self._pending = open_calls(before, pending)
        self._set_head(head)
        self.why_no_head = "previous_failed"

    def adopt(self, start: int, forms: Sequence[HistoryItem]) -> None:
        """Take the caller's own forms of all items from an index on, which mean the same.

        They are what is sent if everything must be sent again.
        """
        self.size_bytes -= sum(len(item.encoded) for item in self.items[start:])
        self.size_bytes += sum(len(item.encoded) for item in forms)
        self.items[start:] = forms

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

    def forget_turns(self) -> None:
        """Let the next turn run: those that ran or waited are nobody's any more."""
        self.turn, self.turn_written = None, False
        self.behind.clear()

    def clear(self, why: MissReason) -> None:
        """Forget the head: the next turn sends everything."""
        self._set_head(None)
        self.why_no_head = why


def without(items: Sequence[HistoryItem], others: Sequence[HistoryItem]) -> list[HistoryItem]:
    """Leave out each of some items once."""
    left = list(items)
    for other in others:
        same = next((index for index, item in enumerate(left) if item.same(other)), None)
        if same is not None:
            del left[same]
    return left


def _because_of(composed: Composed | Unanswerable, call: Call) -> Composed | Unanswerable:
    """Name the call that was left out as the reason why the history is another one."""
    if isinstance(composed, Unanswerable) or composed.miss is None:
        return composed
    if composed.miss.reason != "history_changed":
        return composed
    return replace(composed, miss=ChainMiss("unanswered_call", field=call[1]))


def _miss_without_store(head: Head, seat: Seat) -> ChainMiss | None:
    """Say why a response that only its socket holds cannot be found from a seat."""
    if seat.connection is None:
        return ChainMiss("not_stored")
    if head.connection in seat.rotated:
        return ChainMiss("rotated")
    if head.connection not in seat.open_sockets:
        return ChainMiss("connection_lost")
    if head.connection != seat.connection or seat.cached != head.response_id:
        return ChainMiss("lane_taken")
    return None
