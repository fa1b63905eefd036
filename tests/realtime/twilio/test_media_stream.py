"""A stream without sockets: what is sent, when, and what was heard of it."""

from __future__ import annotations

import msgspec
import pytest

from realtime.twilio.far_end import FarEnd
from turnwire.core.realtime.playback import Ledger, Part
from turnwire.events.realtime import PCM16, PCMU
from turnwire.realtime.twilio import MediaStream, Playout
from turnwire.realtime.twilio.events import Clear, Play
from turnwire.testing.realtime import counted_audio, read

FIRST = Part("resp_1", "item_1", 0)
SECOND = Part("resp_1", "item_2", 0)


class Talk:
    """A ledger over a playout, as a session has it, and a line."""

    def __init__(self, latency: float = 0.0, mark_ms: float = 100.0) -> None:
        self.playout = Playout(mark_ms)
        self.ledger = Ledger(self.playout)
        self.far = FarEnd(MediaStream(self.playout), latency)
        self.far.until(2 * latency)
        self.begin = self.far.now

    def says(self, part: Part, ms: float, number: int = 1) -> None:
        size = PCMU.bytes_in(ms)
        if self.ledger.received(part, size, PCMU, self.far.now):
            self.playout.play(part, counted_audio(number, 0, size, sample_bytes=1))
        self.far.settle()

    def ends(self, part: Part) -> None:
        self.ledger.finished(part)
        self.playout.finish()
        self.far.settle()

    def after(self, seconds: float) -> None:
        self.far.until(self.begin + seconds)

    def heard_ms(self) -> list[int]:
        return [each.heard_ms for each in self.ledger.heard(self.far.now)]


def test_audio_goes_in_messages_of_20_ms_with_a_mark_every_100() -> None:
    talk = Talk()
    for _ in range(13):
        talk.says(FIRST, 33)
    assert [event for _, event in talk.far.call.received][5] == {
        "event": "mark",
        "streamSid": "MZ0001",
        "mark": {"name": "turnwire:1:800"},
    }
    kinds = [event["event"] for _, event in talk.far.call.received]
    assert kinds == (["media"] * 5 + ["mark"]) * 4 + ["media"]
    talk.ends(FIRST)
    assert len(talk.far.sent("media")) == 22  # 429 ms
    talk.after(1)
    assert len(talk.far.call.playing.heard) == 429 * 8


def test_nothing_is_sent_before_the_stream_has_a_name_and_nothing_is_lost() -> None:
    stream = MediaStream(Playout())
    stream.playout.handed_over(800, PCMU, 0.0)
    stream.playout.play(FIRST, bytes(800))
    assert stream.pull(1.0) is None
    assert stream.playout.played_bytes(5.0) == 0
    stream.received({"event": "start", "start": {"streamSid": "MZ1"}}, 5.0)
    sent = []
    while (message := stream.pull(5.0)) is not None:
        sent.append(msgspec.json.decode(message)["event"])
    assert sent == ["media"] * 5 + ["mark"]
    assert stream.playout.played_bytes(5.05) == 400


@pytest.mark.parametrize("latency", [0.0, 0.03, 0.08])
def test_between_marks_time_says_how_far_it_is(latency: float) -> None:
    talk = Talk(latency)
    talk.says(FIRST, 1000)
    for at in (0.21, 0.255, 0.399, 0.77):
        talk.after(at)
        true = len(talk.far.call.playing.heard) / 8
        (heard,) = talk.heard_ms()
        assert abs(heard - true) <= latency * 1000 + 1


def test_a_line_that_plays_nothing_has_been_heard_to_its_next_mark_at_most() -> None:
    playout = Playout()
    stream = MediaStream(playout)
    stream.received({"event": "start", "start": {"streamSid": "MZ1"}}, 0.0)
    playout.handed_over(1600, PCMU, 0.0)
    playout.play(FIRST, bytes(1600))
    while stream.pull(0.0) is not None:
        pass
    assert [playout.played_bytes(at) for at in (0.0, 0.05, 0.1, 9.0)] == [0, 400, 800, 800]
    stream.received({"event": "mark", "mark": {"name": "turnwire:1:800"}}, 9.5)
    assert [playout.played_bytes(at) for at in (9.5, 9.55, 99.0)] == [800, 1200, 1600]
    assert (playout.next_change(99.0), playout.next_change(99.0)) == (None, None)


