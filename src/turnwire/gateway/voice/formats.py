"""The three audio formats of the wire, and how long so many bytes of each are.

PCM has 24,000 samples a second and no other rate, G.711 has 8,000; all are mono.
"""

from __future__ import annotations

import sys
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from turnwire.gateway.json_shapes import object_or_empty
from turnwire.gateway.voice import g711

if TYPE_CHECKING:
    from turnwire.gateway.json_shapes import Json

_MS: Final = 1000
_PCM_RATE: Final = 24_000
_LAW_RATE: Final = 8_000


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """How samples are written.

    Attributes:
        type: The wire's name.
        rate: Samples a second.
        sample_bytes: Bytes of one sample.
    """

    type: Literal["audio/pcm", "audio/pcmu", "audio/pcma"]
    rate: int
    sample_bytes: int

    def ms(self, size_bytes: int) -> float:
        """Return how many milliseconds so many bytes are."""
        return size_bytes * _MS / (self.sample_bytes * self.rate)

    def count(self, ms: float) -> int:
        """Return how many whole samples so many milliseconds have."""
        return int(ms * self.rate / _MS)

    def size_bytes(self, ms: float) -> int:
        """Return the bytes of the whole samples of so many milliseconds."""
        return self.count(ms) * self.sample_bytes

    def silence(self, ms: float) -> bytes:
        """Return so many milliseconds of nothing."""
        byte = 0 if self.type == "audio/pcm" else g711.SILENCE[self.type]
        return bytes([byte]) * self.size_bytes(ms)

    def samples(self, data: bytes) -> array[int]:
        """Return the 16-bit samples of some bytes; half a sample at the end is left out."""
        if self.type != "audio/pcm":
            return g711.decoded(data, self.type)
        samples = array("h", data[: len(data) // 2 * 2])
        if sys.byteorder == "big":
            samples.byteswap()
        return samples

    def encoded(self, samples: array[int]) -> bytes:
        """Return the bytes of 16-bit samples."""
        if self.type != "audio/pcm":
            return g711.encoded(samples, self.type)
        if sys.byteorder == "big":
            samples = array("h", samples)
            samples.byteswap()
        return samples.tobytes()

    def wire(self) -> Json:
        """Return it as the session object has it."""
        return {"type": self.type, "rate": self.rate} if self == PCM else {"type": self.type}


PCM: Final = AudioFormat("audio/pcm", _PCM_RATE, 2)
PCMU: Final = AudioFormat("audio/pcmu", _LAW_RATE, 1)
PCMA: Final = AudioFormat("audio/pcma", _LAW_RATE, 1)
FORMATS: Final = {each.type: each for each in (PCM, PCMU, PCMA)}


def format_of(value: Any) -> AudioFormat:
    """Return the format that a session object names; it was checked when it was set."""
    return FORMATS[object_or_empty(value).get("type", PCM.type)]
