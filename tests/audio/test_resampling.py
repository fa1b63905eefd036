"""Conversion: exact lengths, no seams, the same tone as loud as before."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire.audio import PCM16, PCMA, PCMU, AudioFormat, Resampler, pcm16, resample, rms, tone
from turnwire.audio.g711 import MU_LAW

FORMATS = [PCM16, PCMU, PCMA, pcm16(8_000), pcm16(16_000), pcm16(44_100), pcm16(48_000)]
formats = st.sampled_from(FORMATS)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def convert(source: AudioFormat, target: AudioFormat, pieces: list[bytes]) -> bytes:
    resampler = Resampler(source, target)
    return b"".join([*(resampler.feed(piece) for piece in pieces), resampler.flush()])


@given(formats, formats, st.binary(max_size=3000), st.lists(st.integers(0, 3000), max_size=8))
def test_any_way_of_cutting_gives_the_same_bytes(
    source: AudioFormat, target: AudioFormat, data: bytes, places: list[int]
) -> None:
    assert convert(source, target, cut(data, places)) == convert(source, target, [data])


@given(st.integers(4_000, 96_000), st.integers(4_000, 96_000), st.integers(0, 2000))
def test_the_length_is_exact(rate_in: int, rate_out: int, samples: int) -> None:
    converted = resample(bytes(2 * samples), pcm16(rate_in), pcm16(rate_out))
    assert len(converted) == 2 * ((2 * samples * rate_out + rate_in) // (2 * rate_in))


def test_a_half_is_rounded_up_where_soxr_rounds_it_down() -> None:
    assert len(resample(bytes(2 * 240), pcm16(12_000), pcm16(11_025))) == 2 * 221


def loudest(data: bytes, rate: int) -> float:
    """Return the frequency that a sound has most of."""
    samples = np.frombuffer(data, "<i2").astype(float)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * rate / len(samples)


@pytest.mark.parametrize("middle", FORMATS)
@pytest.mark.parametrize("hertz", [200.0, 1000.0, 3000.0])
def test_a_tone_keeps_its_pitch_and_its_level(middle: AudioFormat, hertz: float) -> None:
    sound = tone(hertz, 500)
    back = resample(resample(sound, PCM16, middle), middle, PCM16)
    assert len(back) == len(sound)
    assert loudest(back, 24_000) == pytest.approx(hertz, abs=2)
    inner = slice(2400, -2400)  # without the edges, where the filter has only one side
    assert rms(back[inner]) == pytest.approx(rms(sound[inner]), rel=0.01)


def test_what_the_target_cannot_carry_is_filtered_and_not_folded() -> None:
    assert rms(resample(tone(6000, 500), PCM16, pcm16(8_000))[1600:-1600]) < 0.001


def test_a_full_scale_square_is_clipped_and_does_not_wrap() -> None:
    high, low = b"\xff\x7f" * 60, b"\x00\x80" * 60
    samples = np.frombuffer(resample((high + low) * 20, PCM16, pcm16(48_000)), "<i2")
    # Each of the forty halves stays on its side, away from its edges.
    halves = samples.reshape(40, 120)[:, 30:90]
    assert (halves[0::2] > 30_000).all()
    assert (halves[1::2] < -30_000).all()


def test_equal_formats_cost_nothing() -> None:
    data = tone(440, 20)
    resampler = Resampler(PCM16, PCM16)
    assert resampler.feed(data) is data
    assert resampler.flush() == b""


def test_equal_rates_need_no_filter_and_wait_for_nothing() -> None:
    data = tone(440, 20, rate=8_000)
    resampler = Resampler(pcm16(8_000), PCMU)
    assert resampler.feed(data) == MU_LAW.encode(data)
    assert resampler.flush() == b""


def test_half_a_sample_waits_for_its_other_half() -> None:
    resampler = Resampler(PCM16, PCM16)
    assert [resampler.feed(b"a"), resampler.feed(b"bc"), resampler.feed(b"d")] == [
        b"",
        b"ab",
        b"cd",
    ]


def test_after_a_flush_a_new_stream_begins() -> None:
    data = tone(440, 100)
    resampler = Resampler(PCM16, PCMU)
    first = resampler.feed(data + b"\0") + resampler.flush()
    assert resampler.feed(data) + resampler.flush() == first