def test_what_is_not_sent_has_not_been_heard() -> None:
    playout = Playout()
    playout.handed_over(1600, PCMU, 0.0)
    playout.play(FIRST, bytes(1600))
    playout.pull(0.0)
    assert playout.played_bytes(1.0) == 160


def test_a_pause_of_the_model_is_not_heard_as_audio() -> None:
    talk = Talk()
    talk.says(FIRST, 100)
    talk.after(3)
    talk.says(FIRST, 300)
    talk.after(3.05)
    assert talk.heard_ms() == [150]


def test_a_rest_without_a_mark_is_heard_when_its_time_is_over() -> None:
    talk = Talk()
    talk.says(FIRST, 160)
    talk.ends(FIRST)
    assert talk.ledger.next_change(talk.far.now) == pytest.approx(0.16)
    talk.after(0.15)
    assert (talk.heard_ms(), talk.ledger.is_playing(talk.far.now)) == ([150], True)
    talk.after(0.16)
    assert (talk.heard_ms(), talk.ledger.is_playing(talk.far.now)) == ([160], False)


def test_an_interruption_clears_the_line_before_anything_else() -> None:
    talk = Talk(latency=0.02)
    talk.says(FIRST, 1000)
    talk.ends(FIRST)
    talk.says(SECOND, 1000, number=2)
    talk.after(0.5)
    before = len(talk.far.call.received)
    parts = talk.ledger.flush(talk.far.now)
    talk.says(Part("resp_2", "item_3", 0), 40, number=3)
    talk.after(2)
    kinds = [event["event"] for _, event in talk.far.call.received[before:]]
    assert kinds == ["clear", "media", "media"]
    heard = read(bytes(talk.far.call.playing.heard), sample_bytes=1)
    assert [run.item for run in heard] == [1, 3]
    assert [each.heard_ms for each in parts] == [460, 0]  # of 480: a mark needs 20 ms
    assert talk.playout.marks_ignored == 16


def test_what_was_not_sent_is_never_sent_after_an_interruption() -> None:
    playout = Playout()
    ledger = Ledger(playout)
    ledger.received(FIRST, 1600, PCMU, 0.0)
    playout.play(FIRST, bytes(1600))
    assert [playout.pull(0.0), playout.pull(0.0)] == [Play(bytes(160))] * 2
    assert [each.heard_ms for each in ledger.flush(1.0)] == [40]
    playout.finish()
    assert [playout.pull(1.0), playout.pull(1.0)] == [Clear(), None]


def test_echoes_of_cleared_marks_say_nothing_about_the_next_reply() -> None:
    talk = Talk(latency=0.05)
    talk.says(FIRST, 1000)
    talk.after(0.405)
    talk.ledger.flush(talk.far.now)
    talk.says(Part("resp_2", "item_2", 0), 1000, number=2)
    talk.after(0.605)  # 150 ms of it have been played
    assert talk.heard_ms() == [305, 100]
    talk.after(0.615)
    assert talk.heard_ms() == [305, 110]
    assert (talk.playout.marks_sent, talk.playout.marks_ignored) == (20, 7)


def test_what_was_not_interrupted_goes_on_where_it_was() -> None:
    talk = Talk()
    other = Part("resp_2", "item_2", 0)
    talk.says(FIRST, 300)
    talk.says(other, 500, number=2)
    talk.after(0.1)
    talk.ledger.flush(talk.far.now, "resp_1")
    talk.far.settle()
    talk.after(0.35)
    talk.says(Part("resp_3", "item_3", 0), 100, number=3)
    talk.ledger.flush(talk.far.now, "resp_3")
    talk.far.settle()
    talk.after(2)
    assert talk.heard_ms() == [100, 500, 0]
    heard = read(bytes(talk.far.call.playing.heard), sample_bytes=1)
    assert [(run.item, run.first, run.count) for run in heard] == [(1, 0, 800), (2, 0, 4000)]
    assert not talk.ledger.is_playing(talk.far.now)


def test_a_line_that_was_given_nothing_is_not_cleared() -> None:
    talk = Talk()
    talk.ledger.flush(0.0)
    talk.says(FIRST, 10)
    talk.ledger.flush(0.0)
    talk.after(1)
    assert talk.far.call.received == []


