"""Random histories of replies, players and interruptions: the server is told what was heard."""

# ruff: noqa: FBT001  # rules are called by name, with what Hypothesis draws

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from properties.invariants import require
from properties.profiles import PROFILE
from properties.realtime.listener import BLOCK, Device, Listener
from turnwire.core.realtime.interrupting import (
    ActiveResponse,
    Interruption,
    Truncate,
    can_interrupt,
    interrupt,
)
from turnwire.core.realtime.playback import HeardPart, Ledger, Part
from turnwire.core.realtime.playhead import Reported, VirtualClock
from turnwire.events.realtime.audio_format import PCM16, PCMU, AudioFormat

Kind = Literal["clock", "late player", "device", "device that knows"]
SLOW = AudioFormat("audio/pcm", 3000)  # every sample is played: few of them make it quick
FORMATS = (SLOW, SLOW, PCMU, PCM16, AudioFormat("audio/pcm", 4000))
LATEST = 0.019  # seconds that a late player needs to start

pick = st.integers(0, 719)
times = st.sampled_from([0.0, 0.001, 0.0137, 0.02, 0.05, 0.11, 1 / 7, 2.0])
lengths = st.sampled_from([1, 5, 20, 33, 100, 100, 150])  # ms
replies = st.lists(st.sampled_from([0, 0, 1, 1, 2]), min_size=1, max_size=4)  # items


@dataclass
class Spoken:
    """What the model says in one response, as a session knows it."""

    id: str
    cancelled: bool = False
    done: bool = False
    finished: set[Part] = field(default_factory=set[Part])


