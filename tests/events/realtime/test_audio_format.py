from __future__ import annotations

from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire.events.realtime import PCM16, PCMA, PCMU, AudioFormat

WIDE = AudioFormat("audio/pcm", 16_000)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, PCM16),
        ("pcm16", PCM16),
        ("opus", PCM16),
        ("g711_ulaw", PCMU),
        ("g711_alaw", PCMA),
        ("g711_new", PCMU),
        ("audio/pcma", PCMA),
        ({"type": "audio/pcm"}, PCM16),
        ({"type": "audio/pcm", "rate": None}, PCM16),
        ({"type": "audio/pcm", "rate": 24_000}, PCM16),
        ({"type": "audio/pcm", "rate": 16_000}, WIDE),
        ({"type": "audio/pcm", "rate": 16_000.0}, WIDE),
        ({"type": "audio/pcm", "rate": 0}, PCM16),
        ({"type": "audio/pcm", "rate": True}, PCM16),
        ({"type": "audio/pcm", "rate": nan}, PCM16),
        ({"type": "audio/pcm", "rate": "fast"}, PCM16),
        ({"type": "audio/pcmu"}, PCMU),
        ({"type": "audio/pcmu", "rate": 24_000}, PCMU),
        ({"type": "audio/pcma"}, PCMA),
        ({"type": "audio/opus", "rate": 48_000}, PCM16),
        ({"type": ["audio/pcm"]}, PCM16),
        ({}, PCM16),
        (7, PCM16),
        (PCMA, PCMA),
    ],
)
def test_every_shape_of_a_format_is_read(value: object, expected: AudioFormat) -> None:
    assert expected == AudioFormat.read(value)


@pytest.mark.parametrize(
    ("audio", "size_bytes", "milliseconds"),
    [
        (PCM16, 4800, 100),
        (PCM16, 3201, 66.6875),
        (PCM16, 1, pytest.approx(0.0208333, abs=1e-6)),
        (WIDE, 3200, 100),
        (PCMU, 160, 20),
        (PCMA, 8000, 1000),
        (PCM16, 0, 0),
    ],
)
def test_a_length_in_bytes_is_one_in_milliseconds(
    audio: AudioFormat, size_bytes: int, milliseconds: float
) -> None:
    assert milliseconds == audio.milliseconds(size_bytes)


@pytest.mark.parametrize(
    ("audio", "milliseconds", "size_bytes"),
    [
        (PCM16, 100, 4800),
        (PCM16, 0.05, 2),
        (PCM16, 0.04, 0),
        (PCMU, 20, 160),
        (PCMU, 0.249, 1),
        (PCMA, -5, 0),
    ],
)
def test_a_time_holds_whole_samples(
    audio: AudioFormat, milliseconds: float, size_bytes: int
) -> None:
    assert size_bytes == audio.bytes_in(milliseconds)


@given(st.sampled_from([PCM16, WIDE, PCMU, PCMA]), st.integers(0, 10**9))
def test_samples_come_back_from_their_length(audio: AudioFormat, samples: int) -> None:
    size_bytes = samples * audio.sample_bytes
    assert size_bytes == audio.bytes_in(audio.milliseconds(size_bytes))


@pytest.mark.parametrize(
    ("audio", "wire", "beta", "silence", "per_second"),
    [
        (PCM16, {"type": "audio/pcm", "rate": 24_000}, "pcm16", b"\x00", 48_000),
        (PCMU, {"type": "audio/pcmu"}, "g711_ulaw", b"\xff", 8_000),
        (PCMA, {"type": "audio/pcma"}, "g711_alaw", b"\xd5", 8_000),
    ],
)
def test_a_format_says_itself(
    audio: AudioFormat, wire: dict[str, object], beta: str, silence: bytes, per_second: int
) -> None:
    said = (audio.to_wire(), audio.to_beta(), audio.silence, audio.bytes_per_second)
    assert (wire, beta, silence, per_second) == said
    assert [audio, audio] == [AudioFormat.read(wire), AudioFormat.read(beta)]
