"""The model's audio as the line's, and a place in the line's audio as a place in the model's."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from turnwire.realtime.twilio.words import LINE

if TYPE_CHECKING:
    from turnwire.audio import Resampler
    from turnwire.events.realtime import AudioFormat


def resampler(source: AudioFormat, target: AudioFormat) -> Resampler | None:
    """Return what converts one format into another; None if they are the same.

    Raises:
        ImportError: It needs ``turnwire[audio]``.
    """
    if source == target:
        return None
    from turnwire.audio import Resampler  # noqa: PLC0415  # an extra; most lines need none

    return Resampler(source, target)


class _Seam(NamedTuple):
    """Where audio of one format, converted in one go, begins: in the line's bytes, the model's."""

    line: int
    model: int
    audio_format: AudioFormat


class Conversion:
    """One stream of the model's audio on its way to the line.

    Attributes:
        given: How many bytes of the model's came.
        made: How many bytes of the line's were made of them.
    """

    def __init__(self) -> None:
        self.given = 0
        self.made = 0
        self._resampler: Resampler | None = None
        self._seam = _Seam(0, 0, LINE)
        self._seams: deque[_Seam] = deque()  # not reached yet
        self._format = LINE

    def feed(self, audio: bytes, audio_format: AudioFormat) -> bytes:
        """Return what is ready of this and what came before."""
        rest = b""
        if audio_format != self._format:
            rest = self.flush()
            self._format = audio_format
            self._begin(_Seam(self.made, self.given, audio_format))
            self._resampler = resampler(audio_format, LINE)
        converted = audio if self._resampler is None else self._resampler.feed(audio)
        self.given += len(audio)
        self.made += len(converted)
        return rest + converted

    def flush(self) -> bytes:
        """Return what a filter still holds: nothing more comes for now."""
        if self._resampler is None:
            return b""
        rest = self._resampler.flush()
        self.made += len(rest)
        self._begin(_Seam(self.made, self.given, self._format))
        return rest

    def _begin(self, seam: _Seam) -> None:
        if self._seams and self._seams[-1].line == seam.line:
            self._seams.pop()
        self._seams.append(seam)

    def model_bytes(self, line_bytes: int) -> int:
        """Return how much of the model's audio so much of the line's is; never ask for less."""
        while self._seams and self._seams[0].line <= line_bytes:
            self._seam = self._seams.popleft()
        seam = self._seam
        ahead = seam.audio_format.bytes_in(LINE.milliseconds(line_bytes - seam.line))
        end = self._seams[0].model if self._seams else self.given
        return min(seam.model + ahead, end)
