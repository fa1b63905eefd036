"""The ring: bounded, in order, and every byte accounted for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire.audio import Portion, Ring
from turnwire.errors import ConfigError


def test_what_goes_in_comes_out_with_its_key() -> None:
    ring: Ring[str] = Ring(10)
    assert [ring.put(b"abc", "one"), ring.put(b"de", "one"), ring.put(b"fg", "two")] == [3, 2, 2]
    assert ring.take(4) == (b"abcd", [Portion("one", 4)])
    assert ring.take(9) == (b"efg", [Portion("one", 1), Portion("two", 2)])
    assert ring.take(1) == (b"", [])


def test_put_takes_what_fits() -> None:
    ring: Ring[str] = Ring(4)
    assert ring.put(b"abcdef", "one") == 4
    assert ring.put(b"g", "two") == 0
    assert ring.take(9) == (b"abcd", [Portion("one", 4)])


def test_push_drops_the_oldest() -> None:
    ring: Ring[str] = Ring(4)
    ring.put(b"abc", "one")
    assert ring.push(b"de", "two") == [Portion("one", 1)]
    assert ring.push(b"123456", "three") == [
        Portion("one", 2),
        Portion("two", 2),
        Portion("three", 2),
    ]
    assert ring.take(9) == (b"3456", [Portion("three", 4)])


def test_clear_says_what_was_there() -> None:
    ring: Ring[str] = Ring(8)
    ring.put(b"abcd", "one")
    ring.put(b"ef", "two")
    ring.take(1)
    assert ring.clear() == [Portion("one", 3), Portion("two", 2)]
    assert (ring.size_bytes, ring.free_bytes, ring.clear()) == (0, 8, [])


def test_samples_stay_whole() -> None:
    ring: Ring[str] = Ring(7, unit_bytes=2)
    assert ring.limit_bytes == 6
    ring.put(b"aabbcc", "one")
    assert ring.take(3) == (b"aa", [Portion("one", 2)])
    with pytest.raises(ConfigError, match="keep the rest"):
        ring.put(b"d", "one")
    with pytest.raises(ConfigError, match="keep the rest"):
        ring.push(b"d", "one")


def test_a_ring_without_room_is_refused() -> None:
    with pytest.raises(ConfigError, match="make the limit larger"):
        Ring(1, unit_bytes=2)


STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "push", "take", "clear"]), st.integers(0, 12)), max_size=40
)


@given(st.integers(1, 4), st.integers(1, 5), STEPS)
def test_it_is_a_list_of_samples_with_a_limit(
    unit: int, limit: int, steps: list[tuple[str, int]]
) -> None:
    ring: Ring[int] = Ring(limit * unit, unit_bytes=unit)
    model: list[tuple[int, bytes]] = []  # samples with their keys
    fresh = iter(range(10_000))

    def flat(portions: list[Portion[int]]) -> list[int]:
        assert all(portion.size_bytes % unit == 0 < portion.size_bytes for portion in portions)
        return [portion.key for portion in portions for _ in range(portion.size_bytes // unit)]

    for number, (step, size) in enumerate(steps):
        key = number // 3
        new = [(key, next(fresh).to_bytes(2, "big")[-1:] * unit) for _ in range(size)]
        data = b"".join(sample for _, sample in new)
        if step == "put":
            fits = min(size, limit - len(model))
            assert ring.put(data, key) == fits * unit
            model += new[:fits]
        elif step == "push":
            model += new
            gone = max(0, len(model) - limit)
            assert flat(ring.push(data, key)) == [each for each, _ in model[:gone]]
            del model[:gone]
        elif step == "take":
            taken, portions = ring.take(size * unit + unit - 1)
            assert taken == b"".join(sample for _, sample in model[:size])
            assert flat(portions) == [each for each, _ in model[:size]]
            del model[:size]
        else:
            assert flat(ring.clear()) == [each for each, _ in model]
            model.clear()
        assert ring.size_bytes == len(model) * unit <= ring.limit_bytes
