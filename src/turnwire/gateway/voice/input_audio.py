"""The input audio buffer: what waits to be committed, and where speech begins and ends in it.

Times are milliseconds since the first audio of the session, whatever became of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from turnwire.gateway.voice.detection import WINDOW_MS, SpeechDetector
from turnwire.gateway.voice.refusals import buffer_full

if TYPE_CHECKING:
    from collections.abc import Iterator

    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.voice.formats import AudioFormat
    from turnwire.gateway.voice.settings import VoiceSettings

_KEPT_QUIET_MS: Final = 10_000  # where turns are detected, silence is not kept for ever


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Somebody speaks, since ``at_ms``, the padding before it included."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """It has been silent for long enough; ``at_ms`` is the end of that."""

    at_ms: int
    audio: bytes


class InputAudio:
    """Audio of one session.

    Args:
        settings: Limits, and how long a sound has to be.
        form: The format that it comes in.
        detection: The session's ``turn_detection``, or None.
    """

    def __init__(self, settings: VoiceSettings, form: AudioFormat, detection: Json | None) -> None:
        self._settings = settings
        self._begin_ms = 0.0  # of the buffer
        self._buffer = bytearray()
        self._heard_bytes = 0  # of the buffer, by the detector
        self.form = form
        self._detection: Json | None = None
        self._detector: SpeechDetector | None = None
        self.configure(form, detection)

    def configure(self, form: AudioFormat, detection: Json | None) -> None:
        """Go on with another format or another detection; audio in another format is dropped."""
        if form != self.form:
            self.clear()
            self.form = form
        if detection != self._detection:
            self._detection = dict(detection) if detection else None
            onset_ms = self._settings.onset_ms
            self._detector = SpeechDetector(detection, onset_ms) if detection else None
            self._heard_bytes = len(self._buffer)

    @property
    def end_ms(self) -> float:
        """How much audio has come so far."""
        return self._begin_ms + self.waiting_ms

    @property
    def waiting_ms(self) -> float:
        """How much of it waits."""
        return self.form.ms(len(self._buffer))

    @property
    def speaking(self) -> bool:
        """Whether somebody speaks."""
        return self._detector is not None and self._detector.speaking

    def append(self, audio: bytes) -> Iterator[SpeechStarted | SpeechStopped]:
        """Take audio, and yield what is heard in it.

        Raises:
            Refused: There is no room for it.
        """
        if len(self._buffer) + len(audio) > self._settings.buffer_bytes:
            raise buffer_full(self._settings.buffer_bytes)
        self._buffer += audio
        return self._detect(self._detector) if self._detector is not None else iter(())

    def _detect(self, detector: SpeechDetector) -> Iterator[SpeechStarted | SpeechStopped]:
        step = self.form.size_bytes(WINDOW_MS)
        while self._heard_bytes + step <= len(self._buffer):
            window = bytes(self._buffer[self._heard_bytes : self._heard_bytes + step])
            self._heard_bytes += step
            match detector.window(window, self.form):
                case "started":
                    begin = self._now_ms - detector.onset_ms - detector.prefix_ms
                    self._drop_until(begin)
                    yield SpeechStarted(math.floor(max(begin, self._begin_ms)))
                case "stopped":
                    yield SpeechStopped(math.floor(self._now_ms), self._take(self._heard_bytes))
                case None if not detector.speaking:
                    self._drop_until(self._now_ms - _KEPT_QUIET_MS)
                case None:
                    pass

    @property
    def _now_ms(self) -> float:
        return self._begin_ms + self.form.ms(self._heard_bytes)

    def commit(self) -> bytes:
        """Return all that waits, and be empty."""
        return self._take(len(self._buffer))

    def clear(self) -> None:
        """Drop all that waits; whoever speaks begins anew."""
        self._take(len(self._buffer))

    def _take(self, size_bytes: int) -> bytes:
        taken = bytes(self._buffer[:size_bytes])
        self._drop(size_bytes)
        if self._detector is not None:
            self._detector.reset()
        return taken

    def _drop_until(self, ms: float) -> None:
        # Not for every window: what is at the front of a long buffer moves all that is behind.
        size_bytes = self.form.size_bytes(ms - self._begin_ms) if ms > self._begin_ms else 0
        if self.speaking or size_bytes > self.form.size_bytes(1000):
            self._drop(size_bytes)

    def _drop(self, size_bytes: int) -> None:
        del self._buffer[:size_bytes]
        self._begin_ms += self.form.ms(size_bytes)
        self._heard_bytes = max(0, self._heard_bytes - size_bytes)
