"""What the assistant says, written into a wav file as it comes."""

from __future__ import annotations

import wave
from typing import TYPE_CHECKING, Self

from turnwire.audio import PCM16, pcm16

if TYPE_CHECKING:
    from pathlib import Path

    from turnwire.audio import AudioFormat, Resampler


class Reply:
    """The file of one reply, whole after each piece.

    Args:
        path: None keeps nothing.
        audio_format: Of what comes; G.711 is decoded.

    Attributes:
        size_bytes: What came.
    """

    def __init__(self, path: Path | None, audio_format: AudioFormat) -> None:
        self.size_bytes = 0
        self._path = path
        self._format = audio_format
        self._file: wave.Wave_write | None = None
        self._decoder: Resampler | None = None

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.size_bytes / self._format.bytes_per_second

    def __enter__(self) -> Self:
        if self._path is None:
            return self
        if self._format.type != PCM16.type:
            # Here, because only this needs the extra.
            from turnwire.audio import Resampler  # noqa: PLC0415

            self._decoder = Resampler(self._format, pcm16(self._format.rate))
        self._file = wave.open(str(self._path), "wb")
        self._file.setnchannels(1)
        self._file.setsampwidth(PCM16.sample_bytes)
        self._file.setframerate(self._format.rate)
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            if self._decoder is not None:
                self._file.writeframes(self._decoder.flush())
            self._file.close()

    def write(self, data: bytes) -> None:
        """Add a piece."""
        self.size_bytes += len(data)
        if self._file is not None:
            self._file.writeframes(self._decoder.feed(data) if self._decoder else data)
