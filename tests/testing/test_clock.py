from __future__ import annotations

import pytest

from turnwire.testing import Clock


def test_a_clock_stands_still_until_it_is_advanced() -> None:
    clock = Clock(5.0)
    before = clock.now
    assert (before, clock.advance(2.5), clock.now) == (5.0, 7.5, 7.5)


def test_a_clock_does_not_go_back() -> None:
    clock = Clock()
    with pytest.raises(ValueError, match="cannot go back by 1 s"):
        clock.advance(-1)
    assert clock.now == 0.0


def test_a_clock_says_its_time() -> None:
    assert repr(Clock(1.5)) == "Clock(now=1.5)"


def test_alarms_ring_when_their_time_has_come() -> None:
    clock = Clock(5.0)
    alarms = [clock.alarm(seconds) for seconds in (2.0, 1.0, 0.0)]
    rung: list[list[bool]] = []
    for seconds in (0.0, 1.0, 1.0):
        clock.advance(seconds)
        rung.append([alarm.is_set for alarm in alarms])
    assert rung == [[False, False, True], [False, True, True], [True, True, True]]


def test_a_clock_says_what_is_waited_for() -> None:
    clock = Clock()
    seen = [clock.next]
    for seconds in (3.0, 1.0):
        clock.alarm(seconds)
        seen.append(clock.next)
    clock.advance(1.0)
    assert [*seen, clock.next] == [None, 3.0, 1.0, 3.0]
