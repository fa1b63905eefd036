"""The caller's audio as one stream without holes: what is missing is silence.

A server's voice detection counts milliseconds of audio.  Where the line sends nothing, no time
passes for it, and a turn would never end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from turnwire.realtime.twilio.words import LINE

if TYPE_CHECKING:
    from turnwire.realtime.twilio.events import MediaHeard

_LEAST_GAP_MS: Final = 20  # less is jitter: a message's length
_ROUNDING: Final = 1e-6  # s; a timer may ring that much too early


@dataclass(frozen=True, slots=True)
class HearingSettings:
    """How holes are filled; milliseconds.

    Attributes:
        longest_gap_ms: How much silence at most stands for a gap between timestamps.
        idle_ms: After so long without audio, while the caller speaks,
        idle_silence_ms: so much silence is heard, once; make it longer than the session's
            ``silence_duration_ms``.
    """

    longest_gap_ms: int = 10_000
    idle_ms: int = 750
    idle_silence_ms: int = 1000


class Hearing:
    """What the caller says.

    Times are float seconds of one monotonic clock.

    Args:
        settings: How holes are filled.

    Attributes:
        padded_ms: How much silence was put in.
        lost_messages: How many messages never came, by their numbers.
    """

    def __init__(self, settings: HearingSettings | None = None) -> None:
        self._settings = settings or HearingSettings()
        self._next_ms: float | None = None  # by the line's timestamps
        self._last_at: float | None = None
        self._number: int | None = None  # of the last message
        self._speaking = False
        self._filled = False  # the present pause
        self.padded_ms = 0.0
        self.lost_messages = 0

    def heard(self, media: MediaHeard, now: float) -> bytes:
        """Return what is to be heard next: a gap's silence, and the audio."""
        silence = self._silence(self._gap_ms(media.timestamp_ms))
        if media.timestamp_ms is not None:
            self._next_ms = media.timestamp_ms + LINE.milliseconds(len(media.audio))
        if media.number is not None:
            if self._number is not None:
                self.lost_messages += max(0, media.number - self._number - 1)
            self._number = media.number
        self._last_at, self._filled = now, False
        return silence + media.audio

    def speaks(self, *, speaking: bool) -> None:
        """Take note of whether the server hears the caller speak."""
        self._speaking = speaking

    def deadline(self) -> float | None:
        """Return when ``tick`` has something to say, or None."""
        if not self._speaking or self._filled or self._last_at is None:
            return None
        return self._last_at + self._settings.idle_ms / 1000

    def tick(self, now: float) -> bytes:
        """Return silence if the line has been mute for long; else nothing."""
        due = self.deadline()
        if due is None or now < due - _ROUNDING:
            return b""
        self._filled = True
        if self._next_ms is not None:
            self._next_ms += self._settings.idle_silence_ms
        return self._silence(self._settings.idle_silence_ms)

    def _gap_ms(self, timestamp_ms: int | None) -> float:
        if timestamp_ms is None or self._next_ms is None:
            return 0.0
        gap_ms = timestamp_ms - self._next_ms
        return min(gap_ms, self._settings.longest_gap_ms) if gap_ms >= _LEAST_GAP_MS else 0.0

    def _silence(self, ms: float) -> bytes:
        silence = LINE.silence * LINE.bytes_in(ms)
        self.padded_ms += LINE.milliseconds(len(silence))
        return silence
