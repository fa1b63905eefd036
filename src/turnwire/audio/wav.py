"""Sound files as a source of audio: at once, or as fast as somebody would speak it."""

from __future__ import annotations

import asyncio
import os
import time
import wave
from typing import TYPE_CHECKING

from turnwire.audio.formats import pcm16, require_pcm16
from turnwire.audio.tones import samples_of, samples_to_bytes
from turnwire.errors import ConfigError
from turnwire.events.realtime.audio_format import PCM16, AudioFormat

if TYPE_CHECKING:
    from array import array
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator

_SAMPLE_BYTES = 2
_STEREO = 2
_READ_MS = 100


class WavSource:
    """A wav file, in pieces of one length and in the format that you want.

    It reads PCM16 of any rate, mono or stereo, whose sides are averaged.  The file is read piece
    by piece, and from its beginning by each iteration.

    Args:
        path: The file.
        audio_format: What the pieces are in; another rate or law needs ``turnwire[audio]``.
        chunk_ms: How long each piece is, in milliseconds; the last one is what remains.
        trailing_silence_ms: How much silence follows the sound, in milliseconds, so that a server
            which listens for pauses hears one.

    Attributes:
        file_format: What is in the file: PCM16 of its rate.
        seconds: How long the sound is, without the silence.

    Raises:
        ConfigError: The file is of another kind, or a piece would be empty.
        OSError: It cannot be opened.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        audio_format: AudioFormat = PCM16,
        *,
        chunk_ms: float = 20.0,
        trailing_silence_ms: float = 0.0,
    ) -> None:
        self._path = path
        self.audio_format = audio_format
        self.chunk_ms = chunk_ms
        self._chunk_bytes = audio_format.bytes_in(chunk_ms)
        if not self._chunk_bytes:
            raise ConfigError(f"Pieces of {chunk_ms} ms have no sample in them; make them longer.")
        self._silence_bytes = audio_format.bytes_in(trailing_silence_ms)
        with _opened(path) as file:
            self.file_format = pcm16(file.getframerate())
            self.seconds = file.getnframes() / file.getframerate()

    def __iter__(self) -> Iterator[bytes]:
        """Yield the pieces as fast as they are taken."""
        waiting = b""
        for data in self._sound_and_silence():
            waiting += data
            while len(waiting) >= self._chunk_bytes:
                yield waiting[: self._chunk_bytes]
                waiting = waiting[self._chunk_bytes :]
        if waiting:
            yield waiting

    async def paced(
        self,
        *,
        speed: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> AsyncGenerator[bytes]:
        """Yield the pieces when a microphone would have them, the first one at once.

        Piece ``n`` comes ``n`` times its length after the first one, whatever the ones before
        took: a consumer that was late gets what it missed at once, and nothing drifts.

        Args:
            speed: 1.0 is real time; 2.0 is twice as fast.
            clock: Tells the time in seconds.
            sleep: Waits so many seconds.
        """
        start = clock()
        step = self._chunk_bytes / self.audio_format.bytes_per_second / speed
        for number, chunk in enumerate(self):
            early = start + number * step - clock()
            if early > 0:
                await sleep(early)
            yield chunk

    def _sound_and_silence(self) -> Generator[bytes]:
        if self.file_format == self.audio_format:
            yield from self._sound()
        else:
            yield from self._converted()
        silence = self.audio_format.silence
        for start in range(0, self._silence_bytes, self._chunk_bytes):
            yield silence * min(self._chunk_bytes, self._silence_bytes - start)

    def _converted(self) -> Generator[bytes]:
        # Here, because only this needs the extra.
        from turnwire.audio.resampling import Resampler  # noqa: PLC0415

        resampler = Resampler(self.file_format, self.audio_format)
        for data in self._sound():
            yield resampler.feed(data)
        yield resampler.flush()

    def _sound(self) -> Generator[bytes]:
        with _opened(self._path) as file:
            count = max(1, file.getframerate() * _READ_MS // 1000)
            stereo = file.getnchannels() == _STEREO
            while data := file.readframes(count):
                yield _mono(samples_of(data)) if stereo else data


def write_wav(path: str | os.PathLike[str], data: bytes, audio_format: AudioFormat = PCM16) -> None:
    """Write PCM16 into a mono wav file.

    Raises:
        ConfigError: It is in another format.
    """
    require_pcm16(audio_format, "A wav file")
    with wave.open(os.fspath(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(_SAMPLE_BYTES)
        file.setframerate(audio_format.rate)
        file.writeframes(data[: len(data) & ~1])


def _opened(path: str | os.PathLike[str]) -> wave.Wave_read:
    try:
        file = wave.open(os.fspath(path), "rb")  # noqa: SIM115 - the callers' `with` closes it
    except (wave.Error, EOFError) as error:
        raise _unknown(path, str(error) or "it ends too early") from error
    width, sides = file.getsampwidth(), file.getnchannels()
    if width != _SAMPLE_BYTES or sides not in {1, _STEREO}:
        file.close()
        raise _unknown(path, f"{width * 8} bits a sample, {sides} sound tracks")
    return file


def _unknown(path: str | os.PathLike[str], found: str) -> ConfigError:
    return ConfigError(
        f"{os.fspath(path)} is no wav file with PCM16 in mono or stereo ({found}); "
        "convert it, such as with: ffmpeg -i INPUT -ac 1 -c:a pcm_s16le OUTPUT.wav"
    )


def _mono(samples: array[int]) -> bytes:
    """Average the two sides of each moment."""
    sides = zip(samples[0::2], samples[1::2], strict=False)
    return samples_to_bytes(type(samples)("h", [(left + right) // 2 for left, right in sides]))
