"""A pool and the server's half of each of its sockets, joined in memory.

::

    pair = Pair()
    asked = pair.ask("What is new?")
    pair.start().complete("Nothing.")
    assert asked.text == "Nothing."

There is no loop and no socket: the test says what the server says, and moves the clock.  Both
halves are the real ones, so a story about the client is a test of the server too.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from turnwire.core.actions import Action, Close, Deliver, Dial, Finish, Post, Send
from turnwire.core.failure import CloseInfo
from turnwire.core.history import HistoryItem
from turnwire.core.params import Params
from turnwire.core.pool import Pool
from turnwire.core.request import Deadlines, Transport, TurnRequest
from turnwire.core.serving import HangUp, Reply, Serving, Start, Stop, error_event
from turnwire.testing.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Iterable

    from turnwire.core.chain import Chain
    from turnwire.core.pool_turn import PoolTurn
    from turnwire.core.settings import PoolSettings
    from turnwire.events import Event

Json = dict[str, Any]
LaneMode = Literal["echo", "ignore", "reject"]


@dataclass(eq=False)
class Asked:
    """The caller's side of one turn."""

    turn: PoolTurn
    events: list[Event] = field(default_factory=list["Event"])
    finish: Finish | None = None

    @property
    def types(self) -> list[str]:
        """The types of the events that were delivered."""
        return [event.type for event in self.events]

    @property
    def text(self) -> str | None:
        """What the model said, or None if the turn did not end well."""
        if self.finish is None or self.finish.failure is not None or self.finish.response is None:
            return None
        return self.finish.response.output_text

    @property
    def failure(self) -> str | None:
        """The failure's code, or else its kind; None if there is none."""
        failure = self.finish.failure if self.finish else None
        return None if failure is None else failure.code or failure.kind.value


@dataclass(eq=False)
class Served:
    """The server's side of one turn, running.

    Attributes:
        connection: The socket or the exchange that it came over.
        request: The create, without `type` and `stream_id`.
        response_id: The id that its response will have.
    """

    pair: Pair
    connection: int
    number: int | None  # of the socket's turn; None over HTTP
    request: Json
    response_id: str

    @property
    def texts(self) -> list[str]:
        """The input, an item a word: its text, its output, or its type."""
        items: list[Json] = self.request.get("input", [])
        return [str(item.get("content") or item.get("output") or item["type"]) for item in items]

    def emit(self, kind: str, **members: object) -> None:
        """Send one event."""
        self.pair.emit(self, {"type": kind, **members})

    def accept(self) -> None:
        """Send ``response.created`` and ``response.in_progress``."""
        for kind in ("response.created", "response.in_progress"):
            self.emit(kind, response=self._response("in_progress", []))

    def complete(
        self, text: str | None = None, *, calls: Iterable[str] = (), status: str = "completed"
    ) -> str:
        """Send everything up to the terminal event; return the response's id.

        Args:
            text: What the model says, or None for no message.
            calls: Ids of the function calls that it makes.
            status: ``completed`` or ``incomplete``.
        """
        output: list[Json] = [
            {"type": "function_call", "call_id": call, "name": "f", "arguments": "{}"}
            for call in calls
        ]
        if text is not None:
            part: Json = {"type": "output_text", "text": text, "annotations": []}
            output.append({"type": "message", "role": "assistant", "content": [part]})
        for index, item in enumerate(output):
            item["id"] = f"{self.response_id}_{index}"
        self.accept()
        for index, item in enumerate(output):
            self.emit("response.output_item.done", output_index=index, item=item)
        self.emit(f"response.{status}", response=self._response(status, output))
        return self.response_id

    def fail(self, code: str = "server_error", *, status: int = 500) -> None:
        """Send an ``error`` event."""
        self.pair.emit(self, error_event("no", status=status, code=code))

    def _response(self, status: str, output: list[Json]) -> Json:
        return {"id": self.response_id, "object": "response", "status": status, "output": output}


