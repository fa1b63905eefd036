"""Reads counted audio back: which samples of which items were heard, exactly.

Knows the code of ``sounds.py`` and nothing of the wire.  Exact but for one thing: where two pieces
join in the middle of blocks, the first samples after the join may by chance look like more of what
came before; one time in 16,384 with 16 bits, one in 16 with 8.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from turnwire.gateway.voice.formats import PCM
from turnwire.gateway.voice.hearing import frequency
from turnwire.testing.realtime.sounds import (
    NARROW_BLOCK,
    WIDE_BLOCK,
    counted,
    item_of_hz,
    narrow_block,
    wide_block,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from turnwire.gateway.voice.formats import AudioFormat

_MS: Final = 1000
_AHEAD: Final = 4096  # samples that are compared at once


@dataclass(frozen=True, slots=True)
class Run:
    """Samples that follow each other without a gap.

    Attributes:
        item: The item's number, or None for what was not counted, such as silence.
        first: The number of the first sample in the item; in the audio that was read, if ``item``
            is None.
        count: How many they are.
    """

    item: int | None
    first: int
    count: int

    @property
    def last(self) -> int:
        """The number after the last sample."""
        return self.first + self.count


def read(audio: bytes, *, sample_bytes: int = 2) -> list[Run]:
    """Return what some audio consists of, in its order.

    Args:
        audio: Counted audio, cut, joined and padded anyhow between samples.
        sample_bytes: As it was made.
    """
    return list(_joined(_runs(audio, sample_bytes)))


def _runs(audio: bytes, size: int) -> Iterator[Run]:
    count, at, unknown = len(audio) // size, 0, 0
    while at < count:
        found = _block_at(audio, at, size)
        if found is None:
            at += 1
            continue
        item, first = found
        begin = max(unknown, _begin(audio, at, found, size))
        if begin > unknown:
            yield Run(None, unknown, begin - unknown)
        end = _end(audio, at, found, size)
        yield Run(item, first - (at - begin), end - begin)
        at = unknown = end
    if unknown < count:
        yield Run(None, unknown, count - unknown)


def _block_at(audio: bytes, at: int, size: int) -> tuple[int, int] | None:
    """Return the item and the sample's number if a whole block begins here."""
    length = NARROW_BLOCK if size == 1 else WIDE_BLOCK
    block = audio[at * size : (at + length) * size]
    if len(block) < length * size:
        return None
    return narrow_block(block) if size == 1 else wide_block(block)


def _begin(audio: bytes, at: int, found: tuple[int, int], size: int) -> int:
    """Return where the run to which a block belongs begins: at most a block before it."""
    item, first = found
    before = min(first, at, NARROW_BLOCK)
    expected = counted(item, first - before, first, sample_bytes=size)
    begin = at
    while begin > at - before:
        there = expected[(begin - 1 - (at - before)) * size :][:size]
        if audio[(begin - 1) * size : begin * size] != there:
            break
        begin -= 1
    return begin


def _end(audio: bytes, at: int, found: tuple[int, int], size: int) -> int:
    """Return where it ends."""
    item, first = found
    end, count = at, len(audio) // size
    while end < count:
        ahead = min(_AHEAD, count - end)
        number = first + (end - at)
        expected = counted(item, number, number + ahead, sample_bytes=size)
        there = audio[end * size : (end + ahead) * size]
        if expected == there:
            end += ahead
            continue
        while audio[end * size : (end + 1) * size] == expected[:size]:
            expected, end = expected[size:], end + 1
        return _before_next_block(audio, max(at + 1, end - NARROW_BLOCK), end, size)
    return end


def _before_next_block(audio: bytes, floor: int, end: int, size: int) -> int:
    """Return where a block begins that only looked like more of the one before; or the end."""
    for begin in range(floor, end):
        found = _block_at(audio, begin, size)
        length = NARROW_BLOCK if size == 1 else WIDE_BLOCK
        if found is not None and begin + length > end:
            return begin
    return end


def _joined(runs: Iterable[Run]) -> Iterator[Run]:
    last: Run | None = None
    for run in runs:
        if last is not None and last.item == run.item and last.last == run.first:
            last = Run(last.item, last.first, last.count + run.count)
            continue
        if last is not None:
            yield last
        last = run
    if last is not None:
        yield last


def heard_ms(audio: bytes, item: int, form: AudioFormat = PCM) -> float:
    """Return how far into an item the audio has come, in milliseconds: to its last sample.

    This is what a truncation of that item should say, whatever was dropped before.
    """
    runs = read(audio, sample_bytes=form.sample_bytes)
    return max((run.last for run in runs if run.item == item), default=0) * _MS / form.rate


def lost(audio: bytes, item: int, *, sample_bytes: int = 2) -> list[tuple[int, int]]:
    """Return which samples of an item are missing between those that were heard: (first, last)."""
    runs = [run for run in read(audio, sample_bytes=sample_bytes) if run.item == item]
    return [(one.last, other.first) for one, other in pairwise(runs) if one.last != other.first]


def toned_item(audio: bytes, form: AudioFormat) -> int:
    """Return the item whose tone this is; of audio that went through a codec or a resampler."""
    return item_of_hz(frequency(form.samples(audio), form.rate))
