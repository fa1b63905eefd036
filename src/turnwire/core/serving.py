"""The server's half of one socket: messages in, turns to run and messages to send out.

Same lanes, same turn machine as the client's half.  Does not know what a model is, where stored
responses live, or what a socket is.  Sources: docs/protocol/lanes.md, docs/protocol/errors.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from turnwire.core.connection import Connection, ConnectionSignal, ConnectionState
from turnwire.core.lane import Lane, LaneName, LaneRefusal, Lanes
from turnwire.core.machine import advance
from turnwire.core.signals import SIGNAL_OF_TYPE
from turnwire.core.turn import TERMINAL_STATES, TRANSITIONS, TurnSignal, TurnState
from turnwire.events import MalformedMessage, decode_envelope, encode

Json = dict[str, Any]

_REFUSALS: Final[dict[LaneRefusal, str]] = {
    "invalid_stream_id": (
        "`stream_id` must be 1 to 256 characters of A-Z, a-z, 0-9, `_`, `-` and `.`; leave it out"
        " for the default lane."
    ),
    "websocket_stream_limit_reached": (
        "This connection has used all its lane names. Reuse one of them or open another connection."
    ),
}


@dataclass(frozen=True, slots=True)
class Start:
    """Run a turn.

    Attributes:
        turn: Its number on this socket.
        request: The ``response.create`` object, without ``type`` and ``stream_id``.
        parent_cached: True if this socket holds the response that it continues.
    """

    turn: int
    request: Json
    parent_cached: bool


@dataclass(frozen=True, slots=True)
class Stop:
    """Nobody wants this turn any more: stop its model run."""

    turn: int


@dataclass(frozen=True, slots=True)
class Reply:
    """Send this message."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Forget:
    """This socket no longer holds this response."""

    response_id: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """Close the socket."""

    code: int
    reason: str


ServingAction = Start | Stop | Reply | Forget | HangUp


@dataclass(slots=True)
class _ServedTurn:
    number: int
    lane: Lane[_ServedTurn]
    request: Json
    size_bytes: int
    state: TurnState = TurnState.QUEUED
    sequence_number: int = 0

    def signal(self, signal: TurnSignal) -> None:
        self.state = advance(TRANSITIONS, self.state, signal)

    @property
    def parent(self) -> str | None:
        return self.request.get("previous_response_id")

    @property
    def stored(self) -> bool:
        return self.request.get("store") is not False


def error_event(
    message: str,
    *,
    status: int = 400,
    kind: str = "invalid_request_error",
    code: str | None = None,
    param: str | None = None,
    headers: dict[str, str] | None = None,
) -> Json:
    """Build an ``error`` event in the one shape that every client understands.

    Nested, with ``status``, and without null members: interop rule R18,
    docs/protocol/errors.md#shape.
    """
    error: Json = {"type": kind, "message": message}
    if code is not None:
        error["code"] = code
    if param is not None:
        error["param"] = param
    event: Json = {"type": "error", "status": status, "error": error}
    if headers:
        event["headers"] = headers
    return event


class Serving:
    """The server's half of one socket.

    Feed it messages with ``received`` and what the model says with ``emit``; after each call do
    what ``actions`` returns, in order.

    Args:
        active_limit: Turns at once; more creates wait.
        named_limit: Distinct lane names.
        queue_bytes: How much may wait before new creates are refused with 429.
    """

    def __init__(
        self, *, active_limit: int = 16, named_limit: int = 32, queue_bytes: int = 64 * 2**20
    ) -> None:
        self._connection: Connection[_ServedTurn] = Connection(
            0, ConnectionState.OPEN, Lanes(active_limit, named_limit)
        )
        self._queue_bytes = queue_bytes
        self._queued_bytes = 0
        self._turns: dict[int, _ServedTurn] = {}
        self._numbers = 0
        self._actions: list[ServingAction] = []

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
            self._refuse_steer(event)
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
            self._refuse(_REFUSALS[refusal], echo, code=refusal, param="stream_id")
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
        if self._queued_bytes + size_bytes > self._queue_bytes:
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
        lane = lanes.open(name)
        self._numbers += 1
        turn = _ServedTurn(self._numbers, lane, request, size_bytes)
        self._turns[turn.number] = turn
        self._queued_bytes += size_bytes
        lanes.enqueue(lane, turn)
        self._start_ready(now)

    def _start_ready(self, now: float) -> None:
        for turn in self._connection.lanes.start_ready(now):
            self._queued_bytes -= turn.size_bytes
            turn.signal(TurnSignal.WRITE)
            # A fork binds its parent when it starts, not when it was queued.
            parent = turn.parent
            cached = parent is not None and any(
                lane.latest == parent for lane in self._connection.lanes
            )
            self._actions.append(Start(turn.number, turn.request, cached))

    def emit(self, number: int, event: Json, now: float) -> None:
        """Send one event of a turn; its terminal event ends the turn.

        Adds ``sequence_number`` and the lane's ``stream_id``.  Events of a turn that ended or was
        stopped are refused by a KeyError: exactly one terminal event per create (R17).
        """
        turn = self._turns[number]
        kind: str = event["type"]
        signal = SIGNAL_OF_TYPE.get(kind, TurnSignal.PRODUCE)
        turn.signal(signal)
        numbered = event | {"sequence_number": turn.sequence_number}
        turn.sequence_number += 1
        self._reply(numbered, turn.lane.name)
        if turn.state in TERMINAL_STATES:
            self._end(turn, event.get("response"), now)

    def _end(self, turn: _ServedTurn, response: Json | None, now: float) -> None:
        del self._turns[turn.number]
        lane = turn.lane
        if turn.state is TurnState.FAILED:
            # A failed continuation evicts its parent, on its own lane only
            # (docs/protocol/continuation.md#eviction).
            if lane.latest is not None and lane.latest == turn.parent:
                self._remember(lane, None)
        else:
            assert response is not None  # completed and incomplete always carry one
            self._remember(lane, response["id"])
        self._connection.lanes.end_and_queue(lane)
        self._start_ready(now)
        self._close_if_drained()

    def _remember(self, lane: Lane[_ServedTurn], response_id: str | None) -> None:
        old = lane.latest
        lane.remember(response_id)
        if old is not None and all(other.latest != old for other in self._connection.lanes):
            self._actions.append(Forget(old))

    def drain(self, now: float) -> None:  # noqa: ARG002  # every input takes the time
        """Take no new turns; close when the running ones have ended."""
        self._connection.signal(ConnectionSignal.DRAIN)
        self._close_if_drained()

    def _close_if_drained(self) -> None:
        if self._connection.state is ConnectionState.DRAINING and not self._turns:
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
        self._queued_bytes = 0

    def _refuse_steer(self, event: Json) -> None:
        target: Any = event.get("previous_response_id")
        self._reply(
            {
                "type": "response.steer.failed",
                "sequence_number": 0,
                "error": {
                    "type": "invalid_request_error",
                    "code": "steering_not_supported",
                    "message": "This server does not steer.",
                },
                "steer": {"previous_response_id": target, "input": event.get("input")},
            },
            None,
        )

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
        self._reply(error_event(message, status=status, kind=kind, code=code, param=param), lane)

    def _reply(self, event: Json, lane: LaneName) -> None:
        if lane is not None:
            event = event | {"stream_id": lane}
        self._actions.append(Reply(encode(event)))
