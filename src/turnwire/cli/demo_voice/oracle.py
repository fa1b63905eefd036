"""What the ear has heard of a sound that is known: found by comparing samples, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from turnwire.audio import PCM16
from turnwire.audio.tones import samples_of

if TYPE_CHECKING:
    from array import array
    from collections.abc import Sequence

_MS = 1000
_SURE = 48  # samples, 2 ms: what follows a gap is no accident


@dataclass(frozen=True, slots=True)
class Sounded:
    """How much of a sound was heard, from its beginning.

    Where it breaks off in a silence, silence follows silence: then it may be any sample from
    ``at_least`` to ``at_most``.

    Attributes:
        at_least: Samples that were heard for certain: up to the last one that is no silence.
        at_most: Samples after which something else was heard.
        start: Where in what was heard it begins, in samples; None if nothing of it was heard.
    """

    at_least: int
    at_most: int
    start: int | None

    @property
    def ms(self) -> float:
        """How long that is, at most."""
        return self.at_most * _MS / PCM16.rate

    def error_ms(self, told_ms: float) -> float:
        """Return by how much a number is too large, or too small; 0 if it may be true."""
        least, most = self.at_least * _MS / PCM16.rate, self.ms
        return told_ms - min(max(told_ms, least), most)


NOTHING = Sounded(0, 0, None)


def sounded(known: Sequence[bytes], heard: bytes) -> list[Sounded]:
    """Return how much of each known sound was heard.

    Args:
        known: PCM16 at 24 kHz, in the order in which they may have been heard.
        heard: All that was heard, with silence between.
    """
    ear = samples_of(heard)
    found: list[Sounded] = []
    after = 0
    for each in known:
        found.append(_prefix(samples_of(each), ear, after))
        start = found[-1].start
        if start is not None:
            after = start + found[-1].at_least
    return found


def _prefix(known: array[int], ear: array[int], after: int) -> Sounded:
    """Compare a sound with what is heard from the first sample on that is no silence."""
    onset, sound = _first_sound(known, 0), _first_sound(ear, after)
    if onset is None or sound is None:
        return NOTHING
    start, same, at = sound - onset, onset, sound
    while True:
        more = _alike(known, same, ear, at)
        same, at = same + more, at + more
        resumed = _first_sound(ear, at)
        if resumed is None or not _goes_on(known, same, ear, resumed):
            break
        at = resumed  # the device had to wait for more
    least = next((n + 1 for n in range(same - 1, -1, -1) if known[n]), 0)
    return Sounded(least, same, start) if least > onset + 1 else NOTHING


def _alike(known: array[int], first: int, ear: array[int], at: int) -> int:
    """Return how many samples are the same from two places on."""
    most = min(len(known) - first, len(ear) - at)
    return next((n for n in range(most) if known[first + n] != ear[at + n]), most)


def _goes_on(known: array[int], first: int, ear: array[int], at: int) -> bool:
    there = ear[at : at + _SURE]
    return len(there) == _SURE and known[first : first + _SURE] == there


def _first_sound(samples: array[int], after: int) -> int | None:
    return next((n for n in range(after, len(samples)) if samples[n]), None)
