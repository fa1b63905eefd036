"""The server's half of one socket: messages in, turns to run and messages to send out.

Same lanes, same turn machine as the client's half.  Does not know what a model is, where stored
responses live, or what a socket is.  Sources: docs/protocol/lanes.md, docs/protocol/errors.md.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from turnwire.core.connection import Connection, ConnectionSignal, ConnectionState
from turnwire.core.lane import Lane, LaneName, Lanes
from turnwire.core.serving_actions import (
    Forget,
    HangUp,
    Interrupt,
    Place,
    Reply,
    ServingAction,
    Start,
    Stop,
)
from turnwire.core.serving_refusals import LANE_REFUSALS, error_event
from turnwire.core.serving_steers import ServedSteers
from turnwire.core.serving_turn import ServedTurn, Target
from turnwire.core.signals import SIGNAL_OF_TYPE
from turnwire.core.steer_input import can_be_steered
from turnwire.core.turn import TERMINAL_STATES, TurnSignal, TurnState
from turnwire.events import MalformedMessage, decode_envelope, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.core.served_steer import ServedSteer

__all__ = [
    "Forget",
    "HangUp",
    "Interrupt",
    "Place",
    "Reply",
    "Serving",
    "ServingAction",
    "Start",
    "Stop",
    "error_event",
]

Json = dict[str, Any]


class Serving:
    """The server's half of one socket.

    Feed it messages with ``received`` and what the model says with ``emit``; after each call do
    what ``actions`` returns, in order.

    Args:
        active_limit: Turns at once; more creates wait.
        named_limit: Distinct lane names.
        queue_bytes: How much may wait, of creates and of steers, before more are refused.
        new_steer_id: Returns an id that was never used; None refuses every steer.
        steers: Says of a create whether its model can be interrupted between two items now.

    Attributes:
        refused: Messages that were refused before they became turns, by error code.
    """

    def __init__(
        self,
        *,
        active_limit: int = 16,
        named_limit: int = 32,
        queue_bytes: int = 64 * 2**20,
        new_steer_id: Callable[[], str] | None = None,
        steers: Callable[[Json], bool] = can_be_steered,
    ) -> None:
        self._connection: Connection[ServedTurn] = Connection(
            0, ConnectionState.OPEN, Lanes(active_limit, named_limit)
        )
        self._queue_bytes = queue_bytes
        self._queued_bytes = 0
        self._turns: dict[int, ServedTurn] = {}
        self._numbers = 0
        self.refused: Counter[str] = Counter()
        self._actions: list[ServingAction] = []
        self._can_steer = steers
        self._steers = ServedSteers(
            self._connection, self._tell_aside, self._has_room, new_steer_id
        )

    def actions(self) -> list[ServingAction]:
        """Return what is to be done since the last call, in order."""
        drained, self._actions = self._actions, []
        return drained

    @property
    def active(self) -> int:
        """Turns that run now."""
        return self._connection.lanes.active

    @property
    def waiting(self) -> int:
        """Turns that wait for their lane or for one of the places."""
        return len(self._turns) - self.active

    @property
    def lanes(self) -> int:
        """Lanes that have been used, and the default one."""
        return len(self._connection.lanes.by_name)

    def place(self, number: int) -> Place:
        """Return where a turn is that has not ended."""
        turn = self._turns[number]
        return Place(list(self._connection.lanes.by_name).index(turn.lane.name), turn.received)

    def waiting_places(self) -> list[Place]:
        """Return where the turns are that wait, in order of arrival."""
        waiting = (turn for turn in self._turns.values() if turn.state is TurnState.QUEUED)
        return [self.place(turn.number) for turn in waiting]

    def received(self, data: bytes, now: float, *, text: bool = True) -> None:
        """Take one message from the client; every message gets an answer."""
        if not text:
            self._refuse("Send JSON as text messages; this was a binary message.", None)
            return
        try:
            kind = decode_envelope(data).type
        except MalformedMessage as error:
            self._refuse(f"Each message must be one JSON object with a `type`: {error}.", None)
            return
        try:
            event: Json = msgspec.json.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self._refuse(f"The message cannot be read as JSON: {error}.", None)
            return
        if kind == "response.create":
            self._created(event, len(data), now)
        elif kind == "response.steer":
            for turn in self._turns.values():
                self._see_whether_steered(turn)
            interrupted = self._steers.received(event, len(data))
            if interrupted is not None:
                self._actions.append(Interrupt(interrupted))
        elif kind != "response.processed":  # an acknowledgement; no reply is expected
            self._refuse(
                f"Unknown message type {kind[:64]!r}. Send `response.create`.", None, param="type"
            )

    def _created(self, event: Json, size_bytes: int, now: float) -> None:
        name: Any = event.get("stream_id")
        lanes = self._connection.lanes
        refusal = lanes.refusal(name) if isinstance(name, str | None) else "invalid_stream_id"
        if refusal is not None:
            # An invalid name is not echoed; the 33rd valid one is (docs/protocol/errors.md).
            echo = name if refusal == "websocket_stream_limit_reached" else None
            self._refuse(LANE_REFUSALS[refusal], echo, code=refusal, param="stream_id")
            return
        if not isinstance(event.get("previous_response_id"), str | None):
            self._refuse(
                "`previous_response_id` must be a string.", name, param="previous_response_id"
            )
            return
        if self._connection.state is not ConnectionState.OPEN:
            self._refuse(
                "This connection takes no more turns. Open another one.",
                name,
                code="websocket_connection_limit_reached",
            )
            return
        if not self._has_room(size_bytes):
            self._refuse(
                f"More than {self._queue_bytes} bytes of turns wait on this connection.",
                name,
                status=429,
                kind="rate_limit_error",
                code="websocket_queue_full",
            )
            return
        request = {
            key: value
            for key, value in event.items()
            if key not in ("type", "stream_id") and value is not None
        }
        turn = self._turn(lanes.open(name), request, size_bytes, now)
        self._queued_bytes += size_bytes
        lanes.enqueue(turn.lane, turn)
        self._start_ready(now)

    def _has_room(self, size_bytes: int) -> bool:
        return self._queued_bytes + self._steers.size_bytes + size_bytes <= self._queue_bytes

    def _turn(
        self, lane: Lane[ServedTurn], request: Json, size_bytes: int, now: float
    ) -> ServedTurn:
        self._numbers += 1
        turn = ServedTurn(lane, request, size_bytes, now, Target(self._numbers, lane.name))
        self._turns[turn.number] = turn
        return turn

    def _start_ready(self, now: float) -> None:
        for turn in self._connection.lanes.start_ready(now):
            self._queued_bytes -= turn.size_bytes
            self._steers.take_along(turn)
            self._start(turn)

    def _start(self, turn: ServedTurn) -> None:
        turn.signal(TurnSignal.WRITE)
        # A fork binds its parent when it starts, not when it was queued.
        parent = turn.parent
        cached = parent is not None and any(
            lane.latest == parent for lane in self._connection.lanes
        )
        self._actions.append(Start(turn.number, turn.request, cached))

    def _see_whether_steered(self, turn: ServedTurn) -> None:
        """Ask as late as can be: what a model is may be found out only while its turn runs."""
        turn.target.can_be_steered = can_be_steered(turn.request) and self._can_steer(turn.request)

    def emit(self, number: int, event: Json, now: float) -> None:
        """Send one event of a turn; its terminal event ends the turn.

        Adds ``sequence_number`` and the lane's ``stream_id``.  Events of a turn that ended or was
        stopped are refused by a KeyError: exactly one terminal event per create (R17).
        """
        turn = self._turns[number]
        kind: str = event["type"]
        signal = SIGNAL_OF_TYPE.get(kind, TurnSignal.PRODUCE)
        if signal is TurnSignal.PRODUCE and turn.state is TurnState.OUTPUT:
            self._tell(event, turn.target)  # nearly all of them: nothing changes
            return
        turn.signal(signal)
        never_began = turn.carried is not None and signal is TurnSignal.FAIL
        if not (turn.automatic and never_began):  # a client has never heard of what failed here
            self._tell(event, turn.target)
        response: Json = event.get("response") or {}
        if signal is TurnSignal.FAIL:
            self._steers.failed(turn, event)
        elif response or turn.carried is not None:
            self._steers.began(turn, response.get("id"))
        if turn.state in TERMINAL_STATES:
            self._end(turn, response, now)

    def _end(self, turn: ServedTurn, response: Json, now: float) -> None:
        del self._turns[turn.number]
        lane = turn.lane
        if turn.state is TurnState.FAILED:
            # A failed continuation evicts its parent, on its own lane only
            # (docs/protocol/continuation.md#eviction).
            if lane.latest is not None and lane.latest == turn.parent:
                self._remember(lane, None)
        else:
            self._remember(lane, response["id"])
        self._see_whether_steered(turn)
        successor = self._steers.ended(turn, response)
        if successor is None:
            self._connection.lanes.end_and_queue(lane)
            self._start_ready(now)
        else:
            self._succeed(turn, *successor, now)
        self._close_if_drained()

    def _succeed(
        self, turn: ServedTurn, request: Json, steers: list[ServedSteer], now: float
    ) -> None:
        """Start the automatic successor of a turn that was steered."""
        successor = self._turn(turn.lane, request, 0, now)
        successor.automatic, successor.carried = True, (turn.target, steers)
        # It has its predecessor's place: before the creates that wait for this lane or another.
        self._connection.lanes.end(turn.lane)
        self._connection.lanes.take(turn.lane, successor, now)
        self._start(successor)

    def _remember(self, lane: Lane[ServedTurn], response_id: str | None) -> None:
        old = lane.latest
        lane.remember(response_id)
        if old is not None and all(other.latest != old for other in self._connection.lanes):
            self._actions.append(Forget(old))
            self._steers.passed_by(old)

    def drain(self, now: float) -> None:  # noqa: ARG002  # every input takes the time
        """Take no new turns; close when the running ones have ended."""
        self._connection.signal(ConnectionSignal.DRAIN)
        self._close_if_drained()

    def _close_if_drained(self) -> None:
        if self._connection.state is not ConnectionState.DRAINING:
            return
        self._steers.drain()
        if not self._turns:
            self._connection.signal(ConnectionSignal.EMPTIED)
            self._actions.append(HangUp(1000, ""))

    def lost(self, now: float) -> None:  # noqa: ARG002  # every input takes the time
        """The socket closed: stop every model run."""
        if self._connection.state is not ConnectionState.CLOSED:
            self._connection.signal(ConnectionSignal.LOST)
        for turn in self._turns.values():
            if turn.state is not TurnState.QUEUED:
                self._actions.append(Stop(turn.number))
            turn.signal(TurnSignal.CANCEL)
        self._turns.clear()
        self._connection.lanes.clear()
        self._steers.clear()
        self._queued_bytes = 0

    def _refuse(
        self,
        message: str,
        lane: LaneName,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        self.refused[code or kind] += 1
        self._reply(error_event(message, status=status, kind=kind, code=code, param=param), lane)

    def _tell(self, event: Json, target: Target) -> None:
        self._reply(target.number(event), target.lane)

    def _tell_aside(self, event: Json, target: Target | None) -> None:
        """Send what is about a response, or about none that is known, and not of it."""
        if target is None:
            self._reply(event | {"sequence_number": 0}, None)
        else:
            turn = target.turn if target.ending is None else None
            self._reply(target.number(event), target.lane, turn)

    def _reply(self, event: Json, lane: LaneName, turn: int | None = None) -> None:
        if lane is not None:
            event = event | {"stream_id": lane}
        self._actions.append(Reply(encode(event), turn))
