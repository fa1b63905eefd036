"""The pool: turns in, events out; it survives its sockets.

Inputs are past participles, outputs are imperatives, time is an argument.  Call a verb, then do
what ``actions()`` returns, in order; call ``tick`` when ``deadline()`` has come.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from turnwire.core import endings, timing
from turnwire.core.actions import Action, Close, Deliver
from turnwire.core.connection import ConnectionSignal, ConnectionState
from turnwire.core.failure import (
    LIMIT_REACHED,
    CloseInfo,
    Failure,
    FailureKind,
    failure_of_event,
    failure_of_json,
)
from turnwire.core.lane import Lane, LaneState
from turnwire.core.placing import settle
from turnwire.core.pool_turn import PoolConnection, PoolTurn
from turnwire.core.settings import PoolSettings
from turnwire.core.signals import signal_of
from turnwire.core.snapshot import DELTAS
from turnwire.core.sse import MessageTooLong
from turnwire.core.state import PoolState
from turnwire.core.turn import TERMINAL_SIGNALS, TurnSignal, TurnState
from turnwire.events import (
    Event,
    MalformedMessage,
    ResponseErrorEvent,
    ResponseInProgressEvent,
    decode_event,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from turnwire.core.actions import ConnectionId, TurnId
    from turnwire.core.request import TurnRequest
    from turnwire.core.statistics import PoolStatistics

# Bound once: looking up an enum's member costs as much as the rest of the comparison.
_BUSY, _OUTPUT = LaneState.BUSY, TurnState.OUTPUT

_CLOSED = Failure(FailureKind.CLOSED, "the client was closed")


class Pool:
    """The connections and the queue.

    Args:
        settings: Limits and deadlines.
    """

    def __init__(self, settings: PoolSettings | None = None) -> None:
        self.settings = settings or PoolSettings()
        self._state = PoolState(self.settings, self.settings.lanes)

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

    def overflowed(self, number: TurnId, limit_bytes: int, now: float) -> None:
        """The caller does not read the turn's events, and their buffer is full."""
        turn = self._state.turns.get(number)
        if turn is not None:
            message = (
                f"{limit_bytes} bytes of the turn's events were not read;"
                " read them faster, or raise `buffer_bytes`"
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
        socket = self._state.sockets.get(connection)
        if socket is not None:
            socket.signal(ConnectionSignal.OPENED)
            socket.credential, socket.dial_until = credential, None
            self._state.changed = True
            self._settle(now)

    def refused(
        self,
        connection: ConnectionId,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        now: float,
    ) -> None:
        """The server answered a dial or a POST with something else than was asked for."""
        state = self._state
        said = failure_of_json(body, "no reason given", status=status, headers=headers)
        exchange = state.exchanges.pop(connection, None)
        socket = state.sockets.get(connection)
        if exchange is not None:
            endings.server_failed(state, exchange[0], replace(said, body=body), None, now)
        elif socket is not None:
            message = f"the server refused the WebSocket upgrade with HTTP {status}: {said.message}"
            refusal = Failure(
                FailureKind.REFUSED,
                message,
                code=said.code,
                status=status,
                type=said.type,
                headers=headers,
                body=body,
            )
            state.forget(socket, ConnectionSignal.LOST)
            timing.dial_failed(state, refusal, now)
        self._settle(now)

    def lost(self, connection: ConnectionId, close: CloseInfo, now: float) -> None:
        """A socket or an HTTP stream ended, whoever ended it and whatever the code."""
        state = self._state
        exchange = state.exchanges.pop(connection, None)
        socket = state.sockets.get(connection)
        if exchange is not None and not close.reached:
            exchange[0].model_runs -= not exchange[0].request.warm_up
            endings.fail(state, exchange[0], _unreachable(close), now)
            exchange[0].delivery = TurnState.QUEUED.value  # nothing of it was sent
        elif exchange is not None:
            endings.fail(state, exchange[0], _lost("the HTTP stream ended", close), now)
        elif socket is not None and socket.state is ConnectionState.CONNECTING:
            state.forget(socket, ConnectionSignal.LOST)
            timing.dial_failed(state, _unreachable(close), now)
        elif socket is not None:
            closed = f"the socket closed with code {close.code}"
            endings.drop(state, socket, _lost(closed, close), now)
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
            self._received_http(connection, data, now)
            return
        try:
            event = decode_event(data)
        except MalformedMessage as error:
            self.malformed(connection, str(error), now)
            return
        lane = socket.lanes.by_name.get(event.stream_id)
        turn = lane.turn if lane is not None else None
        if lane is None or turn is None:
            self._unrouted(socket, event, now)
        elif lane.state is not _BUSY:
            endings.drained(state, socket, lane, turn, event)
        elif turn.state is _OUTPUT and type(event) in DELTAS:
            # By far the most common event: nothing changes, so nothing needs to be planned.
            if event.sequence_number is not None:
                turn.last_sequence_number = event.sequence_number
            turn.snapshot.add_delta(event)  # type: ignore[arg-type]  # DELTAS are the classes of Delta
            state.actions.append(Deliver(turn.id, event))
            return
        else:
            self._event(turn, event, now)
        self._settle(now)

    def tick(self, now: float) -> None:
        """Time has passed: end what took too long."""
        timing.expire(self._state, now)
        self._settle(now)

    # Inside.

    def _settle(self, now: float) -> None:
        settle(self._state, now)

    def _received_http(self, connection: ConnectionId, data: bytes, now: float) -> None:
        exchange = self._state.exchanges.get(connection)
        if exchange is None:
            return
        turn, decoder = exchange
        try:
            for message in decoder.feed(data):
                self._event(turn, decode_event(message), now)
                if connection not in self._state.exchanges:
                    break  # that was its terminal event, or it is written again elsewhere
        except (MalformedMessage, MessageTooLong) as error:
            failure = Failure(FailureKind.PROTOCOL, f"the server broke the protocol: {error}")
            endings.fail(self._state, turn, failure, now)
        self._settle(now)

    def _event(self, turn: PoolTurn, event: Event, now: float) -> None:
        """An event of a turn that somebody waits for."""
        state = self._state
        if event.sequence_number is not None:
            turn.last_sequence_number = event.sequence_number
        if not _is_its_own(turn, event):
            message = "the server sent another response's event on this turn's lane"
            endings.fail(state, turn, Failure(FailureKind.PROTOCOL, message), now)
            if turn.connection is not None:
                state.retire(turn.connection)
            return
        signal = signal_of(event)
        if signal is None:
            state.actions.append(Deliver(turn.id, event))
            return
        if signal is TurnSignal.FAIL:
            self._failed(turn, event, now)
            return
        lane = turn.lane
        if state.lanes_work is None and lane is not None and lane.name is not None:
            state.know_lanes(work=True)  # the event was found by the name that it echoes
        if signal in TERMINAL_SIGNALS:
            endings.completed(state, turn, signal, event, now)
            return
        if isinstance(event, ResponseInProgressEvent):
            turn.release_source()  # a fork has bound its parent: docs/protocol/continuation.md#fork
            state.changed = True
        turn.signal(signal)
        turn.snapshot.add(event)
        state.actions.append(Deliver(turn.id, event))

    def _failed(self, turn: PoolTurn, event: Event, now: float) -> None:
        """The server says that the turn failed, or, on the default lane, that the socket ends."""
        failure, lane = failure_of_event(event), turn.lane
        aged = lane is not None and endings.is_about_the_socket(lane, failure)
        if aged and turn.connection is not None and turn.state is not TurnState.WRITING:
            # It names no lane and this turn runs: about the socket, and running turns may finish
            # (docs/protocol/lanes.md#errors-without-a-lane).
            self._state.retire(turn.connection)
            return
        endings.server_failed(self._state, turn, failure, event, now)

    def _unrouted(self, socket: PoolConnection, event: Event, now: float) -> None:
        """An event that names no lane with a turn on it: the socket's own, or nobody's."""
        state = self._state
        failure = failure_of_event(event) if event.type == "error" else None
        # `keepalive` and the like are about no turn, so they say nothing about its lane.
        telling = failure is not None or event.type.startswith("response.")
        probe = _probe(socket) if event.stream_id is None and telling else None
        if probe is not None and probe.turn is not None:
            if failure is None:
                # The server ignored the name of the only turn here: it has no lanes.
                state.know_lanes(work=False)
                socket.lanes.adopt_as_default(probe)
            if probe.turn.id in state.turns:
                self._event(probe.turn, event, now)
            else:
                endings.drained(state, socket, probe, probe.turn, event)
            return
        state.counts.unrouted_events += 1
        if failure is not None and failure.code == LIMIT_REACHED:
            state.retire(socket)
        elif isinstance(event, ResponseErrorEvent) and failure is not None:
            # Nobody's error is everybody's: docs/protocol/lanes.md#errors-without-a-lane
            message = f"the socket carried an error that names no lane: {failure.message}"
            lost = replace(failure, kind=FailureKind.LOST, message=message)
            state.actions.append(Close(socket.id))
            endings.drop(state, socket, lost, now)


def _is_its_own(turn: PoolTurn, event: Event) -> bool:
    """Adopt the response's id; a second id on the lane would be another turn's answer."""
    response = getattr(event, "response", None)
    response_id: str | None = response.id if response is not None else None
    if response_id and turn.response_id is None:
        turn.response_id = response_id
    return not response_id or response_id == turn.response_id


def _probe(socket: PoolConnection) -> Lane[PoolTurn] | None:
    """Return the lane of the only turn on a socket whose server may not know lanes.

    Several sockets may probe at once, so it may still be there when another's answer is known.
    """
    if socket.lanes_work is True:
        return None
    return next((lane for lane in socket.lanes if lane.turn is not None), None)


def _unreachable(close: CloseInfo) -> Failure:
    message = f"the server could not be reached: {close.reason or 'no reason given'}"
    return Failure(FailureKind.DIAL_TIMEOUT if close.timed_out else FailureKind.DIAL, message)


def _lost(what: str, close: CloseInfo) -> Failure:
    reason = f" ({close.reason})" if close.reason else ""
    return Failure(
        FailureKind.LOST,
        f"{what} before the turn's terminal event{reason}",
        close_code=close.code,
        close_reason=close.reason,
    )
