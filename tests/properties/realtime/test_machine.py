"""Random histories of a talk: whatever becomes of sockets and events, nothing is lost silently."""

# ruff: noqa: FBT001  # rules are called by name, with what Hypothesis draws

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from properties.invariants import require
from properties.profiles import PROFILE
from properties.realtime.wire import MISHAPS, Wire, is_busy
from turnwire.core.failure import Failure
from turnwire.core.realtime.sequencer import Slot
from turnwire.core.realtime.uplink import Samples
from turnwire.events import realtime as wire
from turnwire.gateway.voice.settings import VoiceSettings
from turnwire.testing.realtime import oracle
from turnwire.testing.realtime.script import call, counted, reply, text
from turnwire.testing.realtime.sounds import counted as counted_audio

USER = 7  # the number of the user's audio
MS = 24  # samples
BODIES: tuple[dict[str, Any] | None, ...] = (
    None,
    None,
    {"instructions": "whisper"},
    {"conversation": "none", "output_modalities": ["text"]},
    {"conversation": "none"},
)
pick = st.integers(0, 719)
times = st.sampled_from([0.0, 0.003, 0.011, 0.05, 0.2, 0.7, 2.0, 9.0])


def said(asked: Any) -> Any:
    """Answer in turn with one item, two, words, and a call."""
    replies = (
        reply(counted(900)),
        reply(counted(400), counted(500)),
        reply(text("so it is")),
        reply(call("weather", f"call_{asked.number}_{len(asked.items)}")),
        reply(counted(6000)),
    )
    return replies[asked.number % len(replies)]


def message(words: str) -> dict[str, Any]:
    content = [{"type": "input_text", "text": words}]
    return {"type": "message", "role": "user", "content": content}


