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
from itertools import count
from typing import TYPE_CHECKING, Literal

import msgspec

from turnwire.core.actions import (
    Action,
    Close,
    Deliver,
    Dial,
    Fetch,
    Finish,
    Log,
    Ping,
    Post,
    Restart,
    Send,
    SignIn,
    Steered,
)
from turnwire.core.failure import CloseInfo
from turnwire.core.history import HistoryItem
from turnwire.core.params import Params
from turnwire.core.pool import Pool
from turnwire.core.request import Deadlines, Transport, TurnRequest
from turnwire.core.serving import HangUp, Reply, Serving, Start, Stop, error_event
from turnwire.testing.clock import Clock
from turnwire.testing.pair_sides import Asked, Json, Served

if TYPE_CHECKING:
    from turnwire.core.answers import Unanswered
    from turnwire.core.chain import Chain
    from turnwire.core.request import Replay
    from turnwire.core.settings import PoolSettings

LaneMode = Literal["echo", "ignore", "reject"]


class Pair:
    """Both halves.

    Args:
        settings: The pool's limits.
        lanes: What the server makes of ``stream_id``; "ignore" and "reject" have no lanes.
        answers_dials: False if the test does it, with ``open`` and ``refuse``.
        answers_pings: False if the test does it, with ``pong``.
        writes: False if the test does it, with ``write``.
        chance: What jitter is made of.

    Attributes:
        pool: The client's half.
        sockets: The server's half of each open socket, by connection.
        dialing: Connections that wait for an answer.
        pings: Connections that were pinged, in order.
        fetches: GETs of stored responses; the test answers them.
        logs: Lines for whoever watches.
        unwritten: Messages and bodies that wait for ``write``.
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
        answers_pings: bool = True,
        writes: bool = True,
        chance: float = 0.5,
    ) -> None:
        self.clock = Clock()
        self.pool = Pool(settings, chance=lambda: chance)
        self.sockets: dict[int, Serving] = {}
        self.dialing: list[int] = []
        self.pings: list[int] = []
        self.fetches: list[Fetch] = []
        self.logs: list[str] = []
        self.messages: list[Json] = []
        self.closed: list[int] = []
        self.stored: set[str] = set()
        self.forgotten: set[str] = set()
        self.model_runs = 0
        self._lanes = lanes
        self.answers_dials = answers_dials
        self.answers_pings = answers_pings
        self.writes = writes
        self.unwritten: list[Send | Post] = []
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
        replay: Replay = "safe",
        unanswered: Unanswered = "error",
        deadlines: Deadlines | None = None,
        previous_response_id: str | None = None,
        hands_over: bool = False,
        **params: object,
    ) -> Asked:
        """Submit a turn.

        Args:
            items: Input items; text is a message of the user's.
            chain: The chain that it belongs to.
            whole: True if the items are the chain's full history.
            transport: How to send it.
            replay: Whether it may be sent again after it was perhaps run.
            unanswered: What to do about tool calls without an output.
            deadlines: How long it may take.
            previous_response_id: The caller's own link, without a chain.
            hands_over: Whether its caller has a way of its own over HTTP.
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
            replay=replay,
            unanswered=unanswered,
            deadlines=deadlines or Deadlines(),
            hands_over=hands_over,
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

    def refuse(self, connection: int, status: int, body: bytes = b"", **headers: str) -> None:
        """Answer a dial or a POST with an HTTP error; ``_`` in a header's name is ``-``."""
        if connection in self.dialing:
            self.dialing.remove(connection)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pool.refused(connection, status, named, body, self.clock.now)
        self._settle()

    def pong(self, connection: int) -> None:
        """Answer a ping."""
        self.pool.ponged(connection, self.clock.now)
        self._settle()

    def write(self) -> None:
        """Write the message or the body that has waited longest."""
        self._write(self.unwritten.pop(0))
        self._settle()

    def fetch(self, connection: int, response: Json) -> None:
        """Answer a GET with a whole response."""
        self.pool.fetched(connection, msgspec.json.encode(response), self.clock.now)
        self._settle()

    def sleep(self, seconds: float) -> None:
        """Have the machine sleep; its own clock stands still."""
        self.pool.woke(seconds, self.clock.now)
        self._settle()

    def lose(
        self,
        connection: int,
        code: int | None = 1006,
        *,
        reached: bool = True,
        signed_in: bool = True,
    ) -> None:
        """Have a dial, a socket or an exchange end, for both halves; see ``CloseInfo``."""
        unwritten = [each.turn for each in self.unwritten if each.connection == connection]
        self._forget_unwritten(connection)
        serving = self.sockets.pop(connection, None)
        if serving is not None:
            self._stop(connection, serving)
        if connection in self.dialing:
            self.dialing.remove(connection)
        close = CloseInfo(code, reached=reached, signed_in=signed_in)
        self.pool.lost(connection, close, self.clock.now, unwritten)
        self._settle()

    def advance(self, seconds: float) -> None:
        """Let time pass; the pool is woken at each of its deadlines on the way."""
        until = self.clock.now + seconds
        while (deadline := self.pool.deadline()) is not None and deadline <= until:
            self.clock.advance(max(0.0, deadline - self.clock.now))
            self.pool.tick(self.clock.now)
            self._settle()
        self.clock.advance(until - self.clock.now)

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
            case Deliver() | Restart() | Finish() | Log():
                self._tell(action)
            case SignIn(connection):
                self.pool.signed_in(connection, self.clock.now)
            case Post() | Send():
                self._put(action)
            case Fetch():
                self.fetches.append(action)
            case Dial() | Ping() | Close():
                self._do_to_socket(action)
            case Steered():
                pass  # who has the steer sees it

    def _tell(self, action: Deliver | Restart | Finish | Log) -> None:
        match action:
            case Deliver(turn, event) | Restart(turn, event):
                self._asked[turn].events.append(event)
            case Finish(turn):
                self._asked[turn].finish = action
            case Log(message):
                self.logs.append(message)

    def _do_to_socket(self, action: Dial | Ping | Close) -> None:
        match action:
            case Dial(connection):
                self.dialing.append(connection)
                if self.answers_dials:
                    self.open(connection)
            case Ping(connection):
                self.pings.append(connection)
                if self.answers_pings:
                    self.pong(connection)
            case Close(connection):
                self.closed.append(connection)
                self._forget_unwritten(connection)
                serving = self.sockets.pop(connection, None)
                if serving is not None:
                    self._stop(connection, serving)

    def _put(self, action: Send | Post) -> None:
        if self.writes:
            self._write(action)
        else:
            self.unwritten.append(action)

    def _write(self, action: Send | Post) -> None:
        data = action.data if isinstance(action, Send) else action.body
        self.messages.append(msgspec.json.decode(data))
        self.pool.written(action.connection, action.turn, self.clock.now)
        if isinstance(action, Send):
            self._deliver(action.connection, self.messages[-1])
        else:
            self._begin(action.connection, None, self.messages[-1], cached=False)

    def _forget_unwritten(self, connection: int) -> None:
        self.unwritten = [each for each in self.unwritten if each.connection != connection]

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
