"""Everything that a pool knows, and the small moves that keep it consistent.

The modules beside this one decide; what they decide ends up here as actions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from turnwire.core.actions import Action, Close, ConnectionId, TurnId
from turnwire.core.connection import ConnectionSignal, ConnectionState
from turnwire.core.pool_turn import PoolConnection, PoolTurn
from turnwire.core.sse import SSEDecoder
from turnwire.core.statistics import PoolStatistics

if TYPE_CHECKING:
    from turnwire.core.lane import Lane
    from turnwire.core.settings import PoolSettings


@dataclass(slots=True)
class PoolState:
    """The connections, the turns and the queue.

    Attributes:
        lanes_work: Whether the server has lanes; None while nobody knows.
        exchanges: HTTP exchanges: each carries one turn.
        waiting: Turns without a lane that could run now, in the order in which they could.
        to_write: Turns that need no place: over HTTP, or written again where they are.
        changed: True if planning may now find something to do.
        due: No deadline comes before this; None if there is none.
    """

    settings: PoolSettings
    lanes_work: bool | None = None
    sockets: dict[ConnectionId, PoolConnection] = field(
        default_factory=dict[ConnectionId, PoolConnection]
    )
    exchanges: dict[ConnectionId, tuple[PoolTurn, SSEDecoder]] = field(
        default_factory=dict[ConnectionId, tuple[PoolTurn, SSEDecoder]]
    )
    turns: dict[TurnId, PoolTurn] = field(default_factory=dict[TurnId, PoolTurn])
    waiting: dict[TurnId, PoolTurn] = field(default_factory=dict[TurnId, PoolTurn])
    to_write: list[PoolTurn] = field(default_factory=list[PoolTurn])
    queued_bytes: int = 0
    no_dial_before: float = 0.0
    closed: bool = False
    changed: bool = False
    due: float | None = None
    numbers: int = 0
    actions: list[Action] = field(default_factory=list[Action])
    counts: PoolStatistics = field(default_factory=PoolStatistics)

    def next_number(self) -> int:
        """Return a number that no turn and no connection of this pool has had."""
        self.numbers += 1
        return self.numbers

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
        if chain is not None and chain.turn is not None:
            chain.behind.append(turn.id)
            self.queued_bytes += turn.size_bytes
        else:
            self._begin_to_wait(turn)

    def _begin_to_wait(self, turn: PoolTurn) -> None:
        if turn.request.chain is not None:
            turn.request.chain.turn = turn.id
        if turn.request.transport == "http":
            self.to_write.append(turn)
        else:
            self.waiting[turn.id] = turn
            self.queued_bytes += turn.size_bytes
        queue = turn.request.deadlines.queue
        self.note_deadline(None if queue is None else turn.queued_at + queue)
        self.changed = True

    def dequeue(self, turn: PoolTurn) -> None:
        """Take a turn out of the queue, if it is in it."""
        chain = turn.request.chain
        if self.waiting.pop(turn.id, None) is not None:
            self.queued_bytes -= turn.size_bytes
        elif chain is not None and turn.id in chain.behind:
            chain.behind.remove(turn.id)
            self.queued_bytes -= turn.size_bytes

    def leave(self, turn: PoolTurn, now: float) -> None:
        """Forget a turn that has ended, wherever it was; the next one of its chain may go."""
        del self.turns[turn.id]
        self.dequeue(turn)
        turn.release_source()
        chain = turn.request.chain
        if chain is not None and chain.turn == turn.id:
            chain.turn, chain.turn_written = None, False
            if chain.behind:
                following = self.turns[chain.behind.popleft()]
                self.queued_bytes -= following.size_bytes
                following.queued_at = now  # it could not have run before
                self._begin_to_wait(following)
        self.changed = True

    def wait_again(self, turn: PoolTurn, now: float) -> None:
        """Put a turn that was refused unread in front of the queue."""
        turn.connection = turn.lane = None
        if turn.request.chain is not None:
            turn.request.chain.turn_written = False
        turn.queued_at = now
        queue = turn.request.deadlines.queue
        self.note_deadline(None if queue is None else now + queue)
        self.waiting = {turn.id: turn, **self.waiting}
        self.queued_bytes += turn.size_bytes
        self.changed = True

    def forget(self, socket: PoolConnection, signal: ConnectionSignal) -> None:
        """A socket is no more."""
        socket.signal(signal)
        del self.sockets[socket.id]
        self.changed = True

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
