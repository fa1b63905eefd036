"""The two kinds of playhead: one reckons, one is told."""

from __future__ import annotations

import pytest

from turnwire.core.realtime.playhead import Playhead, Reported, VirtualClock
from turnwire.events.realtime.audio_format import PCM16, PCMA, PCMU, AudioFormat

# 48 bytes of PCM16 last a millisecond, and 8 of G.711.


def clock(*chunks: tuple[int, AudioFormat, float], output_latency_ms: float = 0.0) -> VirtualClock:
    made = VirtualClock(output_latency_ms)
    for size_bytes, audio_format, now in chunks:
        made.handed_over(size_bytes, audio_format, now)
    return made


@pytest.mark.parametrize(
    ("now", "expected"),
    [(9.0, 0), (10.0, 0), (10.1, 4800), (10.25, 12_000), (10.5, 24_000), (11.0, 24_000)],
)
def test_a_chunk_is_played_from_when_it_arrives(now: float, expected: int) -> None:
    assert clock((24_000, PCM16, 10.0)).played_bytes(now) == expected


def test_chunks_that_arrive_together_follow_each_other() -> None:
    made = clock((4800, PCM16, 1.0), (4800, PCM16, 1.0), (4800, PCM16, 1.05))
    assert [made.played_bytes(now) for now in (1.05, 1.15, 1.3)] == [2400, 7200, 14_400]


def test_where_audio_comes_too_late_the_playhead_waits_for_it() -> None:
    made = clock((4800, PCM16, 1.0))
    assert made.played_bytes(1.9) == 4800
    made.handed_over(4800, PCM16, 2.0)
    assert [made.played_bytes(now) for now in (2.0, 2.05, 2.1)] == [4800, 7200, 9600]


def test_a_gap_is_noticed_even_if_nobody_looked_meanwhile() -> None:
    made = clock((4800, PCM16, 1.0), (4800, PCM16, 2.0))
    assert made.played_bytes(2.05) == 7200


def test_each_chunk_goes_at_the_rate_of_its_format() -> None:
    made = clock((4800, PCM16, 1.0), (800, PCMU, 1.0), (800, PCMA, 1.0), (4800, PCM16, 1.0))
    expected = [2400, 4800 + 400, 4800 + 800 + 400, 4800 + 1600 + 2400]
    assert [made.played_bytes(now) for now in (1.05, 1.15, 1.25, 1.35)] == expected


def test_latency_moves_everything_and_is_not_added_up() -> None:
    made = clock((4800, PCM16, 1.0), (4800, PCM16, 1.05), output_latency_ms=40)
    assert [made.played_bytes(now) for now in (1.04, 1.14, 1.24)] == [0, 4800, 9600]
    made.handed_over(4800, PCM16, 3.0)
    assert [made.played_bytes(now) for now in (3.04, 3.09)] == [9600, 12_000]


def test_a_gap_that_is_shorter_than_the_latency_is_heard() -> None:
    made = clock((4800, PCM16, 1.0), (4800, PCM16, 1.12), output_latency_ms=40)
    assert [made.played_bytes(now) for now in (1.14, 1.15, 1.16, 1.21)] == [4800, 4800, 4800, 7200]


def test_a_negative_latency_is_refused() -> None:
    with pytest.raises(ValueError, match="zero or more"):
        VirtualClock(-1)


def test_the_clock_forgets_at_a_flush_and_counts_on() -> None:
    made = clock((48_000, PCM16, 1.0))
    assert made.flush(1.5) == 24_000
    assert made.played_bytes(9.0) == 24_000
    made.handed_over(4800, PCM16, 9.0)
    assert [made.played_bytes(now) for now in (9.0, 9.05, 10.0)] == [24_000, 26_400, 28_800]


def test_the_clock_knows_when_all_will_have_been_played() -> None:
    made = clock((4800, PCM16, 1.0), (800, PCMU, 1.0), output_latency_ms=20)
    end = made.next_change(1.0)
    assert end == pytest.approx(1.22)
    assert end is not None
    assert made.next_change(1.21) == end
    assert made.played_bytes(end) == 5600  # a timer set to it need not be set again
    assert made.next_change(end) is None
    assert clock().next_change(1.0) is None


@pytest.mark.parametrize("begin", [0.1, 1 / 3, 1000.7, 123_456.789, 2_000_000.1])
def test_rounding_does_not_cost_a_millisecond(begin: float) -> None:
    made = clock((48_000, PCM16, begin))
    heard = [int(PCM16.milliseconds(made.played_bytes(begin + ms / 1000))) for ms in range(1000)]
    assert heard == list(range(1000))


def test_a_report_counts_what_was_handed_over_and_no_more() -> None:
    made = Reported()
    made.report(480)
    assert made.played_bytes(0.0) == 0
    made.handed_over(960, PCM16, 0.0)
    assert made.played_bytes(99.0) == 0
    made.report(480)
    assert made.played_bytes(0.0) == 480
    made.report(960)
    assert made.played_bytes(0.0) == 960
    made.handed_over(480, PCM16, 0.0)
    assert made.played_bytes(0.0) == 960


def test_a_total_never_takes_back() -> None:
    made = Reported()
    made.handed_over(960, PCM16, 0.0)
    made.report_total(600)
    made.report_total(480)
    assert made.played_bytes(0.0) == 600


def test_a_negative_report_is_refused() -> None:
    with pytest.raises(ValueError, match="zero or more"):
        Reported().report(-1)


def test_what_was_flushed_is_not_played_by_a_report_that_comes_late() -> None:
    made = Reported()
    made.handed_over(960, PCM16, 0.0)
    handed_over_at = made.flushes
    made.report(480, flushes=handed_over_at)
    assert made.flush(0.0) == 480
    made.handed_over(960, PCM16, 0.0)
    made.report(480, flushes=handed_over_at)
    made.report_total(960, flushes=handed_over_at)
    assert made.played_bytes(0.0) == 480
    made.report(480, flushes=made.flushes)
    assert made.played_bytes(0.0) == 960


@pytest.mark.parametrize(
    ("stopped_at", "expected"), [(700, 700), (300, 300), (50, 200), (-1, 200), (5000, 1160)]
)
def test_the_player_has_the_last_word_when_it_stops(stopped_at: int, expected: int) -> None:
    answers = [200, stopped_at]
    made = Reported(lambda: answers.pop(0))
    made.handed_over(200, PCM16, 0.0)
    assert made.flush(0.0) == 200
    made.handed_over(960, PCM16, 0.0)
    made.report(400)
    assert made.flush(0.0) == expected
    made.handed_over(100, PCM16, 0.0)
    made.report(100)
    assert made.played_bytes(0.0) == expected + 100


def test_nobody_knows_when_a_player_will_have_played_all() -> None:
    made = Reported()
    made.handed_over(960, PCM16, 0.0)
    assert made.next_change(0.0) is None


def test_both_are_playheads() -> None:
    playheads: list[Playhead] = [VirtualClock(), Reported()]
    for each in playheads:
        each.handed_over(480, PCM16, 0.0)
        assert each.flush(0.0) == 0