class Talk(RuleBasedStateMachine):
    """A caller, its machine, the server, and the way between them."""

    detects = True

    @initialize(
        speed=st.sampled_from([1.5, 8.0, 1000.0]),
        created_delay=st.sampled_from([0.0, 0.0, 0.3]),
        late_chunks=st.sampled_from([0, 2]),
        chunks_after_done=st.sampled_from([0, 2]),
        shorter_ms=st.sampled_from([0, 85]),
        interrupts=st.booleans(),
        answers=st.booleans(),
        max_age=st.sampled_from([3600.0, 3600.0, 60.0]),
        ready_on=st.sampled_from(["created", "created", "updated"]),
        unheard=st.sampled_from(["delete", "truncate_zero", "keep"]),
    )
    def begin(
        self,
        *,
        speed: float,
        created_delay: float,
        late_chunks: int,
        chunks_after_done: int,
        shorter_ms: int,
        interrupts: bool,
        answers: bool,
        max_age: float,
        ready_on: str,
        unheard: str,
    ) -> None:
        detection = {
            "type": "server_vad",
            "interrupt_response": interrupts,
            "create_response": answers,
        }
        self.line = Wire(
            said,
            session={"turn_detection": detection if self.detects else None},
            voice=VoiceSettings(
                speed=speed,
                created_delay=created_delay,
                late_chunks=late_chunks,
                chunks_after_done=chunks_after_done,
                shorter_ms=shorter_ms,
                max_age=max_age,
            ),
            ready_on=ready_on,
            unheard=unheard,
            quick_death=0.0,
            renew_margin=20.0,
            renew_latest=5.0,
        )
        self.samples = 0  # of the user's, so far
        self.commits: list[int] = []  # after which sample
        self.responses: list[int] = []  # tickets
        self.others: list[int] = []
        self.made: list[str] = []  # ids of items
        self.asks = 0
        self.line.start()

    @property
    def over(self) -> bool:
        return bool(self.line.ended)

    def do(self, wish: Any) -> Any:
        return self.line.do(wish)

    # The user.

    @precondition(lambda self: not self.over)
    @rule(ms=st.sampled_from([5, 20, 90, 150, 300]), pieces=st.integers(1, 3))
    def speaks(self, ms: int, pieces: int) -> None:
        for _ in range(pieces):
            audio = counted_audio(USER, self.samples, self.samples + ms * MS)
            self.samples += ms * MS
            self.do(lambda machine, audio=audio: machine.append(audio, self.line.now))
            self.line.run(ms / 1000)

    @precondition(lambda self: not self.over and self.detects)
    @rule()
    def is_silent(self) -> None:
        self.do(lambda machine: machine.append(bytes(48 * 600), self.line.now))
        self.line.run(0.6)

    @precondition(lambda self: not self.over)
    @rule()
    def commits_audio(self) -> None:
        if self.do(lambda machine: machine.commit()) is None:
            self.commits.append(self.samples)

    # The caller.

    @precondition(lambda self: not self.over)
    @rule(
        words=st.sampled_from(["hello", "and then?"]), responds=st.booleans(), first=st.booleans()
    )
    def says(self, words: str, responds: bool, first: bool) -> None:
        place = "root" if first else None
        item_id, ticket = self.do(lambda machine: machine.create_item(message(words), place))
        self.made.append(item_id)
        self.others.append(ticket)
        if responds:
            self.wishes(0)

    @precondition(lambda self: not self.over)
    @rule(body=st.integers(0, len(BODIES) - 1))
    def wishes(self, body: int) -> None:
        asked = BODIES[body]
        self.responses.append(self.do(lambda machine: machine.ask_response(asked, self.line.now)))

    @precondition(lambda self: not self.over)
    @rule(which=pick, responds=st.booleans())
    def answers_a_call(self, which: int, responds: bool) -> None:
        calls = [one for one in self.line.machine.history() if one["type"] == "function_call"]
        if not calls:
            return
        call_id = calls[which % len(calls)]["call_id"]
        output = {"type": "function_call_output", "call_id": call_id, "output": "rain"}
        self.others.append(self.do(lambda machine: machine.create_item(output))[1])
        if responds:
            self.wishes(0)

    @precondition(lambda self: not self.over and self.made)
    @rule(which=pick)
    def deletes(self, which: int) -> None:
        item_id = self.made.pop(which % len(self.made))
        self.others.append(self.do(lambda machine: machine.delete_item(item_id)))

    @precondition(lambda self: not self.over)
    @rule(instructions=st.sampled_from(["be brief", "be kind"]), bad=st.booleans())
    def updates(self, instructions: str, bad: bool) -> None:
        fields = {"output_modalities": ["smell"]} if bad else {"instructions": instructions}
        self.others.append(self.do(lambda machine: machine.update_session(fields, self.line.now)))

    @precondition(lambda self: not self.over)
    @rule(cancel=st.sampled_from(["auto", True, False]))
    def interrupts(self, cancel: Any) -> None:
        self.do(lambda machine: machine.interrupt(self.line.now, cancel=cancel))

    @precondition(lambda self: not self.over)
    @rule()
    def cancels(self) -> None:
        self.do(lambda machine: machine.cancel_response(None, self.line.now))

    @precondition(lambda self: not self.over)
    @rule()
    def renews(self) -> None:
        self.do(lambda machine: machine.renew(self.line.now))

    # The way.

    @precondition(lambda self: not self.over)
    @rule(seconds=times)
    def waits(self, seconds: float) -> None:
        self.line.run(seconds)

    @precondition(lambda self: not self.over and self.line.machine.status.value == "connected")
    @rule(
        code=st.sampled_from([1001, 1006, 1006, 1011]),
        dials=st.lists(st.sampled_from(["fail", "refuse", "close"]), max_size=2),
    )
    def drops(self, code: int, dials: list[str]) -> None:
        self.line.dials = list(dials)
        self.line.drop(code)

    @precondition(lambda self: not self.over)
    @rule(stalled=st.booleans())
    def stalls(self, stalled: bool) -> None:
        if stalled:
            self.line.stalled = True
        else:
            self.line.flow()

    @precondition(lambda self: not self.over)
    @rule(which=st.sampled_from(sorted(MISHAPS)))
    def goes_wrong(self, which: str) -> None:
        self.line.mishaps.append(which)

    @precondition(lambda self: not self.over and self.line.machine.status.value == "connected")
    @rule(late=pick)
    def says_what_nobody_knows(self, late: int) -> None:
        self.line.say({"type": f"novelty.{late}", "response_id": "resp_x", "item_id": "i"})

    # What is always true.

    @invariant()
    def nobody_hears_of_a_second_response(self) -> None:
        answers = [one for answers in self.line.answers.values() for one in answers]
        busy = [one for one in (*self.line.events, *answers) if is_busy(one)]
        require("no caller hears that a response was active", not busy, *busy)

    @invariant()
    def answers_come_once(self) -> None:
        for ticket in self.others:
            answers = self.line.answers.get(ticket, [])
            require("an answer comes once", len(answers) <= 1, answers)
        for ticket in self.responses:
            kinds = [self.kind(one) for one in self.line.answers.get(ticket, [])]
            orders = (
                [], ["failure"], ["created"], ["created", "done"], ["created", "failure"], ["done"],
            )  # fmt: skip
            require("a response is created, then done", kinds in orders, kinds)

    @staticmethod
    def kind(answer: object) -> str:
        if isinstance(answer, Failure):
            return "failure"
        return "created" if isinstance(answer, wire.ResponseCreatedEvent) else "done"

    @invariant()
    def little_is_kept(self) -> None:
        state = self.line.machine._state
        require("few questions are open", len(state.questions) <= 200, len(state.questions))
        require("little is held", len(state.held) <= 257, len(state.held))

    # The end of it.

    def teardown(self) -> None:
        if not hasattr(self, "line"):
            return
        self.line.mishaps.clear()
        self.line.dials.clear()
        self.line.flow()
        if not self.over and self.detects:
            self.is_silent()
        self.line.run(400)
        for _ in range(20):  # sessions that are short are renewed all the time
            if self.line.machine._state.questions:
                self.line.run(0.5)
        for ticket in (*self.responses, *self.others):
            answers = self.line.answers.get(ticket, [])
            ended = bool(answers) and self.kind(answers[-1]) != "created"
            require("nobody waits for ever", ended or self.is_item(ticket, answers), ticket)
        self.answers_come_once()
        self.nobody_hears_of_a_second_response()
        if self.over:
            return
        self.check_rest()
        self.check_audio()
        self.check_talk()

    def is_item(self, ticket: int, answers: list[Any]) -> bool:
        return ticket in self.others and bool(answers)

    def check_rest(self) -> None:
        state = self.line.machine._state
        left = {
            "questions": state.questions,
            "running": state.running,
            "outside": state.outside,
            "later": state.outside_later,
            "announced": state.announced,
            "control": list(state.connection.control) if state.connection else [],
            "marks": [one for one in state.uplink._queue if not isinstance(one, Samples)],
        }
        require("nothing is left when all is quiet", not any(left.values()), left)
        slot = (state.sequencer.slot, state.sequencer.waiting)
        require("the next response may be asked for", slot == (Slot.FREE, 0), slot)
        deadline = self.line.machine.deadline(self.line.now)
        require("no deadline is in the past", deadline is None or deadline > self.line.now)

    def check_audio(self) -> None:
        """All that was said came to a server, each sample once on each socket, or was dropped."""
        dropped_ms = sum(one.ms for one in self.line.of(wire.AudioDroppedEvent))
        came: set[tuple[int, int]] = set()
        for generation, seen in self.line.seen.items():
            runs = [run for run in oracle.read(bytes(seen.audio)) if run.item == USER]
            for one, other in pairwise(runs):
                ordered = one.last <= other.first
                require("no sample comes twice, and in order", ordered, generation, one, other)
            came |= {(run.first, run.last) for run in runs}
        missing = self.samples - covered(came)
        require("no speech is lost silently", missing <= dropped_ms * MS + 0.5, missing, dropped_ms)
        if not self.line.hurt and not dropped_ms:
            self.check_items()

    def check_items(self) -> None:
        """What was committed is in items, up to each commit."""
        runs = [
            run
            for served in self.line.sockets.values()
            for item in self.user_items(served.session)
            for run in oracle.read(item)
            if run.item == USER
        ]
        ends = {run.last for run in runs}
        refused = sum(seen.refused_commits for seen in self.line.seen.values())
        if not self.detects:
            missing = [one for one in self.commits if one not in ends]
            require("each commit makes an item", len(missing) <= refused, missing, ends)
        elif not refused:
            missing_samples = self.samples - covered({(run.first, run.last) for run in runs})
            heard = missing_samples < 150 * MS  # too short to be speech
            require("all speech comes into items", heard, missing_samples, sorted(ends))

    @staticmethod
    def user_items(session: Any) -> list[bytes]:
        items = [one for one in session.items if one.value.get("role") == "user"]
        return [bytes(track.data) for one in items for track in one.tracks.values() if track.data]

    def check_talk(self) -> None:
        """Another session is told all of it, in its order, and both sides believe the same."""
        if self.line.hurt:
            return
        state = self.line.machine._state
        here = [one["id"] for one in self.line.machine.history()]
        there = [item.id for item in self.line.live.session.items]
        lost = {
            item for one in self.line.of(wire.ReconnectedEvent) for item in one.lost
        } | state.live.held
        same = [one for one in here if one not in lost] == [one for one in there if one not in lost]
        require("both sides know the same items", same, here, there)
        self.line.drop()
        self.line.run(60)
        if self.over:
            return
        there = [item.id for item in self.line.live.session.items]
        lost = {*self.line.of(wire.ReconnectedEvent)[-1].lost, *state.live.held}
        here = [one["id"] for one in self.line.machine.history() if one["id"] not in lost]
        require("a new session is told all, in order", here == there, here, there)


def covered(runs: set[tuple[int, int]]) -> int:
    """Return how many samples are in any of the runs."""
    count = end = 0
    for first, last in sorted(runs):
        count += max(0, last - max(first, end))
        end = max(end, last)
    return count


class PushToTalk(Talk):
    """The same without detection: the caller commits."""

    detects = False


# A history takes its time here: a server of its own, and audio in which each sample counts.
FEWER = settings(PROFILE, max_examples=min(PROFILE.max_examples // 4, 200))
TestTalk = Talk.TestCase
TestTalk.settings = FEWER
TestPushToTalk = PushToTalk.TestCase
TestPushToTalk.settings = FEWER
