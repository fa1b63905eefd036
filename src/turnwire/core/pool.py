"""The pool: turns in, events out; it survives its sockets.

Inputs are past participles, outputs are imperatives, time is an argument.  Call a verb, then do
what ``actions()`` returns, in order; call ``tick`` when ``deadline()`` has come.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Final

from turnwire.core import endings, exchanging, liveness, rotation, steering, timing
from turnwire.core.actions import Action, Close, Deliver
from turnwire.core.arriving import event_of_nobody, event_of_turn
from turnwire.core.breaker import Breaker
from turnwire.core.connection import ConnectionSignal, ConnectionState
from turnwire.core.dialing import dial_failed
from turnwire.core.draining import drained
from turnwire.core.failure import CloseInfo, Failure, FailureKind, failure_of_json
from turnwire.core.lane import LaneState
from turnwire.core.placing import settle, written
from turnwire.core.pool_turn import PoolTurn
from turnwire.core.settings import PoolSettings
from turnwire.core.snapshot import DELTAS
from turnwire.core.state import PoolState
from turnwire.core.turn import TurnState
from turnwire.events import STEERS, MalformedMessage, decode_event

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from turnwire.core.actions import ConnectionId, TurnId
    from turnwire.core.breaker import Health
    from turnwire.core.history import HistoryItem
    from turnwire.core.request import TurnRequest
    from turnwire.core.statistics import PoolStatistics
    from turnwire.core.steer import Steer

# Bound once: looking up an enum's member costs as much as the rest of the comparison.
_BUSY, _OUTPUT = LaneState.BUSY, TurnState.OUTPUT

_CLOSED: Final = Failure(FailureKind.CLOSED, "the client was closed")


class Pool:
    """The connections and the queue.

    Args:
        settings: Limits and deadlines.
        numbers: Where numbers of connections and turns come from, if several pools share chains.
        chance: Returns a number between 0 and 1, drawn anew each time; jitter is made of it.
    """

    def __init__(
        self,
        settings: PoolSettings | None = None,
        *,
        numbers: Iterator[int] | None = None,
        chance: Callable[[], float] = lambda: 0.5,
    ) -> None:
        self.settings = settings or PoolSettings()
        self._state = PoolState(
            self.settings,
            numbers or count(1),
            chance,
            Breaker(self.settings.breaker),
            self.settings.lanes,
            message_bytes=self.settings.message_bytes,
            named_limit=self.settings.named_limit,
        )

    # What the shell reads.

    def actions(self) -> list[Action]:
        """Return what is to be done since the last call, in order."""
        state = self._state
        drained, state.actions = state.actions, []
        return drained

    def deadline(self) -> float | None:
        """Return when to call ``tick`` if nothing happens sooner."""
        state = self._state
        return state.due if state.turns or state.sockets else None

    def expects(self, connection: ConnectionId) -> bool:
        """Say whether bytes of an HTTP exchange are still wanted."""
        return connection in self._state.exchanges

    def health(self, now: float) -> Health:
        """Say whether `auto` turns use WebSocket mode now, and why not."""
        return self._state.breaker.health(now)

    def statistics(self) -> PoolStatistics:
        """Return a copy of the counters, with what is true now."""
        state = self._state
        return state.counts.snapshot(
            sockets=len(state.sockets),
            active=sum(socket.lanes.active for socket in state.sockets.values())
            + len(state.exchanges),
            waiting=len(state.waiting),
            queued_bytes=state.queued_bytes,
        )

    # What the caller did.

    def submit(self, request: TurnRequest, now: float) -> PoolTurn | None:
        """Take a turn; None if the queue is full and the turn was not taken."""
        state, size_bytes = self._state, request.size_bytes
        if state.queued_bytes and state.queued_bytes + size_bytes > self.settings.queue_bytes:
            return None
        turn = PoolTurn(state.next_number(), request, size_bytes, now, now)
        state.turns[turn.id] = turn
        state.counts.turns += 1
        state.enqueue(turn)
        whole = request.deadlines.turn
        state.note_deadline(None if whole is None else now + whole)
        if state.closed:
            endings.fail(state, turn, _CLOSED, now)
        self._settle(now)
        return turn

    def cancel(self, number: TurnId, now: float) -> None:
        """Drop a turn; its lane is not used again until it is clean."""
        turn = self._state.turns.get(number)
        if turn is not None:
            endings.cancel(self._state, turn, now)
            self._settle(now)

    def steer(self, turn: PoolTurn, items: Sequence[HistoryItem], now: float) -> Steer | None:
        """Say something to a turn; None if the queue is full and nothing was taken."""
        said = steering.steer(self._state, turn, items)
        self._settle(now)
        return said

    def overflowed(
        self, number: TurnId, limit_bytes: int, now: float, *, option: str = "buffer_bytes"
    ) -> None:
        """The caller does not read the turn's events, and their buffer is full."""
        turn = self._state.turns.get(number)
        if turn is not None:
            whose = "the turn's" if option == "buffer_bytes" else "all turns'"
            message = (
                f"{limit_bytes} bytes of {whose} events were not read;"
                f" read them faster, or raise `{option}`"
            )
            failure = Failure(FailureKind.SLOW_CONSUMER, message, limit_bytes=limit_bytes)
            endings.fail(self._state, turn, failure, now)
            self._settle(now)

    def drain(self, now: float) -> None:
        """Take no new turns; close each socket when its turns have ended."""
        state = self._state
        state.closed = True
        for turn in list(state.turns.values()):
            if turn.state is TurnState.QUEUED:  # for a lane, or behind its chain
                endings.fail(state, turn, _CLOSED, now)
        for socket in list(state.sockets.values()):
            state.retire(socket)
        self._settle(now)

    def close(self, now: float) -> None:
        """End everything at once: after this nothing is left."""
        state = self._state
        state.closed = True
        for turn in list(state.turns.values()):
            endings.fail(state, turn, _CLOSED, now)
        for socket in list(state.sockets.values()):
            state.hang_up(socket, ConnectionSignal.CLOSE)
        self._settle(now)

    # What the sockets and the HTTP exchanges did.

    def dialed(self, connection: ConnectionId, now: float, *, credential: str = "") -> None:
        """A socket is open."""
        state = self._state
        socket = state.sockets.get(connection)
        if socket is not None:
            socket.signal(ConnectionSignal.OPENED)
            socket.credential, socket.dial_until, socket.heard_at = credential, None, now
            state.log(state.breaker.seen(credential))
            state.failed_dials, state.key_refreshed = 0, False
            rotation.opened(state, socket, now)
            state.note_deadline(liveness.deadline(state, socket))
            state.changed = True
            self._settle(now)

    def written(self, connection: ConnectionId, number: TurnId, now: float) -> None:
        """A message was written: all of it is on its way."""
        state = self._state
        socket, turn = state.sockets.get(connection), state.turns.get(number)
        if socket is not None:
            socket.writing -= 1
            state.note_deadline(liveness.deadline(state, socket))
        if turn is not None and turn.state is TurnState.WRITING and turn.place == connection:
            written(state, turn, now)

    def ponged(self, connection: ConnectionId, now: float) -> None:
        """A pong came."""
        socket = self._state.sockets.get(connection)
        if socket is not None:
            liveness.ponged(self._state, socket, now)
            self._settle(now)

    def note_http(self, *, reached: bool) -> None:
        """A turn that was handed over went over HTTP: that says whether sockets are to blame."""
        breaker = self._state.breaker
        if reached:
            breaker.reached()
        else:
            self._state.log(breaker.unreachable())

    def woke(self, slept: float, now: float) -> None:
        """The machine slept for so many seconds: what is open has to show that it lives."""
        liveness.woke(self._state, slept, now)
        self._settle(now)

    def signed_in(self, connection: ConnectionId, now: float, *, credential: str = "") -> None:
        """The key for an HTTP exchange is there: say what is to be asked."""
        state = self._state
        exchange = state.exchanges.get(connection)
        if exchange is not None:
            exchanging.signed_in(state, connection, exchange, credential, now)
            self._settle(now)

    def refused(
        self,
        connection: ConnectionId,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        now: float,
    ) -> None:
        """The server answered a dial, a POST or a GET with something else than was asked for."""
        state = self._state
        exchange = state.exchanges.get(connection)
        socket = state.sockets.get(connection)
        if exchange is not None:
            exchanging.refused(state, connection, exchange, (status, headers, body), now)
        elif socket is not None:
            said = failure_of_json(body, "no reason given", status=status, headers=headers)
            message = f"the server refused the WebSocket upgrade with HTTP {status}: {said.message}"
            refusal = replace(said, kind=FailureKind.REFUSED, message=message, body=body)
            state.forget(socket, ConnectionSignal.LOST)
            dial_failed(state, socket, refusal, now)
        self._settle(now)

    def fetched(self, connection: ConnectionId, body: bytes, now: float) -> None:
        """A stored response came in one piece."""
        state = self._state
        exchange = state.exchanges.get(connection)
        if exchange is not None:
            exchanging.fetched(state, connection, exchange, body, now)
            self._settle(now)

    def lost(
        self,
        connection: ConnectionId,
        close: CloseInfo,
        now: float,
        unwritten: Collection[TurnId] = (),
    ) -> None:
        """A socket or an HTTP stream ended, whoever ended it and whatever the code.

        Args:
            connection: Which one.
            close: How it ended.
            now: The time.
            unwritten: Turns of which not a single byte was written.
        """
        state = self._state
        exchange = state.exchanges.get(connection)
        socket = state.sockets.get(connection)
        if exchange is not None:
            exchanging.ended(state, exchange, close, now)
        elif socket is not None and socket.state is ConnectionState.CONNECTING:
            state.forget(socket, ConnectionSignal.LOST)
            dial_failed(state, socket, exchanging.unreachable_failure(close), now)
        elif socket is not None:
            closed = f"the socket closed with code {close.code}"
            endings.drop(state, socket, exchanging.lost_failure(closed, close), now, unwritten)
        self._settle(now)

    def malformed(self, connection: ConnectionId, what: str, now: float) -> None:
        """A socket carried what is no event: nothing on it can be trusted any more."""
        socket = self._state.sockets.get(connection)
        if socket is not None:
            failure = Failure(FailureKind.PROTOCOL, f"the server broke the protocol: {what}")
            self._state.actions.append(Close(socket.id, 1002))
            endings.drop(self._state, socket, failure, now)
            self._settle(now)

    def received(self, connection: ConnectionId, data: bytes, now: float) -> None:
        """A message came from a socket, or bytes of an HTTP stream."""
        state = self._state
        socket = state.sockets.get(connection)
        if socket is None:
            exchange = state.exchanges.get(connection)
            if exchange is not None:
                exchanging.received(state, connection, exchange, data, now)
                self._settle(now)
            return
        socket.heard_at, socket.doubted = now, False
        try:
            event = decode_event(data)
        except MalformedMessage as error:
            self.malformed(connection, str(error), now)
            return
        lane = socket.lanes.by_name.get(event.stream_id)
        turn = lane.turn if lane is not None else None
        if (
            lane is not None
            and turn is not None
            and lane.state is _BUSY
            and turn.state is _OUTPUT
            and type(event) in DELTAS
        ):
            # By far the most common event: nothing changes, so nothing needs to be planned.
            if event.sequence_number is not None:
                turn.last_sequence_number = event.sequence_number
            turn.snapshot.add_delta(event)  # type: ignore[arg-type]  # DELTAS are the classes of Delta
            state.actions.append(Deliver(turn.id, event))
            return
        if type(event) in STEERS:
            steering.answered(state, socket, event, now)  # type: ignore[arg-type]  # the same classes
        elif lane is None or turn is None:
            event_of_nobody(state, socket, event, now)
        elif lane.state is not _BUSY:
            drained(state, socket, lane, event, now)
        else:
            event_of_turn(state, turn, event, now)
        self._settle(now)

    def tick(self, now: float) -> None:
        """Time has passed: end what took too long."""
        timing.expire(self._state, now)
        self._settle(now)

    def _settle(self, now: float) -> None:
        settle(self._state, now)
