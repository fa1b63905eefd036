"""Random histories of one socket whose client steers: what is accepted counts or comes back."""

# ruff: noqa: FBT001  # rules are called by name, with what Hypothesis draws

from __future__ import annotations

import itertools
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from properties.invariants import require
from properties.lanes import Json, Lanes
from properties.profiles import PROFILE
from properties.steered import Done, SteeredLanes, Turn
from turnwire.core.serving import (
    Forget,
    HangUp,
    Interrupt,
    Reply,
    Serving,
    ServingAction,
    Start,
    Stop,
)

pick = st.integers(0, 719)
names = st.sampled_from([None, None, "a", "b"])
KINDS: tuple[Json, ...] = (
    *([{}] * 24),
    {"instructions": "Be brief.", "tools": [{"type": "web_search"}]},
    {"model": "deaf"},
    {"generate": False},
    {"prompt_cache_options": {"prewarm": True}},
    {"conversation": "conv_1"},
    {"context_management": [{"type": "compaction"}]},
)
USER = {"type": "message", "role": "user"}
INPUTS: tuple[Any, ...] = ("x", "y" * 40, [USER | {"content": "x"}], [], None, 5)
SAYINGS: tuple[tuple[Any, bool], ...] = (
    ("now this", True),
    ("and this", True),
    ("x" * 300, True),
    ([{"role": "user", "content": "so"}, USER | {"content": "so"}], True),
    ([USER | {"content": [{"type": "input_text", "text": "t"}]}], True),
    ([USER | {"content": [{"type": "input_image"}, {"type": "input_file"}]}], True),
    ("", False),
    ([], False),
    (None, False),
    (5, False),
    (["x"], False),
    ([USER], False),
    ([USER | {"content": 5}], False),
    ([USER | {"content": ["x"]}], False),
    ([USER | {"content": [{"type": "input_text"}]}], False),
    ([USER | {"content": [{"type": "output_text", "text": "t"}]}], False),
    ([USER | {"content": "x", "id": "msg_1"}], False),
    ([{"type": "message", "role": "developer", "content": "x"}], False),
    ([{"type": "function_call_output", "call_id": "c", "output": "x"}], False),
    ([{"type": "function_call_output", "role": "user", "content": "x"}], False),
)
GOOD = sum(good for _, good in SAYINGS)
CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
CALLS: tuple[tuple[Json, Json], ...] = (
    (CALL, {"type": "function_call_output", "call_id": "c1", "name": "f"}),
    (
        {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": ""},
        {"type": "custom_tool_call_output", "call_id": "c2"},
    ),
    (
        {"type": "computer_call", "call_id": "c3"},
        {"type": "computer_call_output", "call_id": "c3"},
    ),
    ({"type": "shell_call", "call_id": "c4"}, {"type": "shell_call_output", "call_id": "c4"}),
    (
        {"type": "apply_patch_call", "call_id": "c5"},
        {"type": "apply_patch_call_output", "call_id": "c5"},
    ),
    (
        {"type": "tool_search_call", "call_id": "c6", "execution": "client"},
        {"type": "tool_search_output", "call_id": "c6", "execution": "client"},
    ),
    (
        {"type": "mcp_approval_request", "id": "m1"},
        {"type": "mcp_approval_response", "approval_request_id": "m1"},
    ),
)
MESSAGE = {"type": "message", "role": "assistant"}
# What a response may hold, and what the client owes to it.
OUTPUTS: tuple[tuple[list[Json], list[Json]], ...] = (
    ([], []),
    ([MESSAGE], []),
    ([{"type": "tool_search_call", "call_id": "s"}, MESSAGE], []),
    ([CALL, {"type": "function_call_output", "call_id": "c1", "output": "x"}], []),
    ([MESSAGE, CALL], [CALLS[0][1]]),
    ([CALL], [CALLS[0][1]]),
    ([call for call, _ in CALLS], [stub for _, stub in CALLS]),
)
EVENTS = ("response.in_progress", "response.output_text.delta", "x.new")


class SteeringMachine(RuleBasedStateMachine):
    """A client that steers, the server's half of its socket, and whoever runs the turns."""

    @initialize(active=st.integers(1, 3), room=st.sampled_from([700, 5000]))
    def begin(self, active: int, room: int) -> None:
        self.size = (active, room)
        self.model = SteeredLanes(Lanes(active, 2, queue_bytes=room))
        self.ids = itertools.count(1)
        self.serving = Serving(
            active_limit=active,
            named_limit=2,
            queue_bytes=room,
            new_steer_id=lambda: f"steer_{next(self.ids)}",
            steers=lambda request: request.get("model") != "deaf",
        )
        self.turns: dict[int, Turn] = {}  # those that run, by the number that Serving gave them
        self.responses = 0
        self.over = False

    def check(self, expected: list[Done]) -> None:
        """Everything that has to be done is done, in order, and nothing else."""
        actions = self.serving.actions()
        for wanted, action in itertools.zip_longest(expected, actions):
            require("all is done, and nothing else", wanted and action, wanted, action)
            require(f"{wanted[0]} is right", self.same(wanted, action), wanted, action)
        self.over |= ("hang up",) in expected
        wanted = (len(self.model.lanes.running), len(self.model.lanes.waiting))
        gauges = (self.serving.active, self.serving.waiting)
        require("the gauges are right", gauges == wanted, gauges, wanted)

    def same(self, wanted: Done, action: ServingAction) -> bool:
        match wanted, action:
            case ("reply", event), Reply(data):
                return self.heard(data) == event
            case ("refusal", code, echoes), Reply(data):
                event = self.heard(data)
                return (event["error"], "stream_id" in event) == (code, echoes)
            case ("start", turn, request, cached), Start(number, given, parent_cached):
                require("a number is used once", number not in self.turns, number)
                self.turns[number] = turn
                return (given, parent_cached) == (request, cached)
            case ("interrupt", turn), Interrupt(number):
                return self.turns[number] is turn
            case ("forget", response_id), Forget(given):
                return given == response_id
            case ("hang up",), HangUp(code):
                return code == 1000
        return False

    def heard(self, data: bytes) -> Json:
        """Return an event as the model says it: an error is its code."""
        event: Json = msgspec.json.decode(data)
        if event["type"] in ("error", "response.steer.failed"):
            error = event["error"]
            require("an error has a type", error["type"] != "" and error["message"] != "", event)
            return event | {"error": error["code"]}
        return event

    @precondition(lambda self: not self.over)
    @rule(name=names, parent=pick, store=st.booleans(), given=pick, kind=pick)
    def create(self, name: str | None, parent: int, store: bool, given: int, kind: int) -> None:
        waiting = [each.id for each in self.model.answers.values() if each.said and each.ended]
        known = [*self.model.answers, *waiting, *waiting, None, None, "resp_unknown"]
        self._create(name, known[parent % len(known)], store, given, kind)

    @precondition(lambda self: not self.over and any(self.model.answers))
    @rule(which=pick, given=pick)
    def answer(self, which: int, given: int) -> None:
        """Continue a response on its own lane."""
        answers = list(self.model.answers.values())
        owed = [each for each in answers if each.owed and not each.closed] or answers
        target = owed[which % len(owed)]
        self._create(target.turn.lane, target.id, store=True, given=given, kind=0)

    def _create(
        self, name: str | None, parent: str | None, store: bool, given: int, kind: int
    ) -> None:
        message: Json = {
            "type": "response.create",
            "stream_id": name,
            "previous_response_id": parent,
            "store": store,
            "input": INPUTS[given % len(INPUTS)],
            "mark": self.model.lanes.created + 1,
            **KINDS[kind % len(KINDS)],
        }
        data = msgspec.json.encode(message)
        self.serving.received(data, 0.0)
        self.check(self.model.create(message, len(data)))
        if parent is None or given % 3:
            self._begin_all()

    def _begin_all(self) -> None:
        for turn in list(self.turns.values()):
            if self._response_of(turn) is None:
                self._begin(turn)

    @precondition(lambda self: not self.over and any(self.model.answers))
    @rule(
        which=pick,
        saying=pick,
        odd=st.integers(0, 30),
        often=st.sampled_from([1] * 10 + [2, 2, 18]),
    )
    def steer(self, which: int, saying: int, odd: int, often: int) -> None:
        alive = [each.id for each in self.model.answers.values() if not each.ended or each.owed]
        known = alive or [*self.model.answers]
        if odd in (1, 2):
            known = [*self.model.answers, "resp_unknown"]
        given, good = SAYINGS[saying % (len(SAYINGS) if odd % 3 == 0 else GOOD)]
        message: Json = {
            "type": "response.steer",
            "previous_response_id": known[which % len(known)],
            "input": given,
        }
        if odd == 7:
            message["stream_id"], good = "a", False
        if odd == 9:
            message["previous_response_id"] = 5
        if odd == 11:
            del message["previous_response_id"]
        data = msgspec.json.encode(message)
        for _ in range(often):
            self.serving.received(data, 0.0)
            self.check(self.model.steer(message, len(data), good=good))

    @precondition(lambda self: self.turns)
    @rule(which=pick)
    def begin_a_response(self, which: int) -> None:
        new = [turn for turn in self.turns.values() if self._response_of(turn) is None]
        if new:
            self._begin(new[which % len(new)])

    def _begin(self, turn: Turn) -> None:
        self.responses += 1
        response = {"id": f"resp_{self.responses}"}
        self._emit(turn, {"type": "response.created", "response": response})

    @precondition(lambda self: self.turns)
    @rule(which=pick, kind=st.sampled_from(EVENTS))
    def say_something(self, which: int, kind: str) -> None:
        self._emit(self._pick(which), {"type": kind, "delta": "x"})

    @precondition(lambda self: self.turns)
    @rule(which=pick, output=pick)
    def complete(self, which: int, output: int) -> None:
        said, owed = OUTPUTS[output % len(OUTPUTS)]
        self._end(self._pick(which), "response.completed", owed, output=said)

    @precondition(lambda self: self.turns)
    @rule(which=pick, reason=st.sampled_from(["steered", "steered", "max_output_tokens"]))
    def cut_short(self, which: int, reason: str) -> None:
        details = {"incomplete_details": {"reason": reason}}
        self._end(self._pick(which), "response.incomplete", [], **details)

    @precondition(lambda self: self.turns)
    @rule(which=pick, kind=st.sampled_from(["response.failed", "error"]))
    def fail(self, which: int, kind: str) -> None:
        self._end(self._pick(which), kind, [])

    def _pick(self, which: int) -> Turn:
        return list(self.turns.values())[which % len(self.turns)]

    def _response_of(self, turn: Turn) -> str | None:
        answers = self.model.answers.values()
        return next((each.id for each in answers if each.turn is turn), None)

    def _end(self, turn: Turn, kind: str, owed: list[Json], **more: Any) -> None:
        response_id = self._response_of(turn)
        if response_id is None:
            self.responses += 1
            response_id = f"resp_{self.responses}"
        event: Json = {"type": kind, "response": {"id": response_id, **more}}
        if kind == "error":
            event = {"type": kind, "error": {"type": "server_error", "code": "c", "message": "m"}}
        if kind == "response.failed":
            event["response"]["error"] = {"code": "c", "message": "m"}
        self._emit(turn, event, owed)

    def _emit(self, turn: Turn, event: Json, owed: list[Json] | None = None) -> None:
        number = next(number for number, each in self.turns.items() if each is turn)
        if owed is not None:
            del self.turns[number]
        self.serving.emit(number, event, 0.0)
        shown = event | {"error": "c"} if event["type"] == "error" else event
        self.check(self.model.emit(turn, shown, owed or []))

    @precondition(lambda self: not self.over and not self.model.draining)
    @rule(sure=st.integers(0, 15))
    def drain(self, sure: int) -> None:
        if sure == 9:
            self.serving.drain(0.0)
            self.check(self.model.drain())

    @rule(sure=st.integers(0, 31))
    def lose(self, sure: int) -> None:
        if sure == 9:
            self.serving.lost(0.0)
            stopped = sorted(self.serving.actions(), key=repr)
            wanted = sorted((Stop(number) for number in self.turns), key=repr)
            require("a lost socket stops what runs", stopped == wanted, stopped, wanted)
            self.begin(*self.size)

    def teardown(self) -> None:
        """If the models answer, every turn ends, and nothing that was said is still owned."""
        if not hasattr(self, "model"):
            return
        for _ in range(300):
            if not self.turns:
                break
            self._end(self._pick(0), "response.completed", [], output=[])
        require("every turn ends if the models answer", not self.model.lanes.waiting)
        if not self.model.draining:
            self.serving.drain(0.0)
            self.check(self.model.drain())
        require("no bytes are counted for nothing", self.model.said_bytes == 0)


TestServingSteers = SteeringMachine.TestCase
TestServingSteers.settings = PROFILE