class Playing(RuleBasedStateMachine):
    """A ledger, those who really hear, and the server."""

    kind: Kind

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.1
        self.responses: list[Spoken] = []
        self.format = SLOW
        self.parts: list[Part] = []  # in the order of their first audio
        self.received_ms: dict[Part, float] = {}
        self.broken: set[Part] = set()
        self.silenced: set[str] = set()
        self.truncated: set[tuple[str, int]] = set()
        self.deleted: set[str] = set()
        self.before: dict[Part, int] = {}
        self.delays = [0.0]

    @initialize(delays=st.lists(st.floats(0, LATEST), min_size=1, max_size=4), items=replies)
    def begin(self, delays: list[float], items: list[int]) -> None:
        self.delays = delays
        if self.kind in ("clock", "late player"):
            self.ledger = Ledger(VirtualClock())
            self.listener = Listener(self.delay if self.kind == "late player" else lambda: 0.0)
        else:
            knows = self.kind == "device that knows"
            playhead = Reported(self.sounded_bytes if knows else None)
            self.ledger = Ledger(playhead)
            self.listener = Device(playhead, self.now)
        self.listener.advance(self.now)
        self.a_response_begins()
        self.a_reply_arrives_at_once(0, items)

    def delay(self) -> float:
        self.delays.append(self.delays.pop(0))
        return self.delays[0]

    def sounded_bytes(self) -> int:
        assert isinstance(self.listener, Device)
        return self.listener.sounded_bytes(self.now)

    @property
    def active(self) -> list[Spoken]:
        return [each for each in self.responses if not each.done]

    @precondition(lambda self: len(self.active) < 2)
    @rule()
    def a_response_begins(self) -> None:
        self.responses.append(Spoken(f"r{len(self.responses)}"))

    @precondition(lambda self: self.active)
    @rule(which=pick, item=st.integers(0, 2), content=st.integers(0, 1), length=lengths)
    def audio_arrives(self, which: int, item: int, content: int, length: int) -> None:
        response = self.active[which % len(self.active)]
        self.arrive(response, Part(response.id, f"{response.id}.{item}", content), length)

    @precondition(lambda self: self.active)
    @rule(which=pick, items=replies)
    def a_reply_arrives_at_once(self, which: int, items: list[int]) -> None:
        response = self.active[which % len(self.active)]
        for item in items:
            self.arrive(response, Part(response.id, f"{response.id}.{item}", 0), 60)

    def arrive(self, response: Spoken, part: Part, length: int) -> None:
        size_bytes = self.format.bytes_in(length)
        if part in response.finished:
            return
        if response.id in self.silenced:
            # A ledger that was flushed before the response's first audio knows nothing of it.
            if part in self.broken:
                taken = self.ledger.received(part, size_bytes, self.format, self.now)
                require("what comes late is refused", not taken)
            return
        if part not in self.received_ms:
            self.parts.append(part)
            self.received_ms[part] = 0.0
        self.received_ms[part] += length
        taken = self.ledger.received(part, size_bytes, self.format, self.now)
        require("what is to be heard is taken", taken)
        self.listener.hand(part, size_bytes, self.format, self.now)

    @precondition(lambda self: self.parts)
    @rule(which=pick)
    def a_part_ends(self, which: int) -> None:
        part = self.parts[which % len(self.parts)]
        self.response_of(part).finished.add(part)
        self.ledger.finished(part)

    @precondition(lambda self: self.active)
    @rule(which=pick)
    def a_response_ends(self, which: int) -> None:
        response = self.active[which % len(self.active)]
        response.done = True
        self.silenced.discard(response.id)
        self.ledger.finished_response(response.id)

    @rule(which=pick)
    def the_format_changes(self, which: int) -> None:
        self.format = FORMATS[which % len(FORMATS)]

    @rule(seconds=times)
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.listener.advance(self.now)

    @rule(
        reason=st.sampled_from(["speech_started", "caller"]),
        cancel=st.sampled_from([True, False, "auto"]),
        server_interrupts=st.booleans(),
        unheard=st.sampled_from(["delete", "delete", "truncate_zero", "keep"]),
        scope=st.sampled_from([None, None, None, 0, 1]),
    )
    def somebody_interrupts(
        self, reason: str, cancel: Any, server_interrupts: bool, unheard: Any, scope: int | None
    ) -> None:
        response_id = self.scoped(scope)
        active = [ActiveResponse(each.id, each.cancelled) for each in self.active]
        concerned = [part for part in self.parts if self.is_open(part, response_id)]
        runs = [
            each.id for each in self.active if not each.cancelled and response_id in (None, each.id)
        ]
        unheard_ms = {part: self.listener.unheard_ms(part, self.now) for part in self.parts}
        found: Interruption | None = None
        if can_interrupt(self.ledger.heard(self.now), active, response_id):
            found = interrupt(
                self.ledger.flush(self.now, response_id),
                active,
                reason=reason,
                cancel=cancel,
                server_interrupts=server_interrupts,
                unheard=unheard,
                response_id=response_id,
            )
        waits = any(unheard_ms[part] > self.error_ms for part in concerned)
        require("what runs or sounds is interrupted", found is not None or not (runs or waits))
        if self.kind in ("clock", "late player"):
            silent = not runs and not any(unheard_ms[part] for part in concerned)
            require("silence is not interrupted", found is None or not silent)
        if found is None:
            return
        self.check_cancels(found, runs, reason, cancel, server_interrupts)
        self.check_edits(found)
        if self.kind == "clock":
            expected = self.expected_edits(concerned, unheard)
            require("as the listener heard it", alike(found, *expected), found, *expected)
            dropped_ms = sum(unheard_ms[part] for part in concerned)
            require(
                "what is dropped is counted",
                math.isclose(found.dropped_ms, dropped_ms, abs_tol=0.4),
            )
        self.after(found, response_id, concerned, reason, server_interrupts)

    # What a session does, told apart from what is tested.

    def scoped(self, scope: int | None) -> str | None:
        """Return a response to interrupt alone; a device must know what it plays for that."""
        recent = self.responses[-2:]
        if scope is None or scope >= len(recent) or self.kind == "device":
            return None
        return recent[scope].id

    def response_of(self, part: Part) -> Spoken:
        return next(each for each in self.responses if each.id == part.response_id)

    def is_open(self, part: Part, response_id: str | None) -> bool:
        return (
            part not in self.broken
            and response_id in (None, part.response_id)
            and (
                self.listener.unheard_ms(part, self.now) > 0
                or not (part in self.response_of(part).finished or self.response_of(part).done)
            )
        )

    def after(
        self,
        found: Interruption,
        response_id: str | None,
        concerned: list[Part],
        reason: str,
        server_interrupts: bool,
    ) -> None:
        stopped = {
            each.part
            for each in self.ledger.heard(self.now)
            if each.interrupted and each.part not in self.broken
        }
        if self.kind == "clock":
            require("what was broken off stays so", stopped == {*concerned})
        self.broken |= stopped
        self.listener.stop(self.now, lambda part: response_id in (None, part.response_id))
        for each in self.active:
            the_server_does = reason == "speech_started" and server_interrupts
            each.cancelled |= each.id in found.cancels or (
                the_server_does and response_id in (None, each.id)
            )
        active = {each.id for each in self.active}
        require("only what runs is silenced", active.issuperset(found.tombstones))
        self.silenced |= {*found.tombstones}

    @property
    def error_ms(self) -> float:
        """How far the ledger may be from the truth: a block of the device, or 20 ms."""
        return 1.0 if self.kind == "clock" else 1000 * BLOCK + 1.0

    def expected_edits(
        self, concerned: list[Part], unheard: str
    ) -> tuple[list[Truncate], list[str]]:
        """Say from the listener's samples what is to be cut."""
        truncates: list[Truncate] = []
        deletes: list[str] = []
        for item_id in dict.fromkeys(part.item_id for part in self.parts):
            left = [part for part in concerned if part.item_id == item_id]
            of_item = [part for part in self.parts if part.item_id == item_id]
            begun = any(self.heard_ms(part) >= 1 for part in of_item)
            if left and not begun and unheard == "delete":
                deletes.append(item_id)
            else:
                truncates += [
                    Truncate(item_id, part.content_index, self.heard_ms(part))
                    for part in left
                    if self.heard_ms(part) >= 1 or unheard != "keep"
                ]
        return truncates, deletes

    def heard_ms(self, part: Part) -> int:
        return int(self.listener.heard_ms(part, self.now) + 1e-6)

    def check_cancels(
        self,
        found: Interruption,
        runs: list[str],
        reason: str,
        cancel: Any,
        server_interrupts: bool,
    ) -> None:
        cancels = cancel is True or (
            cancel == "auto" and not (reason == "speech_started" and server_interrupts)
        )
        require("each response is cancelled once", found.cancels == tuple(runs if cancels else []))

    def check_edits(self, found: Interruption) -> None:
        for item_id, content_index, audio_end_ms in found.truncates:
            part = next(
                each
                for each in self.parts
                if (each.item_id, each.content_index) == (item_id, content_index)
            )
            sounded_ms = self.listener.heard_ms(part, self.now)
            knows = self.kind in ("clock", "device that knows")
            too_early = sounded_ms - audio_end_ms > (1.0 if knows else self.error_ms)
            too_late = audio_end_ms - sounded_ms > (1e-6 if knows else self.error_ms)
            require("the cut is where the listener was", not (too_early or too_late), found)
            require("the server has so much", 0 <= audio_end_ms <= self.received_ms[part])
            require("each part is cut once", (item_id, content_index) not in self.truncated)
            require("what is deleted is not cut", item_id not in self.deleted)
            self.truncated.add((item_id, content_index))
        for item_id in found.deletes:
            heard = [
                self.listener.heard_ms(part, self.now)
                for part in self.parts
                if part.item_id == item_id
            ]
            require("what was heard stays", max(heard) < self.error_ms)
            require("each item is deleted once", item_id not in self.deleted)
            self.deleted.add(item_id)

    @invariant()
    def the_ledger_is_true(self) -> None:
        if not self.responses:
            return
        known = self.ledger.heard(self.now)
        require("every part is known", [each.part for each in known] == self.parts)
        for each in known:
            self.check_heard(each)
        waiting = sum(
            self.listener.unheard_ms(part, self.now)
            for part in self.parts
            if part not in self.broken
        )
        if self.kind == "clock":
            require(
                "it plays while something waits", self.ledger.is_playing(self.now) == (waiting > 0)
            )
            unheard_ms = self.ledger.unheard_ms(self.now)
            require("what waits is counted", math.isclose(unheard_ms, waiting, abs_tol=0.4))
            end = self.ledger.next_change(self.now)
            ends = max(
                (track.ends[-1] for track in self.listener.tracks.values() if track.ends),
                default=0.0,
            )
            require("the end is known", end is None or math.isclose(end, ends, abs_tol=1e-3))
            require("the end is expected", (end is not None) == (waiting > 0))

    def check_heard(self, each: HeardPart) -> None:
        received_ms = self.received_ms[each.part]
        require("received", math.isclose(each.received_ms, received_ms, abs_tol=1e-6))
        require("heard of what was received", 0 <= each.heard_ms <= int(received_ms + 1e-6))
        require(
            "nothing is unheard again",
            each.heard_ms >= self.before.get(each.part, 0) or each.interrupted,
        )
        sounded_ms = self.listener.heard_ms(each.part, self.now)
        error = abs(each.heard_ms - sounded_ms)
        require("heard as it sounded", error <= self.error_ms, sounded_ms, each)
        early = self.kind == "late player"  # who does not know of the delay
        require("heard after it sounded", early or each.heard_ms <= sounded_ms + 1e-6)
        require("what was broken off waits for nothing", not (each.interrupted and each.unheard_ms))
        self.before[each.part] = each.heard_ms


def alike(found: Interruption, truncates: list[Truncate], deletes: list[str]) -> bool:
    """Return whether the same is cut, at most a millisecond apart, and the same deleted."""
    return (
        len(found.truncates) == len(truncates)
        and all(
            one[:2] == other[:2] and abs(one.audio_end_ms - other.audio_end_ms) <= 1
            for one, other in zip(found.truncates, truncates, strict=True)
        )
        and [*found.deletes] == deletes
    )


class ClockMachine(Playing):
    kind = "clock"


class LatePlayerMachine(Playing):
    kind = "late player"


class DeviceMachine(Playing):
    kind = "device"


class KnowingDeviceMachine(Playing):
    kind = "device that knows"


# Four times the same rules: a quarter of the histories each.
FEWER = settings(PROFILE, max_examples=max(PROFILE.max_examples // 4, 200))
TestClock = ClockMachine.TestCase
TestClock.settings = FEWER
TestLatePlayer = LatePlayerMachine.TestCase
TestLatePlayer.settings = FEWER
TestDevice = DeviceMachine.TestCase
TestDevice.settings = FEWER
TestKnowingDevice = KnowingDeviceMachine.TestCase
TestKnowingDevice.settings = FEWER
