"""What a byte of Realtime audio lasts: the three formats of the wire, and their lengths.

The wire knows 16-bit PCM at 24 kHz and G.711 at 8 kHz, all mono (protocol notes, audio formats).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec

_PCM_RATE: Final = 24_000
_G711_RATE: Final = 8_000
# A length in milliseconds that came from whole samples must give the same samples back.
_ROUNDING_SAMPLES: Final = 1e-6


class AudioFormat(msgspec.Struct, frozen=True):
    """A format of mono audio.

    Attributes:
        type: ``audio/pcm`` (signed 16 bits, little endian), ``audio/pcmu`` or ``audio/pcma``.
        rate: Samples per second.
    """

    type: str
    rate: int

    @classmethod
    def read(cls, value: object) -> AudioFormat:
        """Read the ``format`` of a session, in today's shape or the beta's.

        Args:
            value: An object such as ``{"type": "audio/pcm", "rate": 24000}``, a name such as
                ``g711_ulaw``, or None where the session does not say.

        Returns:
            The format; 24 kHz PCM for everything that is not known, as the server's default is.
        """
        if isinstance(value, AudioFormat):
            return value
        if isinstance(value, str):
            return _named(value)
        if not isinstance(value, Mapping):
            return PCM16
        fields = cast("Mapping[str, Any]", value)
        kind = fields.get("type")
        if kind == PCM16.type:
            return cls(PCM16.type, _rate(fields.get("rate")))
        return _G711.get(str(kind), PCM16)

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample."""
        return 2 if self.type == PCM16.type else 1

    @property
    def bytes_per_second(self) -> int:
        """Bytes of one second of audio."""
        return self.rate * self.sample_bytes

    @property
    def silence(self) -> bytes:
        """One byte of silence; repeat it."""
        return _SILENCE[self.type]

    def milliseconds(self, size_bytes: int) -> float:
        """Return how long so many bytes last, in milliseconds and not rounded."""
        return size_bytes * 1000 / self.bytes_per_second

    def bytes_in(self, milliseconds: float) -> int:
        """Return the bytes of the whole samples that fit into a time; 0 for a negative one."""
        samples = math.floor(milliseconds * self.rate / 1000 + _ROUNDING_SAMPLES)
        return max(0, samples) * self.sample_bytes

    def to_wire(self) -> dict[str, Any]:
        """Return today's shape: an object."""
        if self.type == PCM16.type:
            return {"type": self.type, "rate": self.rate}
        return {"type": self.type}

    def to_beta(self) -> str:
        """Return the beta's shape: a name."""
        return _BETA_NAME[self.type]


PCM16: Final = AudioFormat("audio/pcm", _PCM_RATE)
PCMU: Final = AudioFormat("audio/pcmu", _G711_RATE)
PCMA: Final = AudioFormat("audio/pcma", _G711_RATE)

_G711: Final = {PCMU.type: PCMU, PCMA.type: PCMA}
_SILENCE: Final = {PCM16.type: b"\x00", PCMU.type: b"\xff", PCMA.type: b"\xd5"}
_BETA_NAME: Final = {PCM16.type: "pcm16", PCMU.type: "g711_ulaw", PCMA.type: "g711_alaw"}


def _named(name: str) -> AudioFormat:
    if name == _BETA_NAME[PCMA.type]:
        return PCMA
    if name.startswith("g711_"):
        return PCMU
    return _G711.get(name, PCM16)  # today's names as plain text, which some servers echo


def _rate(value: object) -> int:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 1 <= value < math.inf:
        return int(value)
    return _PCM_RATE
