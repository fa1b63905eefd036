"""The guard: which moments of the microphone would only hear the speaker."""

from __future__ import annotations

import pytest

from turnwire.audio import EchoGuard


@pytest.mark.parametrize(
    ("start", "end", "mute"),
    [
        (0.90, 1.00, False),
        (0.99, 1.01, True),
        (1.20, 1.30, True),
        (1.50, 1.60, True),  # the tail
        (1.74, 1.76, True),
        (1.76, 1.80, False),
    ],
)
def test_what_overlaps_the_sound_or_its_tail_is_mute(
    start: float, end: float, *, mute: bool
) -> None:
    guard = EchoGuard(tail_ms=250)
    guard.sounds(1.0, 1.25)
    guard.sounds(1.25, 1.5)
    assert guard.mutes(start, end) is mute


def test_a_microphone_that_is_late_still_meets_the_sound_before() -> None:
    guard = EchoGuard(tail_ms=100)
    guard.sounds(1.0, 2.0)
    for block in range(10):
        guard.sounds(5.0 + block / 10, 5.1 + block / 10)
    assert guard.mutes(1.5, 1.6)
    assert not guard.mutes(3.0, 3.1)


def test_it_remembers_a_few_sounds_and_no_more() -> None:
    guard = EchoGuard(tail_ms=100)
    for second in range(100):
        guard.sounds(second, second + 0.5)
    assert [guard.mutes(second, second + 0.1) for second in (95, 96, 99)] == [False, True, True]
    assert len(guard._spans) == 4


def test_a_guard_that_heard_nothing_mutes_nothing() -> None:
    assert not EchoGuard().mutes(0.0, 1e9)
