"""G.711: µ-law and A-law, one byte a sample, as telephones speak them.

Both laws are lookups in tables that are computed at import: all 65,536 samples one way, all 256
bytes the other.  They follow ITU-T G.711 (11/88): µ-law sees the upper 14 bits of a sample, A-law
the upper 13; A-law's even bits are inverted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from turnwire.extras import needs

with needs("audio", "numpy", module=__name__):
    import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Every sample of 16 bits, in the order of its bits read as a number without a sign.
_EVERY_SAMPLE = np.arange(65_536, dtype=np.uint16).view(np.int16).astype(np.int32)
_EVERY_CODE = np.arange(256, dtype=np.int32)

_MU_BIAS = 33  # G.711, table 2: the decision values are 33 above powers of two
_MU_LARGEST = 8158  # 8159 is the virtual decision value behind the last step


def _mu_codes() -> NDArray[np.uint8]:
    """Return the code of every sample: sign, three bits of segment, four of step, inverted."""
    value = _EVERY_SAMPLE >> 2
    biased = np.minimum(np.abs(value), _MU_LARGEST) + _MU_BIAS
    segment = np.searchsorted(1 << np.arange(6, 13), biased, side="right")
    step = (biased >> (segment + 1)) & 0x0F
    codes: NDArray[np.intp] = (segment << 4 | step) ^ np.where(value < 0, 0x7F, 0xFF)
    return codes.astype(np.uint8)


def _mu_samples() -> NDArray[np.int16]:
    code = _EVERY_CODE ^ 0xFF
    bias = _MU_BIAS << 2
    size = ((((code & 0x0F) << 3) + bias) << ((code & 0x70) >> 4)) - bias
    return np.where(code & 0x80, -size, size).astype(np.int16)


def _a_codes() -> NDArray[np.uint8]:
    value = _EVERY_SAMPLE >> 3
    size = np.where(value < 0, ~value, value)
    segment = np.searchsorted(1 << np.arange(5, 12), size, side="right")
    step = (size >> np.maximum(segment, 1)) & 0x0F
    return ((segment << 4 | step) ^ np.where(value < 0, 0x55, 0xD5)).astype(np.uint8)


def _a_samples() -> NDArray[np.int16]:
    code = _EVERY_CODE ^ 0x55
    segment = (code & 0x70) >> 4
    size = ((code & 0x0F) << 4) + np.where(segment > 0, 0x108, 8)
    size <<= np.maximum(segment - 1, 0)
    return np.where(code & 0x80, size, -size).astype(np.int16)


@dataclass(frozen=True, slots=True, eq=False)
class Law:
    """One of the two laws.

    Attributes:
        codes: The code of each sample, by the sample's bits read without a sign; shape (65536,).
        samples: The sample of each code; shape (256,).
    """

    codes: NDArray[np.uint8]
    samples: NDArray[np.int16]

    def encode(self, pcm16: bytes) -> bytes:
        """Return one byte for each sample.

        Args:
            pcm16: Signed 16 bits, little-endian, of any rate (a telephone's is 8 kHz).

        Raises:
            ValueError: The last sample is only half there.
        """
        return self.compress(np.frombuffer(pcm16, dtype="<i2")).tobytes()

    def decode(self, codes: bytes) -> bytes:
        """Return one sample of PCM16, little-endian, for each byte."""
        return self.expand(np.frombuffer(codes, dtype=np.uint8)).astype("<i2", copy=False).tobytes()

    def compress(self, samples: NDArray[np.int16]) -> NDArray[np.uint8]:
        """Return the codes of samples; same shape."""
        return self.codes.take(samples.astype(np.int16, copy=False).view(np.uint16))

    def expand(self, codes: NDArray[np.uint8]) -> NDArray[np.int16]:
        """Return the samples of codes; same shape."""
        return self.samples.take(codes)


MU_LAW = Law(_mu_codes(), _mu_samples())
A_LAW = Law(_a_codes(), _a_samples())
