"""What can be heard without understanding: where it is loud, and how high."""

from __future__ import annotations

import math
from operator import mul
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from array import array

    from turnwire.gateway.voice.formats import AudioFormat

_MS: Final = 1000
_WINDOW_MS: Final = 10
_LOUD: Final = 500.0  # root of the mean square of 16-bit samples
_SHORTEST: Final = 3  # windows: what is shorter is a click
_ROUNDED_TO: Final = 10  # Hz
_MOST: Final = 8  # tones that are told


def heard_tones(audio: bytes, form: AudioFormat) -> list[int]:
    """Return the frequencies of the tones in some audio in Hz, rounded, at most eight."""
    samples = form.samples(audio)
    step = form.count(_WINDOW_MS)
    tones: list[int] = []
    begin: int | None = None
    for start in range(0, len(samples) + step, step):
        window = samples[start : start + step]
        loud = math.sqrt(sum(map(mul, window, window)) / step) >= _LOUD
        if loud and begin is None:
            begin = start
        elif not loud and begin is not None:
            if (start - begin) // step >= _SHORTEST:
                tones.append(frequency(samples[begin:start], form.rate))
            begin = None
        if len(tones) == _MOST:
            break
    return tones


def frequency(samples: array[int], rate: int) -> int:
    """Return how often a second it swings, counted where it crosses zero upwards."""
    rising = [n for n in range(1, len(samples)) if samples[n - 1] < 0 <= samples[n]]
    if len(rising) < 2:  # noqa: PLR2004  # two of them make one period
        return 0
    hz = (len(rising) - 1) * rate / (rising[-1] - rising[0])
    return round(hz / _ROUNDED_TO) * _ROUNDED_TO
