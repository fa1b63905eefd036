"""The hosted service in small, written from docs/protocol; it shares no line with the core.

It reads what is written on the wire and nothing else, and it knows the true context of every
response, so it can say what the model saw.  It also counts model runs: the one number in which
every duplicate shows.  What is stored goes on when its socket is gone, and can be fetched.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from properties.invariants import require
from properties.items import Context, Json, Output, context
from properties.steers import take_along

if TYPE_CHECKING:
    from properties.steers import Said

LIFECYCLE = ("response.created", "response.in_progress")
SHAPE = ("model", "tools")  # parameters that shape what a response means to the next one


def is_output(kind: str) -> bool:
    """Say whether an event of that type shows something to a caller."""
    quiet = kind in (*LIFECYCLE, "response.failed") or kind.startswith("response.steer.")
    return kind.startswith("response.") and not quiet


@dataclass
class Kept:
    """A response, as it may be continued."""

    context: Context
    stored: bool
    credential: str
    shape: Json


@dataclass(eq=False)
class Run:
    """One create or POST, from the moment in which it is handed over to its terminal event."""

    connection: int
    message: Json
    response_id: str
    size_bytes: int
    http: bool = False
    wired: bool = True  # there is a way on which it could speak; False once that is gone
    written: bool = False
    lane: str | None = None
    echo: str | None = None
    credential: str = ""
    refusal: Json | None = None
    not_found: bool = False  # its parent
    needs_place: bool = False  # once refused, it needs another lane
    silent: bool = False
    log: list[Json] = field(default_factory=list)  # everything that it said
    unread: bool = True  # the client has not heard that the server took it
    visible: bool = False  # something was said that a caller may have shown to somebody
    context: Context | None = None  # once it has started: with its parent's
    output: list[Output] = field(default_factory=list)
    ended: str | None = None
    told_end: bool = False  # its terminal event went to the client
    clean: bool = False  # the service said that it did not run it
    leave: bool = False  # what it said allows to write the turn again
    recovered: bool = False  # its turn went on after it
    before: tuple[bool, bool] = (False, False)  # of its turn: repeated, restarted
    steers: list[Said] = field(default_factory=list["Said"])  # what was said to it
    took: list[Said] = field(default_factory=list["Said"])  # what waited for it, before its input
    between: str | None = None  # how its response ended, while a successor may follow
    between_at: float = -1.0
    phases: int = 0  # responses before the present one
    base: int = 0  # how much of the log they take
    past: list[Output] = field(default_factory=list[Output])  # and their output

    @property
    def mark(self) -> str:
        return self.message["metadata"]["turn"]

    @property
    def parent(self) -> str | None:
        return self.message.get("previous_response_id")

    @property
    def undecided(self) -> list[Said]:
        return [said for said in self.steers if said.state in ("submitted", "accepted")]

    @property
    def in_doubt(self) -> bool:
        """Whether nobody could tell, were it cut off now, if its response has a successor."""
        return self.between is not None or any(
            said.target == self.response_id for said in self.undecided
        )

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
    opened_at: float = 0.0
    heard_at: float = 0.0  # when the client last had a message from it
    alive_at: float = 0.0  # or a pong
    excused_until: float = 0.0  # the client itself stood still
    deaf: bool = False  # nothing comes from it any more, pongs included
    doubted: bool = False  # the client's machine slept, and nothing came since
    pending: dict[str | None, list[Said]] = field(default_factory=dict[str | None, "list[Said]"])


@dataclass
class Get:
    """A GET of a stored response."""

    response_id: str
    after: int | None
    streamed: bool
    credential: str


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
        self.gets: dict[int, Get] = {}
        self.orphans: dict[str, Run] = {}  # stored, and their sockets are gone
        self.kept: dict[str, Kept] = {}
        self.chainable: set[str] = set()  # ids of responses that completed
        self.forgotten: set[str] = set()  # those that it lost for no reason
        self.model_runs: Counter[str] = Counter()

    @property
    def runs(self) -> list[Run]:
        on_sockets = [run for socket in self.sockets.values() for run in socket.runs.values()]
        return [*on_sockets, *self.posts.values()]

    # What the client does.

    def connect(self, connection: int, credential: str, now: float) -> None:
        self.sockets[connection] = Socket(credential, opened_at=now, heard_at=now, alive_at=now)

    def write(self, run: Run) -> None:
        """Take a message; the rules that the client must keep are checked here."""
        connection, message = run.connection, run.message
        require("send only on an open socket", connection in self.sockets, connection)
        socket = self.sockets[connection]
        name: str | None = message.get("stream_id")
        lane = None if self.lanes == "ignore" else name
        require("one turn per lane", lane not in socket.runs, connection, lane)
        require("active limit", len(socket.runs) < self.active_limit, len(socket.runs))
        if name is not None:
            socket.names.add(name)
            require("named limit", len(socket.names) <= self.named_limit, socket.names)
        run.lane = run.echo = lane
        run.credential, run.written = socket.credential, True
        if self.lanes == "echo" and len(socket.names) > self.takes_names:
            socket.names.discard(name or "")
            run.refusal = error("websocket_stream_limit_reached", param="stream_id")
            run.needs_place = True
        if self.lanes == "reject" and name is not None:
            run.refusal, run.echo = error("unsupported_parameter", param="stream_id"), None
        socket.runs[lane] = run
        if run.refusal is None:
            take_along(socket, run)
        # Where names mean nothing, whoever came last may have upset every lane.
        for used in [lane] if self.lanes == "echo" else [lane, *socket.last]:
            socket.last[used] = run

    def post(self, run: Run, credential: str) -> None:
        run.credential, run.written = credential, True
        self.posts[run.connection] = run

    def closed(self, connection: int) -> None:
        """A socket or an exchange is no more, and with it what only it held."""
        socket = self.sockets.pop(connection, None)
        post = self.posts.pop(connection, None)
        self.gets.pop(connection, None)
        for run in [*(socket.runs.values() if socket else ()), *([post] if post else ())]:
            run.wired = False
            if run.stored and run.context is not None:
                self.orphans[run.response_id] = run
            else:
                run.ended = "lost"

    def fetch(self, exchange: int) -> Run | None:
        """Have a run speak over the GET that asks for it; None if it is not to be found."""
        get = self.gets.pop(exchange)
        run = self.orphans.pop(get.response_id, None)
        if run is not None:
            run.connection, run.http, run.wired = exchange, True, True
            run.lane = run.echo = None
            self.posts[exchange] = run
        return run

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
        before += context([said.item for said in run.took])
        run.context = before + context(run.message.get("input", []))
        self.model_runs[run.mark] += run.generates
        return True

    def event(self, run: Run, kind: str, **members: object) -> Json:
        run.unread &= not kind.startswith("response.")
        run.visible |= is_output(kind)
        event = {"type": kind, "sequence_number": len(run.log) - run.base, **members}
        run.log.append(event)
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

    def fail(self, run: Run, style: int, code: str | None = None, **fields: Any) -> Json:
        """End a run with an error, in one of its shapes; a parent on its own lane is evicted."""
        run.clean = run.unread or run.not_found or run.refusal is not None
        self._leave(run, "failed")
        socket = self.sockets.get(run.connection)
        if socket is not None and run.parent and socket.latest.get(run.lane) == run.parent:
            del socket.latest[run.lane]
        nested = run.refusal or error(code, **fields)
        if style % 3 == 0 and run.context is not None and run.refusal is None:
            failed = self._response(run, "failed") | {"error": nested["error"]}
            return self.event(run, "response.failed", response=failed)
        flat = nested["error"] | {"status_code": nested["status"]}
        return self.event(run, "error", **(flat if style % 3 == 1 else nested))

    def refuse(self, run: Run) -> None:
        """Leave a run alone that no event has told of: another socket has to take it."""
        run.needs_place = run.clean = True
        self._leave(run, "failed")

    def forget(self, response_id: str) -> None:
        """Lose a response for no reason that a client could know."""
        self.forgotten.add(response_id)
        del self.kept[response_id]

    def whole(self, run: Run) -> Json:
        """Return a stored response as a GET shows it."""
        status = run.ended or "in_progress"
        done = [output.terminal for output in run.output] if run.ended else []
        return {"id": run.response_id, "object": "response", "status": status, "output": done}

    def _leave(self, run: Run, how: str) -> None:
        if run.undecided and run.between is None:
            run.between = how  # and its lane stays taken
            return
        self.leave(run, how)

    def leave(self, run: Run, how: str) -> None:
        """Nothing more comes of a run."""
        run.ended, run.between = how, None
        if not run.wired:
            return
        run.wired = False
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


def error(code: str | None, *, status: int = 400, **fields: object) -> Json:
    return {"status": status, "error": {"code": code, "message": "no", **fields}}
