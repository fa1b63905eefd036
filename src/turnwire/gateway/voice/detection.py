"""Where speech begins and ends, by how loud it is.

The service's threshold is a probability; here it stands for a loudness, so that 0.5 hears whatever
is above a thirtieth of the full scale.
"""

from __future__ import annotations

import math
from functools import cache
from operator import mul
from typing import TYPE_CHECKING, Any, Final, Literal

from turnwire.gateway.voice import g711

if TYPE_CHECKING:
    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.voice.formats import AudioFormat

WINDOW_MS: Final = 10
_LOUDNESS_AT_ONE: Final = 2000.0  # root of the mean square of 16-bit samples

# Milliseconds of silence for each eagerness.  The service waits longer, up to 8, 4 and 2 s, where
# it believes that somebody has not finished; what is only loud or not never sounds unfinished.
_PATIENCE_MS: Final = {"low": 2000, "medium": 1000, "auto": 1000, "high": 500}
_SEMANTIC_PREFIX_MS: Final = 300
_SEMANTIC_THRESHOLD: Final = 0.5


def loudness(audio: bytes, form: AudioFormat) -> float:
    """Return the root of the mean square of some audio."""
    if form.type == "audio/pcm":
        samples = form.samples(audio)
        total = sum(map(mul, samples, samples))
    else:
        total = sum(map(_squares(form.type).__getitem__, audio))
    return math.sqrt(total / max(1, len(audio) // form.sample_bytes))


@cache
def _squares(law: g711.Law) -> tuple[int, ...]:
    return tuple(sample * sample for sample in g711.decoded(bytes(range(256)), law))


class SpeechDetector:
    """Follows one session's audio, window by window.

    Args:
        detection: The session's ``turn_detection``.
        onset_ms: How long it has to be loud.

    Attributes:
        prefix_ms: What belongs to the speech before it is loud.
        speaking: Whether somebody speaks.
    """

    def __init__(self, detection: Json, onset_ms: int) -> None:
        number: Any = detection.get
        is_semantic = detection["type"] == "semantic_vad"
        threshold = _SEMANTIC_THRESHOLD if is_semantic else number("threshold")
        self._least = threshold * _LOUDNESS_AT_ONE
        self._onset_ms = onset_ms
        self._patience_ms: int = (
            _PATIENCE_MS[number("eagerness")] if is_semantic else number("silence_duration_ms")
        )
        self.prefix_ms: int = _SEMANTIC_PREFIX_MS if is_semantic else number("prefix_padding_ms")
        self.speaking = False
        self._lasting_ms = 0

    def window(self, audio: bytes, form: AudioFormat) -> Literal["started", "stopped"] | None:
        """Take ``WINDOW_MS`` of audio; say if that is where speech was found or is over."""
        is_loud = loudness(audio, form) >= self._least
        if is_loud == self.speaking:
            self._lasting_ms = 0
            return None
        self._lasting_ms += WINDOW_MS
        if self._lasting_ms < (self._patience_ms if self.speaking else self._onset_ms):
            return None
        self.reset(speaking=not self.speaking)
        return "started" if self.speaking else "stopped"

    @property
    def onset_ms(self) -> int:
        """How long it had been loud when speech was found."""
        return math.ceil(self._onset_ms / WINDOW_MS) * WINDOW_MS

    def reset(self, *, speaking: bool = False) -> None:
        """Begin anew."""
        self.speaking = speaking
        self._lasting_ms = 0
