"""Random histories of replies, interruptions and delays: the caller and the ledger agree.

The far end is the simulator, which knows nothing of marks' names.  What the model said is kept
here as plain bytes, and what must have been heard of it follows from when the far end was cleared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from properties.profiles import PROFILE
from realtime.twilio.far_end import FarEnd
from turnwire.core.realtime.playback import Ledger, Part
from turnwire.events.realtime import PCMU
from turnwire.realtime.twilio import MediaStream, Playout

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK_MS = 100
ROUNDING_BYTES = 2
LATENCIES = (0.0, 0.004, 0.03, 0.13)


@dataclass
class Said:
    """Some audio that the model made and nobody interrupted yet."""

    part: Part
    audio: bytes


def rests(said: list[Said], position: int, alive: set[Part]) -> Iterator[Said]:
    """Return what is to be heard of some parts behind a place."""
    for each in said:
        rest = each.audio[max(0, position) :]
        position -= len(each.audio)
        if rest and each.part in alive:
            yield Said(each.part, rest)


class Calling(RuleBasedStateMachine):
    """A ledger, a playout, a line, and a caller."""

    def __init__(self) -> None:
        super().__init__()
        self.latency = 0.0
        self.parts = [Part("resp_0", "item_0", 0)]
        self.expected = b""  # what was heard for sure, before the last clear
        self.said: list[Said] = []  # since then
        self.next_byte = 0
        self.before = 0  # bytes that the ledger took for heard, before the last clear

    @initialize(latency=st.sampled_from(LATENCIES))
    def begin(self, latency: float) -> None:
        self.latency = latency
        self.playout = Playout(MARK_MS)
        self.ledger = Ledger(self.playout)
        self.far = FarEnd(MediaStream(self.playout), latency)
        self.far.until(1.0)

    # What happens.

    @rule(ms=st.sampled_from([0.125, 1, 7, 20, 33, 60, 100, 100, 260, 1000]))
    def says(self, ms: float) -> None:
        part = self.parts[-1]
        size = PCMU.bytes_in(ms)
        audio = bytes((self.next_byte + each) * 7 % 251 for each in range(size))
        self.next_byte += size
        if self.ledger.received(part, size, PCMU, self.far.now):
            self.playout.play(part, audio)
            self.said.append(Said(part, audio))
        self.far.settle()

    @rule(new_response=st.booleans())
    def ends_an_item(self, new_response: bool) -> None:  # noqa: FBT001
        self.ledger.finished(self.parts[-1])
        self.playout.finish()
        response = f"resp_{len(self.parts)}" if new_response else self.parts[-1].response_id
        self.parts.append(Part(response, f"item_{len(self.parts)}", 0))
        self.far.settle()

    @rule(seconds=st.sampled_from([0.001, 0.0137, 0.05, 0.1, 0.33, 2.0]))
    def time_passes(self, seconds: float) -> None:
        self.far.until(self.far.now + seconds)

    @rule()
    def is_interrupted(self) -> None:
        self.break_off(None)

    @rule(pick=st.integers(0, 9))
    def one_response_is_interrupted(self, pick: int) -> None:
        self.break_off(self.parts[pick % len(self.parts)].response_id)

    def break_off(self, response_id: str | None) -> None:
        true = len(self.far.call.playing.heard) - len(self.expected)
        received = {each.part: each.received_ms for each in self.ledger.heard(self.far.now)}
        parts = self.ledger.flush(self.far.now, response_id)
        assert all(each.heard_ms <= received[each.part] for each in parts)
        alive = {each.part for each in self.ledger.heard(self.far.now) if not each.interrupted}
        position = self.playout.played_bytes(self.far.now) - self.before
        self.before += position
        unsure = PCMU.bytes_in(self.latency * 1000) + ROUNDING_BYTES
        assert abs(position - true) <= unsure, (position, true)
        clears = len(self.far.cleared_at)
        self.far.settle()
        self.far.until(self.far.now + self.latency)
        if len(self.far.cleared_at) > clears:
            self.take_clear()
        self.said = [*rests(self.said, position, alive)]

    def take_clear(self) -> None:
        heard, begin = bytes(self.far.call.playing.heard), len(self.expected)
        cleared = self.far.cleared_at[-1]
        everything = b"".join(each.audio for each in self.said)
        assert heard[begin:cleared] == everything[: cleared - begin]
        self.expected = heard[:cleared]

    # What is always so.

    @invariant()
    def nothing_is_heard_but_what_was_said(self) -> None:
        if not hasattr(self, "far"):
            return
        heard = bytes(self.far.call.playing.heard)[len(self.expected) :]
        everything = b"".join(each.audio for each in self.said)
        assert everything.startswith(heard)

    @invariant()
    def marks_are_rare(self) -> None:
        if not hasattr(self, "far"):
            return
        sent = sum(1 for _ in self.far.sent("media"))
        marks = sum(1 for _ in self.far.sent("mark"))
        assert marks * 100 <= sent * 20 + 100

    def teardown(self) -> None:
        if not hasattr(self, "far"):
            return
        self.playout.finish()
        self.far.settle()
        self.far.until(self.far.now + 60)  # far more than is ever said
        everything = b"".join(each.audio for each in self.said)
        assert bytes(self.far.call.playing.heard) == self.expected + everything
        assert not self.ledger.is_playing(self.far.now)


TestCalling = Calling.TestCase
TestCalling.settings = settings(PROFILE, max_examples=PROFILE.max_examples // 4)
