"""Wav files: what is read, in which pieces, and when."""

from __future__ import annotations

import struct
import wave
from typing import TYPE_CHECKING

import pytest

from turnwire.audio import PCM16, PCMU, WavSource, pcm16, resample, tone, write_wav
from turnwire.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, data: bytes, *, sides: int = 1, width: int = 2, rate: int = 24_000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(sides)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sound.wav"


def test_a_file_comes_in_pieces_of_one_length(path: Path) -> None:
    sound = tone(440, 50)
    write_wav(path, sound)
    source = WavSource(path)
    assert (source.file_format, source.seconds) == (PCM16, 0.05)
    assert list(source) == [sound[:960], sound[960:1920], sound[1920:]]
    assert list(source) == list(source)


def test_silence_follows_without_a_seam(path: Path) -> None:
    sound = tone(440, 50)
    write_wav(path, sound)
    pieces = list(WavSource(str(path), trailing_silence_ms=30))
    assert [len(piece) for piece in pieces] == [960] * 4
    assert b"".join(pieces) == sound + bytes(1440)


def test_stereo_becomes_the_mean_of_its_sides(path: Path) -> None:
    write(path, struct.pack("<6h", 100, 300, -32768, -32768, 32767, 32765), sides=2)
    assert list(WavSource(path)) == [struct.pack("<3h", 200, -32768, 32766)]


def test_another_rate_is_converted(path: Path) -> None:
    sound = tone(440, 1000, rate=44_100)
    write_wav(path, sound, pcm16(44_100))
    pieces = list(WavSource(path, PCMU, trailing_silence_ms=20))
    assert [len(piece) for piece in pieces] == [160] * 51
    assert b"".join(pieces) == resample(sound, pcm16(44_100), PCMU) + b"\xff" * 160


class Clock:
    """Sleeps at once, and writes down how long; a consumer can be slow."""

    def __init__(self) -> None:
        self.now = 50.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds


async def test_pieces_come_when_a_microphone_would_have_them(path: Path) -> None:
    write_wav(path, bytes(960 * 6))
    clock = Clock()
    times: list[float] = []
    async for _ in WavSource(path).paced(clock=clock, sleep=clock.sleep):
        times.append(round(clock.now - 50.0, 6))
        clock.now += 0.007 if len(times) != 2 else 0.045  # the second one takes its time
    assert times == [0.0, 0.02, 0.065, 0.072, 0.08, 0.1]
    assert clock.slept == [0.013, 0.001, 0.013]


async def test_pieces_can_come_faster(path: Path) -> None:
    write_wav(path, bytes(960 * 3))
    clock = Clock()
    paced = WavSource(path).paced(speed=4, clock=clock, sleep=clock.sleep)
    assert [piece async for piece in paced] == [bytes(960)] * 3
    assert clock.slept == [0.005, 0.005]


@pytest.mark.parametrize(
    ("sides", "width", "found"),
    [(1, 1, "8 bits a sample, 1 sound"), (1, 4, "32 bits a sample"), (4, 2, "4 sound tracks")],
)
def test_other_kinds_are_refused(path: Path, sides: int, width: int, found: str) -> None:
    write(path, bytes(48), sides=sides, width=width)
    with pytest.raises(ConfigError, match=found):
        WavSource(path)


@pytest.mark.parametrize("data", [b"", b"ID3\x04 no wav file", b"RIFF\x04\0\0\0WAVE"])
def test_what_is_no_wav_file_is_refused(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(ConfigError, match="is no wav file with PCM16 in mono or stereo"):
        WavSource(path)


def test_pieces_without_a_sample_are_refused(path: Path) -> None:
    write_wav(path, bytes(2))
    with pytest.raises(ConfigError, match="make them longer"):
        WavSource(path, chunk_ms=0.01)


def test_only_pcm16_is_written(path: Path) -> None:
    with pytest.raises(ConfigError, match="Resampler"):
        write_wav(path, b"\xff", PCMU)
    assert not path.exists()


def test_a_rate_is_positive() -> None:
    with pytest.raises(ConfigError, match="such as 24000"):
        pcm16(0)
