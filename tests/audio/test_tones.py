"""Sines, loudness, and what a drawing needs."""

from __future__ import annotations

import struct

import pytest

from turnwire.audio import peaks, rms, tone


def test_a_tone_has_its_length_its_level_and_its_zeros() -> None:
    sound = tone(1000, 20, rate=8_000, level=0.5)
    samples = struct.unpack("<160h", sound)
    assert samples[:9] == (0, 11585, 16384, 11585, 0, -11585, -16384, -11585, 0)
    assert rms(sound) == pytest.approx(0.5 / 2**0.5, rel=1e-3)


def test_a_tone_fades_at_both_ends() -> None:
    samples = struct.unpack("<80h", tone(2000, 10, rate=8_000, level=1.0, fade_ms=5))
    crests = [abs(sample) for sample in samples[1::2]]
    assert crests[:20] == sorted(crests[:20])
    assert crests[20:] == sorted(crests[20:], reverse=True)
    assert (crests[0], crests[-1]) == (1638, 819)


def test_loudness_reaches_from_silence_to_one() -> None:
    assert rms(b"") == rms(bytes(100)) == 0.0
    assert rms(struct.pack("<4h", 32767, -32768, 32767, -32768)) == pytest.approx(1.0, rel=1e-4)
    assert rms(struct.pack("<2h", 16384, -16384) + b"\xff") == 0.5


def test_each_pixel_has_its_share() -> None:
    data = struct.pack("<6h", 0, 16384, -16384, 8192, -32768, 0)
    assert peaks(data, 3) == [(0.0, 0.5), (-0.5, 0.25), (-1.0, 0.0)]
    assert peaks(data[:2], 2) == [(0.0, 0.0), (0.0, 0.0)]
    assert peaks(b"", 2) == [(0.0, 0.0)] * 2
