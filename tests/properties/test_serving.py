"""Random histories of the server's half of one socket: a client speaks, models answer."""

# ruff: noqa: FBT001  # rules are called by name, with what Hypothesis draws

from __future__ import annotations

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from properties.invariants import require
from properties.lanes import Create, Json, Lanes
from properties.profiles import PROFILE
from turnwire.core.serving import Forget, HangUp, Reply, Serving, ServingAction, Start, Stop

pick = st.integers(0, 719)
names = st.sampled_from([None, None, "a", "b", "A.b_c-9", "d", "e"])
BAD_NAMES = ("", "a b", "ä", "x" * 257, 5, True, ["a"], {})
NONSENSE = (
    b"",
    b"{",
    b"[]",
    b"null",
    b'{"no":"type"}',
    b"\xff",
    b'{"type":"response.cancel"}',
    b'{"type":"response.steer","previous_response_id":"r","input":"x"}',
)
EVENTS = ("response.created", "response.in_progress", "response.output_text.delta", "x.new")
ENDS = ("response.completed", "response.incomplete", "response.failed", "error")


class ServingMachine(RuleBasedStateMachine):
    """A client, the server's half of its socket, and whoever runs the turns."""

    @initialize(active=st.integers(1, 3), named=st.integers(0, 3))
    def begin(self, active: int, named: int) -> None:
        self.model = Lanes(active, named, queue_bytes=400)
        self.serving = Serving(active_limit=active, named_limit=named, queue_bytes=400)
        self.runs: dict[int, Create] = {}  # turns that run, by the number that Serving gave them
        self.numbers = 0
        self.draining = self.over = False

    def actions(self) -> list[ServingAction]:
        actions = self.serving.actions()
        require("active limit", len(self.model.running) <= self.model.active_limit)
        gauges = (self.serving.active, self.serving.waiting)
        wanted = (len(self.model.running), len(self.model.waiting))
        require("the gauges are right", gauges == wanted, gauges, wanted)
        return actions

    def check_starts(self, actions: list[ServingAction]) -> None:
        """Turns start as soon as they may, in the order in which they came, each once."""
        starts = [action for action in actions if isinstance(action, Start)]
        started = self.model_starts
        found = [(start.request.get("mark"), start.parent_cached) for start in starts]
        wanted = [(create.number, cached) for create, cached in started]
        require("turns start in their order, as soon as they may", found == wanted, found, wanted)
        for start, (create, _) in zip(starts, started, strict=True):
            require("a number is used once", start.turn not in self.runs, start.turn)
            given = {key: value for key, value in create.message.items() if value is not None}
            sent = start.request | {"type": "response.create"}
            sent |= {"stream_id": create.lane} if create.lane is not None else {}
            require("the request arrives whole", sent == given, sent, given)
            self.runs[start.turn] = create

    @precondition(lambda self: not self.over)
    @rule(name=names, parent=pick, store=st.booleans(), size=st.sampled_from([1, 1, 1, 150]))
    def create(self, name: str | None, parent: int, store: bool, size: int) -> None:
        known = [*self.model.latest.values(), "resp_unknown", None, None]
        message: Json = {
            "type": "response.create",
            "stream_id": name,
            "previous_response_id": known[parent % len(known)],
            "store": store,
            "input": "x" * size,
            "mark": self.model.created + 1,
        }
        if name is None and parent % 2:
            del message["stream_id"]
        self._create(message)

    @precondition(lambda self: not self.over)
    @rule(which=pick)
    def create_with_a_bad_name(self, which: int) -> None:
        name = BAD_NAMES[which % len(BAD_NAMES)]
        self._create({"type": "response.create", "stream_id": name})

    def _create(self, message: Json) -> None:
        data = msgspec.json.encode(message)
        refusal = self.model.refusal(message, len(data), draining=self.draining)
        if refusal is None:
            self.model.take(message, len(data))
        self.model_starts = self.model.start()
        self.serving.received(data, 0.0)
        actions = self.actions()
        self.check_starts(actions)
        replies = [reply for reply in map(self.decoded, actions) if reply is not None]
        if refusal is None:
            require("a create is not answered before it runs", replies == [], replies)
        else:
            code, echoes = refusal
            found = [(reply["error"]["code"], reply.get("stream_id")) for reply in replies]
            wanted = [(code, message["stream_id"] if echoes else None)]
            require("a refused create is answered", found == wanted, found, wanted)

    @precondition(lambda self: not self.over)
    @rule(which=pick, text=st.integers(0, 3).map(bool))
    def send_nonsense(self, which: int, text: bool) -> None:
        self.serving.received(NONSENSE[which % len(NONSENSE)], 0.0, text=text)
        replies = list(map(self.decoded, self.actions()))
        require("every message is answered once", len(replies) == 1 and bool(replies[0]), replies)
        self.serving.received(b'{"type":"response.processed","response_id":"r"}', 0.0)
        require("an acknowledgement needs no answer", self.actions() == [])

    def decoded(self, action: ServingAction) -> Json | None:
        return msgspec.json.decode(action.data) if isinstance(action, Reply) else None

    @precondition(lambda self: self.runs)
    @rule(which=pick, kind=st.sampled_from(EVENTS))
    def say_something(self, which: int, kind: str) -> None:
        number = list(self.runs)[which % len(self.runs)]
        self.model_starts = []
        self._emit(number, {"type": kind, "delta": "x"})

    @precondition(lambda self: self.runs)
    @rule(which=pick, kind=st.sampled_from([*ENDS, ENDS[0], ENDS[0]]))
    def end(self, which: int, kind: str) -> None:
        number = list(self.runs)[which % len(self.runs)]
        create = self.runs[number]
        self.numbers += 1
        well = kind in ("response.completed", "response.incomplete")
        response_id = f"resp_{self.numbers}" if well else None
        forgotten = self.model.end(create, response_id)
        self.model_starts = self.model.start()
        response = {"response": {"id": response_id}} if kind != "error" else {}
        actions = self._emit(number, {"type": kind, **response})
        forgets = [action.response_id for action in actions if isinstance(action, Forget)]
        wanted = [] if forgotten is None else [forgotten]
        require("what no lane holds is forgotten, nothing else", forgets == wanted, forgets, wanted)
        del self.runs[number]
        self._check_hang_up(actions)
        try:
            self.serving.emit(number, {"type": "response.completed", "response": {"id": "r"}}, 0.0)
        except KeyError:
            require("nothing follows a terminal event", self.serving.actions() == [])
        else:
            require("nothing follows a terminal event", holds=False)

    def _emit(self, number: int, event: Json) -> list[ServingAction]:
        create = self.runs[number]
        self.serving.emit(number, event, 0.0)
        actions = self.actions()
        wanted = event | {"sequence_number": create.events}
        wanted |= {"stream_id": create.lane} if create.lane is not None else {}
        create.events += 1
        replies = [reply for reply in map(self.decoded, actions) if reply is not None]
        require("an event goes out on its lane, numbered", replies == [wanted], replies, wanted)
        self.check_starts(actions)
        return actions

    @precondition(lambda self: not self.over and not self.draining)
    @rule(sure=st.integers(0, 15))
    def drain(self, sure: int) -> None:
        if sure == 9:
            self.draining = True
            self.serving.drain(0.0)
            self._check_hang_up(self.actions())

    def _check_hang_up(self, actions: list[ServingAction]) -> None:
        done = self.draining and not self.over and not self.runs and not self.model.waiting
        self.over |= done
        closes = [action.code for action in actions if isinstance(action, HangUp)]
        require("it hangs up once, when drained", closes == [1000] * done, closes)

    @rule(sure=st.integers(0, 15))
    def lose(self, sure: int) -> None:
        if sure == 9:
            self._lose()

    def _lose(self) -> None:
        self.serving.lost(0.0)
        stopped = sorted(self.serving.actions(), key=repr)
        wanted = sorted((Stop(number) for number in self.runs), key=repr)
        require("a lost socket stops what runs", stopped == wanted, stopped, wanted)
        left = (self.serving.active if not self.runs else 0, self.serving.actions())
        require("a lost socket leaves nothing", left == (0, []), left)
        self.begin(self.model.active_limit, self.model.named_limit)

    def teardown(self) -> None:
        """Everything starts and ends if the models answer."""
        for _ in range(300):
            if not getattr(self, "runs", None):
                break
            self.end(0, "response.completed")
        if hasattr(self, "model"):
            require("every turn ends if the models answer", not self.model.waiting)


TestServing = ServingMachine.TestCase
TestServing.settings = PROFILE
