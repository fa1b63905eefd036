"""Sounds to test with, and how loud sound is: without numpy.

All bytes here are PCM16: mono, signed 16 bits, little-endian.
"""

from __future__ import annotations

import math
import operator
import sys
from array import array
from itertools import pairwise

FULL_SCALE = 32768.0


def tone(
    hertz: float, ms: float, *, rate: int = 24_000, level: float = 0.5, fade_ms: float = 0.0
) -> bytes:
    """Return a sine that begins at phase zero.

    Args:
        hertz: Its frequency; below half the rate, or it is another one that is heard.
        ms: How long it is, in milliseconds; rounded to whole samples.
        rate: Samples a second.
        level: The amplitude: 1.0 is full scale, whose RMS is 0.707.
        fade_ms: How long it swells at the beginning and fades at the end, in milliseconds;
            a few keep the edges from clicking.
    """
    count = round(ms * rate / 1000)
    fade = max(1.0, fade_ms * rate / 1000)
    step = 2 * math.pi * hertz / rate
    amplitude = level * (FULL_SCALE - 1)
    return samples_to_bytes(
        array(
            "h",
            (
                round(amplitude * _envelope(index, count, fade) * math.sin(step * index))
                for index in range(count)
            ),
        )
    )


def _envelope(index: int, count: int, fade: float) -> float:
    """Return how much of a sample is let through, 0 to 1: straight lines at both ends."""
    return min(1.0, (index + 1) / fade, (count - index) / fade)


def rms(data: bytes | bytearray | memoryview) -> float:
    """Return how loud PCM16 is: 0.0 is silence, also of nothing; a full square wave is 1.0."""
    samples = samples_of(data)
    if not samples:
        return 0.0
    energy = sum(map(operator.mul, samples, samples))
    return math.sqrt(energy / len(samples)) / FULL_SCALE


def peaks(data: bytes | bytearray | memoryview, count: int) -> list[tuple[float, float]]:
    """Return the lowest and the highest sample of each pixel of a drawing.

    Args:
        data: PCM16.
        count: How many pixels wide the drawing is, at least 1; each gets an equal share of the
            samples.

    Returns:
        ``count`` pairs between -1.0 and 1.0; (0.0, 0.0) where there are fewer samples than pixels
        and none falls into this one.
    """
    samples = samples_of(data)
    edges = [index * len(samples) // count for index in range(count + 1)]
    found: list[tuple[float, float]] = []
    for start, end in pairwise(edges):
        share = samples[start:end]
        found.append((min(share) / FULL_SCALE, max(share) / FULL_SCALE) if share else (0.0, 0.0))
    return found


def samples_of(data: bytes | bytearray | memoryview) -> array[int]:
    """Return PCM16 as numbers; half a sample at the end is left out."""
    samples = array("h")
    samples.frombytes(data[: len(data) & ~1])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def samples_to_bytes(samples: array[int]) -> bytes:
    """Return numbers as PCM16; what :func:`samples_of` undoes."""
    if sys.byteorder == "big":
        samples = samples[:]
        samples.byteswap()
    return samples.tobytes()
