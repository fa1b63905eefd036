"""Counted audio: every sample says which one it is, whatever was cut away around it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnwire.testing.realtime import (
    PCM,
    PCMU,
    Run,
    counted_audio,
    heard_ms,
    lost,
    read,
    toned_item,
)
from turnwire.testing.realtime.sounds import MOST_ITEMS, TONES, Counted, Toned

CUT = st.tuples(st.integers(0, 4095), st.integers(0, 10**7), st.integers(32, 400))


def test_what_was_counted_is_read_back() -> None:
    assert read(counted_audio(7, 0, 2400)) == [Run(7, 0, 2400)]
    assert heard_ms(counted_audio(7, 0, 2400), 7) == 100.0


def told(audio: bytes, size: int) -> list[tuple[int | None, int]]:
    runs = read(audio, sample_bytes=size)
    return [(run.item, number) for run in runs for number in range(run.first, run.last)]


@pytest.mark.parametrize("size", [1, 2])
@settings(derandomize=True)  # by chance, one join in so many cannot be told
@given(cuts=st.lists(CUT, max_size=5))
def test_pieces_of_any_items_are_told_sample_by_sample(
    size: int, cuts: list[tuple[int, int, int]]
) -> None:
    audio = b"".join(counted_audio(n, at, at + count, sample_bytes=size) for n, at, count in cuts)
    expected = [(n, number) for n, at, count in cuts for number in range(at, at + count)]
    wrong = sum(a != b for a, b in zip(told(audio, size), expected, strict=True))
    assert wrong <= (2 * len(cuts) if size == 1 else 0)


@pytest.mark.parametrize("size", [1, 2])
@given(cut=CUT, item=st.integers(0, 4095))
def test_what_is_whole_is_told_exactly(size: int, cut: tuple[int, int, int], item: int) -> None:
    _, at, count = cut
    audio = counted_audio(item, at, at + count, sample_bytes=size)
    assert read(audio, sample_bytes=size) == [Run(item, at, count)]


def test_a_block_that_begins_like_the_one_before_goes_on_is_told() -> None:
    before = counted_audio(1, 0, 32, sample_bytes=1)
    for first in range(16 * 3, 16 * 100, 16):  # one in 16 begins alike
        audio = before + counted_audio(1, first, first + 32, sample_bytes=1)
        assert read(audio, sample_bytes=1) == [Run(1, 0, 32), Run(1, first, 32)]


def test_silence_and_noise_are_nobody_s() -> None:
    audio = bytes(100) + counted_audio(1, 10, 90) + b"\x12\x34" * 30
    assert read(audio) == [Run(None, 0, 50), Run(1, 10, 80), Run(None, 130, 30)]
    assert read(b"") == []


def test_a_piece_too_short_to_tell_is_nobody_s() -> None:
    assert read(counted_audio(1, 1, 4)) == [Run(None, 0, 3)]


def test_what_is_missing_is_told() -> None:
    audio = counted_audio(1, 0, 480) + counted_audio(1, 960, 2400)
    assert lost(audio, 1) == [(480, 960)]
    assert heard_ms(audio, 1) == 100.0
    assert lost(counted_audio(1, 0, 480) + bytes(48) + counted_audio(1, 480, 960), 1) == []


def test_one_changed_bit_is_seen() -> None:
    audio = bytearray(counted_audio(1, 0, 2400))
    audio[2001] ^= 1
    assert sum(run.count for run in read(bytes(audio)) if run.item == 1) < 2400


def test_one_byte_a_sample_goes_through_g711_that_nobody_decodes() -> None:
    audio = Counted(3, 100).audio(0, 800, PCMU)
    assert heard_ms(audio[: 8 * 40], 3, PCMU) == 40.0


def test_items_have_a_greatest_number() -> None:
    with pytest.raises(ValueError, match="item 4096 cannot be counted"):
        counted_audio(MOST_ITEMS, 0, 1)


@pytest.mark.parametrize("form", [PCM, PCMU], ids=lambda form: form.type)
@pytest.mark.parametrize("item", [0, 1, 7, TONES - 1])
def test_tones_tell_the_item_through_a_codec(form: object, item: int) -> None:
    assert isinstance(form, type(PCM))
    sound = Toned(item, 200)
    assert toned_item(sound.audio(0, form.count(200), form), form) == item
