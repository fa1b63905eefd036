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
