"""The way from the program to the ear, with the time as an argument."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from turnwire.audio import FlushedAudio, FlushedPart, Portion, pcm16
from turnwire.audio.devices import Playout

THOUSAND = pcm16(1_000)  # two bytes a millisecond


def test_a_block_is_heard_as_it_sounds() -> None:
    playout = Playout(THOUSAND)
    playout.give(1.0, [Portion("one", 20), Portion("two", 20)])
    assert playout.settle(1.0) == []
    assert playout.settle(1.004) == [Portion("one", 8)]
    assert playout.settle(1.0049) == []
    assert playout.settle(1.015) == [Portion("one", 12), Portion("two", 10)]
    assert (playout.played_bytes, playout.unheard_bytes) == (30, 10)
    assert playout.settle(math.inf) == [Portion("two", 10)]


def test_a_block_waits_for_the_one_before() -> None:
    playout = Playout(THOUSAND)
    playout.give(1.0, [Portion("one", 20)])
    playout.give(1.005, [Portion("one", 20)])  # its clock is wrong: nothing sounds twice
    assert playout.settle(1.012) == [Portion("one", 24)]


def test_a_clock_that_steps_back_takes_nothing_back() -> None:
    playout = Playout(THOUSAND)
    playout.give(1.0, [Portion("one", 20)])
    playout.settle(1.008)
    assert playout.settle(1.002) == []
    assert playout.settle(1.010) == [Portion("one", 4)]


def test_a_flush_tells_apart_what_was_heard_what_will_be_and_what_never_will() -> None:
    playout = Playout(THOUSAND)
    playout.give(0.0, [Portion("heard", 20)])
    playout.give(0.010, [Portion("cut", 20)])
    playout.settle(0.016)
    flushed = playout.flushed([Portion("cut", 6), Portion("waits", 4), Portion("cut", 2)])
    assert flushed == FlushedAudio(
        (FlushedPart("cut", 12, 8, 8), FlushedPart("waits", 0, 0, 4)), heard_bytes=40
    )
    assert flushed.dropped_bytes == 12


def test_totals_of_long_gone_keys_are_forgotten() -> None:
    playout = Playout(THOUSAND)
    for key in range(1_000):
        playout.give(key / 1000, [Portion(key, 2)])
        playout.settle(math.inf)
    assert playout.played_bytes == 2_000
    known = playout.flushed([Portion(key, 2) for key in range(1_000)]).parts
    assert [part.key for part in known if part.played_bytes] == list(range(744, 1_000))


BLOCKS = st.lists(
    st.tuples(
        st.integers(0, 30),  # milliseconds since the block before was given
        st.integers(0, 20),  # the latency, which jitters
        st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 20)), max_size=3),
    ),
    max_size=12,
)


@given(BLOCKS, st.lists(st.integers(0, 30), max_size=30))
def test_each_millisecond_is_heard_once_and_in_its_turn(
    blocks: list[tuple[int, int, list[tuple[str, int]]]], looks: list[int]
) -> None:
    sounding: list[tuple[int, str]] = []  # when each millisecond ends, and whose it is
    events: list[tuple[int, list[tuple[str, int]] | None, int]] = []
    now = 0
    for wait, latency, portions in blocks:
        now += wait
        events.append((now, portions, now + latency))
    now = 0
    for wait in looks:
        now += wait
        events.append((now, None, 0))
    playout = Playout(THOUSAND)
    heard: list[str] = []
    for now, given_portions, at in sorted(events, key=lambda event: event[0]):
        if given_portions is None:
            for portion in playout.settle(now / 1000):
                heard += portion.key * (portion.size_bytes // 2)
            assert heard == [key for end, key in sounding if end <= now]
            continue
        playout.give(at / 1000, [Portion(key, 2 * count) for key, count in given_portions])
        for key, count in given_portions:
            for _ in range(count):
                start = max(at, sounding[-1][0] if sounding else 0)
                sounding.append((start + 1, key))
    assert playout.played_bytes + playout.unheard_bytes == 2 * len(sounding)
