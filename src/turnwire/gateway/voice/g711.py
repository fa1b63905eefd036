"""G.711: one byte a sample, as telephones have it (ITU-T G.711, section 3)."""

from __future__ import annotations

from array import array
from functools import cache
from typing import Final, Literal

Law = Literal["audio/pcmu", "audio/pcma"]

SILENCE: Final[dict[Law, int]] = {"audio/pcmu": 0xFF, "audio/pcma": 0xD5}

_BIAS: Final = 0x84  # of µ-law, in 16-bit samples
_EVEN_BITS: Final = 0x55  # inverted in A-law


def decoded(data: bytes, law: Law) -> array[int]:
    """Return the 16-bit samples of these bytes."""
    table = _samples(law)
    return array("h", [table[byte] for byte in data])


def encoded(samples: array[int], law: Law) -> bytes:
    """Return the bytes of these 16-bit samples."""
    table = _bytes(law)
    return bytes([table[sample & 0xFFFF] for sample in samples])


@cache
def _samples(law: Law) -> tuple[int, ...]:
    expand = _expand_mu if law == "audio/pcmu" else _expand_a
    return tuple(expand(byte) for byte in range(256))


@cache
def _bytes(law: Law) -> bytes:
    """Return the nearest byte of each of the 65,536 samples."""
    values = sorted((value, byte) for byte, value in enumerate(_samples(law)))
    table, index = bytearray(2**16), 0
    for sample in range(-(2**15), 2**15):
        while index + 1 < len(values) and _closer(sample, values[index + 1][0], values[index][0]):
            index += 1
        table[sample & 0xFFFF] = values[index][1]
    return bytes(table)


def _closer(sample: int, one: int, other: int) -> bool:
    return abs(one - sample) <= abs(other - sample)


def _expand_mu(byte: int) -> int:
    byte = ~byte & 0xFF
    magnitude = ((((byte & 0x0F) << 3) + _BIAS) << ((byte >> 4) & 7)) - _BIAS
    return -magnitude if byte & 0x80 else magnitude


def _expand_a(byte: int) -> int:
    byte ^= _EVEN_BITS
    exponent, mantissa = (byte >> 4) & 7, byte & 0x0F
    magnitude = (mantissa << 4) + 8
    if exponent:
        magnitude = (magnitude + 0x100) << (exponent - 1)
    return magnitude if byte & 0x80 else -magnitude
