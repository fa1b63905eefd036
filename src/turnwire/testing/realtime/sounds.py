"""Audio in which every sample says which one it is, and tones that say which item they are of.

Counted audio is an exact oracle: whoever has heard a few samples of it, at any place, can tell of
which item they are and how far into it (``oracle.py``).  It is loud noise to the ear and speech to
a detector.  It survives everything but a change of its bits: for what is resampled or comes through
another codec there are tones.
"""

from __future__ import annotations

import sys
from array import array
from typing import TYPE_CHECKING, Final

from turnwire.gateway.voice.tones import Burst, Tones

if TYPE_CHECKING:
    from turnwire.gateway.voice.formats import AudioFormat

MOST_ITEMS: Final = 2**12  # numbers below it fit into both codes

# In 16 bits: four samples make a block.  The upper two bits of each say which of the four it is,
# the lower fourteen hold the item, the block's number in two halves (28 bits), and a check with
# which the others are mixed, so that samples of different blocks hardly ever look alike.
WIDE_BLOCK: Final = 4
_WIDE_BITS: Final = 14
_WIDE_MASK: Final = 2**_WIDE_BITS - 1

# In 8 bits: sixteen samples make a block: four bits for the place, four for a digit of the item
# (3), the block's number (8) and the check (5).
NARROW_BLOCK: Final = 16
_DIGIT_BITS: Final = 4
_CHECK_BITS: Final = 20
_BLOCK_BITS: Final = 32

_GOLDEN: Final = 0x9E3779B97F4A7C15  # of Fibonacci hashing, for 64 bits
_ALL: Final = 2**64 - 1

_TONE_FROM: Final = 400  # Hz
_TONE_STEP: Final = 100
TONES: Final = 30  # of which the highest is still below half of 8 kHz


def counted(item: int, first: int, last: int, *, sample_bytes: int = 2) -> bytes:
    """Return the samples of an item from ``first`` up to, without, ``last``.

    Args:
        item: The number of the item, below ``MOST_ITEMS``.
        first: A sample's number, from 0 on.
        last: The number after the last one.
        sample_bytes: 2 for PCM, 1 for what stands for itself, such as G.711 that nobody decodes.

    Raises:
        ValueError: There is no item of this number.
    """
    if not 0 <= item < MOST_ITEMS:
        raise ValueError(f"item {item} cannot be counted; give a number from 0 to {MOST_ITEMS - 1}")
    make, length = (_narrow, NARROW_BLOCK) if sample_bytes == 1 else (_wide, WIDE_BLOCK)
    begin, end = first // length, -(-last // length)
    offset = begin * length
    data = make(item, range(begin, end))
    return data[(first - offset) * sample_bytes : (last - offset) * sample_bytes]


def _hash(item: int, block: int, bits: int) -> int:
    return (((block << 12 | item) + 1) * _GOLDEN & _ALL) >> (64 - bits)


def _wide(item: int, blocks: range) -> bytes:
    checks = [_hash(item, block, _WIDE_BITS) for block in blocks]
    samples = array("H", bytes(2 * WIDE_BLOCK * len(blocks)))
    pairs = list(zip(blocks, checks, strict=True))
    samples[0::4] = array("H", [item ^ _mixed(check, 0) for check in checks])
    samples[1::4] = array("H", [1 << 14 | block >> 14 ^ _mixed(check, 1) for block, check in pairs])
    low = [2 << 14 | block & _WIDE_MASK ^ _mixed(check, 2) for block, check in pairs]
    samples[2::4] = array("H", low)
    samples[3::4] = array("H", [3 << 14 | check for check in checks])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()


def _mixed(check: int, place: int) -> int:
    return (check * (5 + 4 * place) + 1 + place) & _WIDE_MASK


def wide_block(audio: bytes) -> tuple[int, int] | None:
    """Return the item and the first sample's number, if these four samples are a block."""
    values = array("H", audio)
    if sys.byteorder == "big":
        values.byteswap()
    if [value >> _WIDE_BITS for value in values] != [0, 1, 2, 3]:
        return None
    *mixed, check = (value & _WIDE_MASK for value in values)
    item, high, low = (value ^ _mixed(check, place) for place, value in enumerate(mixed))
    block = high << _WIDE_BITS | low
    return (item, block * WIDE_BLOCK) if check == _hash(item, block, _WIDE_BITS) else None


def _narrow(item: int, blocks: range) -> bytes:
    return b"".join(_narrow_block(item, block) for block in blocks)


def _narrow_block(item: int, block: int) -> bytes:
    check = _hash(item, block, _CHECK_BITS)
    number = (item << _BLOCK_BITS | block) ^ _spread(check)
    digits = (number << _CHECK_BITS | check).to_bytes(8, "big").hex()
    return bytes(place << _DIGIT_BITS | int(digit, 16) for place, digit in enumerate(digits))


def _spread(check: int) -> int:
    return (check * _GOLDEN & _ALL) >> _CHECK_BITS


def narrow_block(audio: bytes) -> tuple[int, int] | None:
    """Return the item and the first sample's number, if these sixteen samples are a block."""
    if any(value >> _DIGIT_BITS != place for place, value in enumerate(audio)):
        return None
    digits = int("".join(f"{value & 15:x}" for value in audio), 16)
    check = digits & 2**_CHECK_BITS - 1
    number = digits >> _CHECK_BITS ^ _spread(check)
    item, block = number >> _BLOCK_BITS, number & 2**_BLOCK_BITS - 1
    return (item, block * NARROW_BLOCK) if check == _hash(item, block, _CHECK_BITS) else None


class Counted:
    """An item's sound, counted sample by sample.

    Args:
        item: Its number.
        ms: How long it is.
    """

    def __init__(self, item: int, ms: float) -> None:
        self.item = item
        self._ms = ms

    @property
    def ms(self) -> float:
        """How long it is."""
        return self._ms

    def audio(self, first: int, last: int, form: AudioFormat) -> bytes:
        """Return some of its samples."""
        return counted(self.item, first, last, sample_bytes=form.sample_bytes)


class Toned(Tones):
    """An item's sound as one tone, whose frequency tells the item, modulo ``TONES``.

    Args:
        item: Its number.
        ms: How long it is.
    """

    def __init__(self, item: int, ms: float) -> None:
        super().__init__([Burst(0, ms, hz_of(item))], ms)
        self.item = item


def hz_of(item: int) -> int:
    """Return the frequency of an item's tone."""
    return _TONE_FROM + _TONE_STEP * (item % TONES)


def item_of_hz(hz: float) -> int:
    """Return the item of which a tone is."""
    return round((hz - _TONE_FROM) / _TONE_STEP)
