"""The hosted service in small, written from docs/protocol; it shares no line with the core.

It reads what is written on the wire and nothing else, and it knows the true context of every
response, so it can say what the model saw.  It also counts model runs: the one number in which
every duplicate shows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from properties.invariants import require
from properties.items import Context, Json, Output, context

LIFECYCLE = ("response.created", "response.in_progress")
SHAPE = ("model", "tools")  # parameters that shape what a response means to the next one


@dataclass
class Kept:
    """A response, as it may be continued."""

    context: Context
    stored: bool
    credential: str
    shape: Json


@dataclass(eq=False)
class Run:
    """One create or POST, from its message to its terminal event."""

    connection: int
    lane: str | None
    echo: str | None
    message: Json
    credential: str
    response_id: str
    http: bool = False
    refusal: Json | None = None
    not_found: bool = False  # its parent
    needs_place: bool = False  # once refused, it needs another lane
    silent: bool = False
    events: int = 0
    unread: bool = True  # the client has not heard that the server took it
    visible: bool = False  # something was said that a caller may have shown to somebody
    context: Context | None = None  # once it has started: with its parent's
    output: list[Output] = field(default_factory=list)
    ended: str | None = None

    @property
    def mark(self) -> str:
        return self.message["metadata"]["turn"]

    @property
    def parent(self) -> str | None:
        return self.message.get("previous_response_id")

    @property
    def stored(self) -> bool:
        return self.message.get("store", True)

    @property
    def generates(self) -> bool:
        return self.message.get("generate", True)


@dataclass
class Socket:
    credential: str
    latest: dict[str | None, str] = field(default_factory=dict)  # by lane: its cache has depth one
    runs: dict[str | None, Run] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    last: dict[str | None, Run] = field(default_factory=dict)  # who used a lane last
    retired: bool = False  # it was told that its time is over


class Service:
    """The service behind all sockets of one test.

    Args:
        lanes: "echo", or a server without lanes: "ignore", "reject".
        active_limit: Turns at once on a socket.
        named_limit: Lane names of a socket, as the client has been told.
        takes_names: Lane names of a socket, in truth.
    """

    def __init__(self, lanes: str, active_limit: int, named_limit: int, takes_names: int) -> None:
        self.lanes: Final = lanes
        self.active_limit = active_limit
        self.named_limit = named_limit
        self.takes_names = takes_names
        self.sockets: dict[int, Socket] = {}
        self.posts: dict[int, Run] = {}
        self.kept: dict[str, Kept] = {}
        self.chainable: set[str] = set()  # ids of responses that completed
        self.forgotten: set[str] = set()  # those that it lost for no reason
        self.model_runs: Counter[str] = Counter()
        self.numbers = 0

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    @property
    def runs(self) -> list[Run]:
        on_sockets = [run for socket in self.sockets.values() for run in socket.runs.values()]
        return [*on_sockets, *self.posts.values()]

    # What the client does.

    def connect(self, connection: int, credential: str) -> None:
        self.sockets[connection] = Socket(credential)

    def write(self, connection: int, message: Json) -> Run:
        """Take a message; the rules that the client must keep are checked here."""
        require("send only on an open socket", connection in self.sockets, connection)
        socket = self.sockets[connection]
        name: str | None = message.get("stream_id")
        lane = None if self.lanes == "ignore" else name
        require("one turn per lane", lane not in socket.runs, connection, lane)
        require("active limit", len(socket.runs) < self.active_limit, len(socket.runs))
        if name is not None:
            socket.names.add(name)
            require("named limit", len(socket.names) <= self.named_limit, socket.names)
        run = Run(connection, lane, lane, message, socket.credential, f"resp_{self.number()}")
        if self.lanes == "echo" and len(socket.names) > self.takes_names:
            socket.names.discard(name or "")
            run.refusal = error("websocket_stream_limit_reached", param="stream_id")
            run.needs_place = True
        if self.lanes == "reject" and name is not None:
            run.refusal, run.echo = error("unsupported_parameter", param="stream_id"), None
        socket.runs[lane] = run
        # Where names mean nothing, whoever came last may have upset every lane.
        for used in [lane] if self.lanes == "echo" else [lane, *socket.last]:
            socket.last[used] = run
        return run

    def post(self, exchange: int, message: Json, credential: str) -> Run:
        run = Run(exchange, None, None, message, credential, f"resp_{self.number()}", http=True)
        self.posts[exchange] = run
        return run

    def closed(self, connection: int) -> None:
        """A socket or an exchange is no more, and with it what only it held."""
        socket = self.sockets.pop(connection, None)
        post = self.posts.pop(connection, None)
        for run in [*(socket.runs.values() if socket else ()), *([post] if post else ())]:
            run.ended = "lost"

    # What the service says: each of these returns one event.

    def holds(self, response_id: str, connection: int | None, credential: str) -> bool:
        """Say whether a new turn on that socket would find the response."""
        kept = self.kept.get(response_id)
        if kept is None or kept.credential != credential:
            return False
        socket = self.sockets.get(connection) if connection is not None else None
        return kept.stored or (socket is not None and response_id in socket.latest.values())

    def start(self, run: Run) -> bool:
        """Bind the parent and start the model: False if the parent is not to be found."""
        if run.context is not None:
            return True
        before: Context = ()
        if run.parent is not None:
            if not self.holds(run.parent, None if run.http else run.connection, run.credential):
                run.not_found = True
                return False
            before = self.kept[run.parent].context
        run.context = before + context(run.message.get("input", []))
        self.model_runs[run.mark] += run.generates
        return True

    def event(self, run: Run, kind: str, **members: object) -> Json:
        run.events += 1
        run.unread &= not kind.startswith("response.")
        run.visible |= kind.startswith("response.") and kind not in LIFECYCLE
        event = {"type": kind, "sequence_number": run.events - 1, **members}
        return event if run.echo is None else event | {"stream_id": run.echo}

    def lifecycle(self, run: Run, kind: str) -> Json:
        return self.event(run, kind, response=self._response(run, "in_progress"))

    def produce(self, run: Run, output: Output, *, streamed: bool) -> Json:
        """Add an output item; one that is not streamed shows only in the terminal event."""
        index = len(run.output)
        run.output.append(output)
        if not streamed:
            return self.event(run, "response.next_month", output_index=index)
        output.shown.append(output.streamed)
        return self.event(
            run, "response.output_item.done", output_index=index, item=output.streamed
        )

    def terminal(self, run: Run, status: str, style: int) -> Json:
        """End a run with `completed` or `incomplete`."""
        kind = "response.done" if style % 5 == 4 else f"response.{status}"
        event = self.event(run, kind, response=self._response(run, status, style))
        self._leave(run, status)
        assert run.context is not None  # it has started
        seen = run.context + tuple(output.meaning for output in run.output)
        shape = {name: run.message.get(name) for name in SHAPE}
        socket = self.sockets.get(run.connection)
        if socket is not None:
            socket.latest.pop(run.lane, None)
        if status == "completed" or style % 2:  # whether an incomplete one is kept is not known
            self.kept[run.response_id] = Kept(seen, run.stored, run.credential, shape)
            if socket is not None:
                socket.latest[run.lane] = run.response_id
        if status == "completed":
            self.chainable.add(run.response_id)
        return event

    def fail(self, run: Run, style: int, code: str = "server_error", **fields: object) -> Json:
        """End a run with an error, in one of its shapes; a parent on its own lane is evicted."""
        self._leave(run, "failed")
        socket = self.sockets.get(run.connection)
        if socket is not None and run.parent and socket.latest.get(run.lane) == run.parent:
            del socket.latest[run.lane]
        nested = run.refusal or error(code, **fields)
        if style % 3 == 0 and run.context is not None and run.refusal is None:
            failed = self._response(run, "failed") | {"error": nested["error"]}
            return self.event(run, "response.failed", response=failed)
        flat = nested["error"] | {"status_code": 400}
        return self.event(run, "error", **(flat if style % 3 == 1 else nested))

    def refuse(self, run: Run) -> None:
        """Leave a run alone that no event has told of: another socket has to take it."""
        run.needs_place = True
        self._leave(run, "failed")

    def forget(self, response_id: str) -> None:
        """Lose a response for no reason that a client could know."""
        self.forgotten.add(response_id)
        del self.kept[response_id]

    def _leave(self, run: Run, how: str) -> None:
        run.ended = how
        if run.http:
            self.posts.pop(run.connection, None)
        else:
            del self.sockets[run.connection].runs[run.lane]

    def _response(self, run: Run, status: str, style: int = 0) -> Json:
        response: Json = {"id": run.response_id, "object": "response", "status": status}
        if status == "in_progress":
            return response | {"output": []}
        # What was streamed may be missing in the end: docs/protocol/events.md#terminal-events
        every = style % 4 == 0 or not all(output.shown for output in run.output)
        shown = run.output[: len(run.output) if every else style % 4 - 1]
        for output in shown:
            output.shown.append(output.terminal)
        return response | (
            {"output": [output.terminal for output in shown]} if shown or style % 3 else {}
        )


def error(code: str, **fields: object) -> Json:
    return {"status": 400, "error": {"code": code, "message": "no", **fields}}