def test_an_echo_that_comes_twice_or_from_nowhere_moves_nothing() -> None:
    talk = Talk()
    talk.says(FIRST, 1000)
    talk.after(0.25)
    for name in ("turnwire:1:800", "turnwire:1:160", "turnwire:9:8000", "turnwire:x", "turnwire:"):
        talk.far.stream.received({"event": "mark", "mark": {"name": name}}, talk.far.now)
    assert talk.heard_ms() == [250]
    assert talk.playout.marks_ignored == 5


def test_somebody_else_s_mark_is_an_event() -> None:
    stream = MediaStream(Playout())
    received = stream.received({"event": "mark", "mark": {"name": "goodbye"}}, 0.0)
    assert (received.audio, getattr(received.event, "name", None)) == (b"", "goodbye")
    assert stream.playout.marks_ignored == 0


def test_a_lost_echo_is_made_good_by_the_next_one() -> None:
    playout = Playout()
    stream = MediaStream(playout)
    stream.received({"event": "start", "start": {"streamSid": "MZ1"}}, 0.0)
    playout.handed_over(4000, PCMU, 0.0)
    playout.play(FIRST, bytes(4000))
    while stream.pull(0.0) is not None:
        pass
    stream.received({"event": "mark", "mark": {"name": "turnwire:1:2400"}}, 0.3)
    assert playout.played_bytes(0.3) == 2400
    assert playout.played_bytes(0.35) == 2800


def test_a_thousand_marks() -> None:
    talk = Talk(latency=0.01)
    for _ in range(1005):
        talk.says(FIRST, 100)
    assert len(talk.far.sent("mark")) == 0  # on their way
    talk.after(100.13)
    assert len(talk.far.sent("mark")) == 1005
    (part,) = talk.ledger.flush(talk.far.now)
    assert part.heard_ms == 100_110
    assert not talk.playout._pending
    talk.after(101)
    assert (talk.playout.marks_sent, talk.playout.marks_ignored) == (1005, 4)


def test_audio_of_the_past_is_not_kept() -> None:
    talk = Talk()
    talk.playout._limit_bytes = 16_000
    for second in range(5):
        talk.says(FIRST, 1000)
        talk.after(second + 1)
    assert not talk.playout.overflowed
    assert talk.heard_ms() == [5000]


def test_no_more_may_wait_than_the_limit() -> None:
    playout = Playout(limit_bytes=800)
    playout.play(FIRST, bytes(800))
    assert not playout.overflowed
    playout.play(FIRST, b"\0")
    assert playout.overflowed


def test_places_in_audio_that_is_converted_are_places_in_the_model_s() -> None:
    pytest.importorskip("soxr")
    playout = Playout()
    ledger = Ledger(playout)
    far = FarEnd(MediaStream(playout))
    for part, ms in ((FIRST, 333), (SECOND, 1000)):
        size = PCM16.bytes_in(ms)
        ledger.received(part, size, PCM16, far.now)
        playout.play(part, bytes(size))
        ledger.finished(part)
        playout.finish()
        far.settle()
    far.until(0.3)
    assert [each.heard_ms for each in ledger.heard(far.now)] == [300, 0]
    far.until(0.5)
    assert [each.heard_ms for each in ledger.heard(far.now)] == [333, 167]
    far.until(2)
    assert [each.heard_ms for each in ledger.heard(far.now)] == [333, 1000]
    assert not ledger.is_playing(far.now)
    assert len(far.call.playing.heard) == 1333 * 8


def test_formats_may_change_while_a_line_is_played() -> None:
    pytest.importorskip("soxr")
    playout = Playout()
    ledger = Ledger(playout)
    far = FarEnd(MediaStream(playout))
    for part, form in ((FIRST, PCMU), (SECOND, PCM16), (Part("resp_2", "item_3", 0), PCMU)):
        size = form.bytes_in(100)
        ledger.received(part, size, form, far.now)
        playout.play(part, bytes(size))
    playout.finish()
    far.settle()
    for at, heard in ((0.05, [50, 0, 0]), (0.15, [100, 50, 0]), (0.25, [100, 100, 50])):
        far.until(at)
        assert [each.heard_ms for each in ledger.heard(far.now)] == heard
