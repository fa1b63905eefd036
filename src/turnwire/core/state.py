"""Everything that a pool knows, and the small moves that keep it consistent.

The modules beside this one decide; what they decide ends up here as actions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from turnwire.core.actions import Action, Close, ConnectionId, Log, Steered, TurnId
from turnwire.core.budget import Budget
from turnwire.core.connection import ConnectionSignal, ConnectionState
from turnwire.core.exchange import Exchange
from turnwire.core.failure import Failure, FailureKind
from turnwire.core.pool_turn import PoolConnection, PoolTurn
from turnwire.core.statistics import PoolStatistics
from turnwire.core.steer import ENDED, SteerId, SteerSignal, SteerState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from turnwire.core.breaker import Breaker
    from turnwire.core.lane import Lane
    from turnwire.core.settings import PoolSettings
    from turnwire.core.steer import Steer

_TOO_LATE: Final = "the turn ended before this could be said to it: say it in the next one"
_LOST: Final = "the connection ended before the server said what became of it"


@dataclass(slots=True)
class PoolState:
    """The connections, the turns and the queue.

    Attributes:
        lanes_work: Whether the server has lanes; None while nobody knows.
        exchanges: HTTP exchanges: each carries one turn.
        waiting: Turns without a lane that could run now, in the order in which they could.
        unrouted: Turns that have just begun to wait, and whose way is to be chosen.
        resting: Turns that the server was too busy for, and when to send them again.
        to_write: Turns that are written again where they are.
        steers: Those to which something may still happen.
        message_bytes: The largest message for a socket, as far as is known.
        named_limit: Distinct lane names of a socket, as far as is known.
        no_dial_before: When to dial again.
        failed_dials: Dials that failed since the last one that did not.
        key_refreshed: Whether another key was tried since the last dial that did not fail.
        rotated: Sockets that were replaced because of their age.
        changed: True if planning may now find something to do.
        due: No deadline comes before this; None if there is none.
    """

    settings: PoolSettings
    numbers: Iterator[int]
    chance: Callable[[], float]
    breaker: Breaker
    lanes_work: bool | None = None
    sockets: dict[ConnectionId, PoolConnection] = field(
        default_factory=dict[ConnectionId, PoolConnection]
    )
    exchanges: dict[ConnectionId, Exchange] = field(default_factory=dict[ConnectionId, Exchange])
    turns: dict[TurnId, PoolTurn] = field(default_factory=dict[TurnId, PoolTurn])
    waiting: dict[TurnId, PoolTurn] = field(default_factory=dict[TurnId, PoolTurn])
    unrouted: list[PoolTurn] = field(default_factory=list[PoolTurn])
    resting: dict[TurnId, float] = field(default_factory=dict[TurnId, float])
    to_write: list[PoolTurn] = field(default_factory=list[PoolTurn])
    steers: dict[SteerId, Steer] = field(default_factory=dict[SteerId, "Steer"])
    queued_bytes: int = 0
    message_bytes: int = 0
    named_limit: int = 0
    no_dial_before: float = 0.0
    failed_dials: int = 0
    key_refreshed: bool = False
    rotated: set[ConnectionId] = field(default_factory=set[ConnectionId])
    budget: Budget = field(default_factory=Budget)
    closed: bool = False
    changed: bool = False
    due: float | None = None
    actions: list[Action] = field(default_factory=list[Action])
    counts: PoolStatistics = field(default_factory=PoolStatistics)

    def next_number(self) -> int:
        """Return a number that no turn and no connection of this pool has had."""
        return next(self.numbers)

    def log(self, message: str | None) -> None:
        """Tell whoever watches, if there is something to tell."""
        if message is not None:
            self.actions.append(Log(message))

    def know_lanes(self, *, work: bool) -> None:
        """Note whether the server has lanes; true for every socket to it."""
        self.lanes_work = work
        for socket in self.sockets.values():
            socket.lanes_work = work
        self.changed = True

    def note_deadline(self, when: float | None) -> None:
        """Come back no later than this."""
        if when is not None and (self.due is None or when < self.due):
            self.due = when

    def enqueue(self, turn: PoolTurn) -> None:
        """Queue a turn; behind the earlier turns of its chain, if there are any."""
        chain = turn.request.chain
        self.queued_bytes += turn.size_bytes
        if chain is not None and chain.turn is not None:
            chain.behind.append(turn.id)
        else:
            self._begin_to_wait(turn)

    def _begin_to_wait(self, turn: PoolTurn) -> None:
        if turn.request.chain is not None:
            turn.request.chain.turn = turn.id
        self.waiting[turn.id] = turn
        self._look_at(turn)

    def _look_at(self, turn: PoolTurn) -> None:
        self.unrouted.append(turn)
        queue = turn.request.deadlines.queue
        self.note_deadline(None if queue is None else turn.queued_at + queue)
        self.changed = True

    def dequeue(self, turn: PoolTurn) -> None:
        """Take a turn out of the queue, if it is in it."""
        chain = turn.request.chain
        if (
            self.waiting.pop(turn.id, None) is not None
            or self.resting.pop(turn.id, None) is not None
        ):
            self.queued_bytes -= turn.size_bytes
        elif chain is not None and turn.id in chain.behind:
            chain.behind.remove(turn.id)
            self.queued_bytes -= turn.size_bytes

    def leave(self, turn: PoolTurn, now: float) -> None:
        """Forget a turn that has ended, wherever it was; the next one of its chain may go."""
        del self.turns[turn.id]
        self.dequeue(turn)
        turn.release_source()
        for steer in turn.steers:
            if steer.state is SteerState.WAITING:
                late = Failure(FailureKind.STEER, _TOO_LATE, code="response_not_active")
                self.move_steer(steer, SteerSignal.FAIL, late)
        chain = turn.request.chain
        if chain is not None and chain.turn == turn.id:
            chain.turn, chain.turn_written = None, False
            if chain.behind:
                following = self.turns[chain.behind.popleft()]
                following.queued_at = now  # it could not have run before
                self._begin_to_wait(following)
        self.changed = True

    def wait_again(self, turn: PoolTurn, now: float) -> None:
        """Put a turn that has to be written again in front of the queue."""
        turn.connection = turn.lane = None
        if turn.request.chain is not None:
            turn.request.chain.turn_written = False
        turn.queued_at = now
        if self.resting.pop(turn.id, None) is None and turn.id not in self.waiting:
            self.queued_bytes += turn.size_bytes
        self.waiting = {turn.id: turn, **self.waiting}
        self._look_at(turn)

    def rest(self, turn: PoolTurn, until: float) -> None:
        """Keep a turn back for a while."""
        turn.connection = turn.lane = None
        if turn.request.chain is not None:
            turn.request.chain.turn_written = False
        if self.waiting.pop(turn.id, None) is None:
            self.queued_bytes += turn.size_bytes
        self.resting[turn.id] = until
        self.note_deadline(until)

    def move_steer(self, steer: Steer, signal: SteerSignal, failure: Failure | None = None) -> None:
        """Something happened to a steer; whoever waits for it is told."""
        before = steer.state
        if before is SteerState.WAITING:
            self.queued_bytes -= steer.size_bytes
        steer.signal(signal)
        socket = None if steer.connection is None else self.sockets.get(steer.connection)
        if socket is not None:
            pending = SteerState.PENDING
            socket.pending_steers += (steer.state is pending) - (before is pending)
        steer.failure = failure
        ended = steer.state in ENDED
        if ended:
            del self.steers[steer.id]
        self.actions.append(Steered(steer.id, ended))

    def forget(self, socket: PoolConnection, signal: ConnectionSignal) -> None:
        """A socket is no more, and nobody will learn what became of the steers on it."""
        socket.signal(signal)
        del self.sockets[socket.id]
        self.changed = True
        for steer in [each for each in self.steers.values() if each.connection == socket.id]:
            self.move_steer(steer, SteerSignal.LOSE, Failure(FailureKind.STEER, _LOST))

    def hang_up(self, socket: PoolConnection, signal: ConnectionSignal, code: int = 1000) -> None:
        """Close a socket of ours."""
        self.actions.append(Close(socket.id, code))
        self.forget(socket, signal)

    def retire(self, socket: PoolConnection) -> None:
        """Put no new turns on a socket; close it when its turns have ended."""
        if socket.id not in self.sockets:
            return
        if socket.state is ConnectionState.CONNECTING:
            self.hang_up(socket, ConnectionSignal.DRAIN)
            return
        socket.signal(ConnectionSignal.DRAIN)
        self.changed = True
        self.close_if_drained(socket)

    def close_if_drained(self, socket: PoolConnection) -> None:
        """Close a retired socket once nobody waits for a turn on it."""
        if socket.state is ConnectionState.DRAINING and not any(
            lane.turn is not None and lane.turn.id in self.turns for lane in socket.lanes
        ):
            self.hang_up(socket, ConnectionSignal.EMPTIED)

    def end_lane(self, socket: PoolConnection, lane: Lane[PoolTurn]) -> None:
        """The terminal event of a lane's turn was seen: the lane is clean."""
        socket.lanes.end(lane)
        self.changed = True
        self.close_if_drained(socket)