class Pair:
    """Both halves.

    Args:
        settings: The pool's limits.
        lanes: What the server makes of ``stream_id``; "ignore" and "reject" have no lanes.
        answers_dials: False if the test does it, with ``open`` and ``refuse``.

    Attributes:
        pool: The client's half.
        sockets: The server's half of each open socket, by connection.
        dialing: Connections that wait for an answer.
        messages: Every message and body that the client wrote, decoded, in order.
        closed: Connections that the client closed, in order.
        stored: Ids of responses that outlive their socket.
        forgotten: Ids that the server does not find, whatever it did with them.
        model_runs: Turns that the server began to run; warm-ups and refusals apart.
    """

    def __init__(
        self,
        settings: PoolSettings | None = None,
        *,
        lanes: LaneMode = "echo",
        answers_dials: bool = True,
    ) -> None:
        self.clock = Clock()
        self.pool = Pool(settings)
        self.sockets: dict[int, Serving] = {}
        self.dialing: list[int] = []
        self.messages: list[Json] = []
        self.closed: list[int] = []
        self.stored: set[str] = set()
        self.forgotten: set[str] = set()
        self.model_runs = 0
        self._lanes = lanes
        self._answers_dials = answers_dials
        self._asked: dict[int, Asked] = {}
        self._started: deque[Served] = deque()
        self._ids = count(1)
        self._settling = False

    # The caller.

    def ask(
        self,
        *items: str | Json,
        chain: Chain | None = None,
        whole: bool = False,
        transport: Transport = "websocket",
        deadlines: Deadlines | None = None,
        previous_response_id: str | None = None,
        **params: object,
    ) -> Asked:
        """Submit a turn.

        Args:
            items: Input items; text is a message of the user's.
            chain: The chain that it belongs to.
            whole: True if the items are the chain's full history.
            transport: How to send it.
            deadlines: How long it may take.
            previous_response_id: The caller's own link, without a chain.
            params: Everything else of the create; the model is "m".

        Raises:
            RuntimeError: The queue is full.
        """
        given = [
            {"role": "user", "content": each} if isinstance(each, str) else each for each in items
        ]
        request = TurnRequest(
            Params({"model": "m", **params}),
            [HistoryItem.of(item) for item in given],
            transport=transport,
            chain=chain,
            whole=whole,
            previous_response_id=previous_response_id,
            warm_up=params.get("generate") is False,
            deadlines=deadlines or Deadlines(),
        )
        turn = self.pool.submit(request, self.clock.now)
        if turn is None:
            raise RuntimeError("the pool did not take the turn: its queue is full")
        asked = self._asked[turn.id] = Asked(turn)
        self._settle()
        return asked

    def cancel(self, asked: Asked) -> None:
        """Drop a turn."""
        self.pool.cancel(asked.turn.id, self.clock.now)
        self._settle()

    def overflow(self, asked: Asked, limit_bytes: int) -> None:
        """Say that the caller did not read the turn's events."""
        self.pool.overflowed(asked.turn.id, limit_bytes, self.clock.now)
        self._settle()

    def drain(self) -> None:
        """Shut down gracefully."""
        self.pool.drain(self.clock.now)
        self._settle()

    def close(self) -> None:
        """Shut down at once."""
        self.pool.close(self.clock.now)
        self._settle()

    # The server.

    def start(self) -> Served:
        """Take the next turn that the server started.

        Raises:
            IndexError: There is none.
        """
        return self._started.popleft()

    @property
    def running(self) -> int:
        """How many turns have started and were not taken with ``start``."""
        return len(self._started)

    def emit(self, served: Served, event: Json) -> None:
        """Send one event of a turn; a stored response is remembered."""
        response: Json = event.get("response", {})
        if event["type"] == "response.completed" and served.request.get("store") is not False:
            self.stored.add(response["id"])
        if served.number is None:
            data = b"data: " + msgspec.json.encode(event) + b"\n\n"
            self.receive(served.connection, data)
        else:
            serving = self.sockets[served.connection]
            serving.emit(served.number, event, self.clock.now)
            self._serve(served.connection, serving)
            self._settle()

    def receive(self, connection: int, data: bytes) -> None:
        """Have bytes arrive at the client that the server's half would not say."""
        self.pool.received(connection, data, self.clock.now)
        self._settle()

    # The way between them.

    def open(self, connection: int, *, credential: str = "") -> None:
        """Answer a dial with a socket."""
        self.dialing.remove(connection)
        limits = self.pool.settings
        self.sockets[connection] = Serving(
            active_limit=limits.active_limit, named_limit=limits.named_limit
        )
        self.pool.dialed(connection, self.clock.now, credential=credential)
        self._settle()

    def refuse(self, connection: int, status: int, body: bytes = b"") -> None:
        """Answer a dial or a POST with an HTTP error."""
        if connection in self.dialing:
            self.dialing.remove(connection)
        self.pool.refused(connection, status, {}, body, self.clock.now)
        self._settle()

    def lose(self, connection: int, code: int | None = 1006) -> None:
        """Have a socket or an exchange end, for both halves."""
        serving = self.sockets.pop(connection, None)
        if serving is not None:
            self._stop(connection, serving)
        if connection in self.dialing:
            self.dialing.remove(connection)
        self.pool.lost(connection, CloseInfo(code), self.clock.now)
        self._settle()

    def advance(self, seconds: float) -> None:
        """Let time pass; the pool is woken at each of its deadlines on the way."""
        until = self.clock.now + seconds
        while (deadline := self.pool.deadline()) is not None and deadline <= until:
            self.clock.advance(max(0.0, deadline - self.clock.now))
            self.pool.tick(self.clock.now)
            self._settle()
        self.clock.advance(until - self.clock.now)

    # Inside: what each half wants done, until neither wants anything more.

    def _settle(self) -> None:
        if self._settling:
            return  # what was said meanwhile comes after what is being done
        self._settling = True
        while actions := self.pool.actions():
            for action in actions:
                self._do(action)
        self._settling = False

    def _do(self, action: Action) -> None:
        match action:
            case Deliver(turn, event):
                self._asked[turn].events.append(event)
            case Finish(turn):
                self._asked[turn].finish = action
            case Dial(connection):
                self.dialing.append(connection)
                if self._answers_dials:
                    self.open(connection)
            case Send(connection, _, data):
                self.messages.append(msgspec.json.decode(data))
                self._deliver(connection, self.messages[-1])
            case Post(connection, _, body):
                self.messages.append(msgspec.json.decode(body))
                self._begin(connection, None, self.messages[-1], cached=False)
            case Close(connection):
                self.closed.append(connection)
                serving = self.sockets.pop(connection, None)
                if serving is not None:
                    self._stop(connection, serving)

    def _deliver(self, connection: int, message: Json) -> None:
        serving = self.sockets[connection]
        if self._lanes == "reject" and "stream_id" in message:
            event = error_event("unknown parameter", param="stream_id")
            self.pool.received(connection, msgspec.json.encode(event), self.clock.now)
            return
        if self._lanes == "ignore":
            message = {key: value for key, value in message.items() if key != "stream_id"}
        serving.received(msgspec.json.encode(message), self.clock.now)
        self._serve(connection, serving)

    def _serve(self, connection: int, serving: Serving) -> None:
        for action in serving.actions():
            match action:
                case Start(number, request, cached):
                    self._begin(connection, number, request, cached=cached)
                case Reply(data):
                    self.pool.received(connection, data, self.clock.now)
                case HangUp(code):
                    self.lose(connection, code)
                case _:
                    pass  # nothing runs here that could be stopped, nothing is held to forget

    def _begin(self, connection: int, number: int | None, request: Json, *, cached: bool) -> None:
        served = Served(self, connection, number, request, f"resp_{next(self._ids)}")
        parent = request.get("previous_response_id")
        found = cached or parent in self.stored
        if parent is not None and (not found or parent in self.forgotten):
            served.fail("previous_response_not_found", status=400)
            return
        self.model_runs += request.get("generate") is not False
        self._started.append(served)

    def _stop(self, connection: int, serving: Serving) -> None:
        serving.lost(self.clock.now)
        stopped = [action.turn for action in serving.actions() if isinstance(action, Stop)]
        self._started = deque(
            served
            for served in self._started
            if served.connection != connection or served.number not in stopped
        )
