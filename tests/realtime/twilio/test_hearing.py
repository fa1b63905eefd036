"""Holes in the caller's audio are silence."""

from __future__ import annotations

import pytest

from turnwire.realtime.twilio.events import MediaHeard
from turnwire.realtime.twilio.hearing import Hearing, HearingSettings

SAID = b"\x01" * 160


def heard(hearing: Hearing, at_ms: int | None, now: float = 0.0, number: int | None = None) -> int:
    """Let 20 ms be said; return how many bytes of silence came before."""
    audio = hearing.heard(MediaHeard(SAID, at_ms, number), now)
    silence = audio[: -len(SAID)]
    assert audio[-len(SAID) :] == SAID
    assert silence == b"\xff" * len(silence)
    return len(silence)


def test_what_follows_without_a_gap_is_passed_on() -> None:
    hearing = Hearing()
    assert [heard(hearing, at) for at in (3, 23, 44, 63, 82, 101)] == [0] * 6


@pytest.mark.parametrize(
    ("gap_ms", "silence_ms"),
    [(19, 0), (20, 20), (100, 100), (9_999, 9_999), (10_000, 10_000), (60_000, 10_000), (-40, 0)],
)
def test_a_gap_is_as_long_as_the_timestamps_say(gap_ms: int, silence_ms: int) -> None:
    hearing = Hearing()
    heard(hearing, 1000)
    assert heard(hearing, 1020 + gap_ms) == silence_ms * 8
    assert heard(hearing, 1040 + gap_ms) == 0
    assert hearing.padded_ms == silence_ms


def test_without_timestamps_there_are_no_gaps() -> None:
    hearing = Hearing()
    assert [heard(hearing, None), heard(hearing, 500), heard(hearing, None)] == [0, 0, 0]


def test_messages_that_never_came_are_counted() -> None:
    hearing = Hearing()
    for number in (1, 2, 5, None, 6, 6, 10):
        heard(hearing, None, number=number)
    assert hearing.lost_messages == 5


def test_a_mute_line_is_silence_once_while_the_caller_speaks() -> None:
    hearing = Hearing()
    hearing.speaks(speaking=True)
    assert (hearing.deadline(), hearing.tick(9.0)) == (None, b"")  # it has not begun
    heard(hearing, 0, now=10.0)
    assert hearing.deadline() == 10.75
    assert hearing.tick(10.74) == b""
    assert hearing.tick(10.75) == b"\xff" * 8000
    assert (hearing.deadline(), hearing.tick(20.0)) == (None, b"")
    heard(hearing, 2000, now=12.0)
    assert hearing.deadline() == 12.75


def test_a_gap_is_not_filled_twice() -> None:
    hearing = Hearing()
    heard(hearing, 0, now=0.0)
    hearing.speaks(speaking=True)
    hearing.tick(0.75)
    assert heard(hearing, 1520, now=1.52) == 500 * 8
    hearing.tick(2.3)
    assert heard(hearing, 2400, now=2.4) == 0
    assert heard(hearing, 2420, now=2.42) == 0


def test_a_mute_line_is_nothing_while_nobody_speaks() -> None:
    hearing = Hearing()
    heard(hearing, 0)
    assert hearing.deadline() is None
    hearing.speaks(speaking=True)
    hearing.speaks(speaking=False)
    assert (hearing.deadline(), hearing.tick(5.0)) == (None, b"")


def test_the_times_can_be_set() -> None:
    settings = HearingSettings(longest_gap_ms=40, idle_ms=100, idle_silence_ms=30)
    hearing = Hearing(settings)
    heard(hearing, 0)
    hearing.speaks(speaking=True)
    assert hearing.deadline() == 0.1
    assert len(hearing.tick(0.1)) == 240
    assert heard(hearing, 500) == 320
