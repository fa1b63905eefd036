"""Everything that a pool knows, and the small moves that keep it consistent.

The modules beside this one decide; what they decide ends up here as actions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from turnwire.core.actions import Action, Close, ConnectionId, TurnId
from turnwire.core.connection import Connection, ConnectionSignal, ConnectionState
from turnwire.core.pool_turn import PoolTurn
from turnwire.core.sse import SSEDecoder
from turnwire.core.statistics import PoolStatistics

if TYPE_CHECKING:
    from turnwire.core.lane import Lane
    from turnwire.core.settings import PoolSettings

Socket = Connection[PoolTurn]


@dataclass(slots=True)
class PoolState:
    """The connections, the turns and the queue.

    Attributes:
        lanes_work: Whether the server has lanes; None while nobody knows.
        exchanges: HTTP exchanges: each carries one turn.
        waiting: Turns without a lane, in order of arrival.
        rewrites: Turns to be written again at once, where they are.
        changed: True if planning may now find something to do.
    """

    settings: PoolSettings
    lanes_work: bool | None = None
    sockets: dict[ConnectionId, Socket] = field(default_factory=dict[ConnectionId, Socket])
    exchanges: dict[ConnectionId, tuple[PoolTurn, SSEDecoder]] = field(
        default_factory=dict[ConnectionId, tuple[PoolTurn, SSEDecoder]]
    )
    turns: dict[TurnId, PoolTurn] = field(default_factory=dict[TurnId, PoolTurn])
    waiting: dict[TurnId, PoolTurn] = field(default_factory=dict[TurnId, PoolTurn])
    rewrites: list[PoolTurn] = field(default_factory=list[PoolTurn])
    queued_bytes: int = 0
    no_dial_before: float = 0.0
    closed: bool = False
    changed: bool = False
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

    def dequeue(self, turn: PoolTurn) -> None:
        """Take a turn out of the queue, if it is in it."""
        if self.waiting.pop(turn.id, None) is not None:
            self.queued_bytes -= turn.size_bytes

    def leave(self, turn: PoolTurn, now: float) -> None:
        """Forget a turn that has ended, wherever it was."""
        del self.turns[turn.id]
        self.dequeue(turn)
        chain = turn.request.chain
        if chain is not None and chain.turn == turn.id:
            chain.turn = None
            for other in self.waiting.values():
                if other.request.chain is chain:
                    other.queued_at = now  # it could not have run before
        turn.unhold()
        self.changed = True

    def forget(self, socket: Socket, signal: ConnectionSignal) -> None:
        """A socket is no more."""
        socket.signal(signal)
        del self.sockets[socket.id]
        self.changed = True

    def hang_up(self, socket: Socket, signal: ConnectionSignal, code: int = 1000) -> None:
        """Close a socket of ours."""
        self.actions.append(Close(socket.id, code))
        self.forget(socket, signal)

    def retire(self, socket: Socket) -> None:
        """Put no new turns on a socket; close it when its turns have ended."""
        if socket.id not in self.sockets:
            return
        if socket.state is ConnectionState.CONNECTING:
            self.hang_up(socket, ConnectionSignal.DRAIN)
            return
        socket.signal(ConnectionSignal.DRAIN)
        self.changed = True
        self.close_if_drained(socket)

    def close_if_drained(self, socket: Socket) -> None:
        """Close a retired socket once nobody waits for a turn on it."""
        if socket.state is ConnectionState.DRAINING and not any(
            lane.turn is not None and lane.turn.id in self.turns for lane in socket.lanes
        ):
            self.hang_up(socket, ConnectionSignal.EMPTIED)

    def end_lane(self, socket: Socket, lane: Lane[PoolTurn]) -> None:
        """The terminal event of a lane's turn was seen: the lane is clean."""
        socket.lanes.end(lane)
        self.changed = True
        self.close_if_drained(socket)
