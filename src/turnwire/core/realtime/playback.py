"""The ledger of playback: what was received, what was heard, part by part.

The audio of all parts is one stream of bytes in the order of its arrival, and the playhead is a
position in it; what was heard of a part follows from that position alone.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from turnwire.core.realtime.playhead import Playhead
    from turnwire.events.realtime.audio_format import AudioFormat

PARTS_KEPT: Final = 64  # settled ones; an item is spoken of no longer than a few turns
_ROUNDING: Final = 1e-6  # ms, far less than a byte lasts


class Part(NamedTuple):
    """One audio content part of an item."""

    response_id: str
    item_id: str
    content_index: int


@dataclass(frozen=True, slots=True)
class HeardPart:
    """What was heard of a part.

    Attributes:
        part: Which.
        received_ms: How much of it arrived, in milliseconds.
        heard_ms: How much of it was heard, in whole milliseconds: never more than was received.
        unheard_ms: How much of it is still to be played.
        finished: Whether it has been received to its end.
        interrupted: Whether playing it was broken off: what was not heard then never will be.
    """

    part: Part
    received_ms: float
    heard_ms: int
    unheard_ms: float
    finished: bool
    interrupted: bool = False

    @property
    def is_settled(self) -> bool:
        """Whether nothing more will be heard of it."""
        return self.interrupted or (self.finished and not self.unheard_ms)


@dataclass(slots=True)
class _Run:
    """Audio of one part and one format that stands together in the stream."""

    start: int
    size_bytes: int
    audio_format: AudioFormat

    @property
    def end(self) -> int:
        return self.start + self.size_bytes

    def played(self, position: int) -> int:
        return min(max(position - self.start, 0), self.size_bytes)


@dataclass(slots=True)
class _Entry:
    """A part's runs, and where the playhead stood when it was interrupted."""

    part: Part
    runs: list[_Run] = field(default_factory=list[_Run])
    finished: bool = False
    interrupted_at: int | None = None

    def take_rests(self, position: int) -> list[tuple[int, int, AudioFormat]]:
        """Take out what was not played: where it stood, how much, in which format."""
        rests = [
            (run.start, run.size_bytes - run.played(position), run.audio_format)
            for run in self.runs
            if run.end > position
        ]
        for run in self.runs:
            run.size_bytes = run.played(position)
        self.runs = [run for run in self.runs if run.size_bytes]
        return rests

    def position_of(self, ms: float) -> int | None:
        position = None
        for run in self.runs:
            position = run.start + min(run.audio_format.bytes_in(ms), run.size_bytes)
            ms -= run.audio_format.milliseconds(run.size_bytes)
            if ms <= 0:
                break
        return position

    def unheard_bytes(self, position: int) -> int:
        if self.interrupted_at is not None:
            return 0
        return sum(run.size_bytes - run.played(position) for run in self.runs)

    def is_settled(self, position: int) -> bool:
        return self.interrupted_at is not None or (
            self.finished and not self.unheard_bytes(position)
        )

    def heard(self, position: int) -> HeardPart:
        interrupted = self.interrupted_at is not None
        reached = position if self.interrupted_at is None else self.interrupted_at
        received = heard = unheard = 0.0
        for run in self.runs:
            played = run.played(reached)
            received += run.audio_format.milliseconds(run.size_bytes)
            heard += run.audio_format.milliseconds(played)
            unheard += run.audio_format.milliseconds(run.size_bytes - played)
        return HeardPart(
            self.part,
            received_ms=received,
            heard_ms=int(heard + _ROUNDING),
            unheard_ms=0.0 if interrupted else unheard,
            finished=self.finished,
            interrupted=interrupted,
        )


class Ledger:
    """What was received and heard of each part.

    Times are float seconds of one monotonic clock.

    Args:
        playhead: Knows how much was played.
        parts_kept: How many parts are remembered; more only while they are played.
    """

    def __init__(self, playhead: Playhead, parts_kept: int = PARTS_KEPT) -> None:
        self._playhead = playhead
        self._parts_kept = parts_kept
        self._entries: dict[Part, _Entry] = {}  # oldest first
        self._silenced: deque[str] = deque(maxlen=parts_kept)  # response ids
        self._end = 0  # of the stream
        self._position = 0  # in it
        self._flushed_at = 0  # what was heard before cannot be corrected

    def received(self, part: Part, size_bytes: int, audio_format: AudioFormat, now: float) -> bool:
        """Take note of audio that is now handed over to be played.

        Args:
            part: Whose it is.
            size_bytes: How much.
            audio_format: The format in force, for good.
            now: When it arrived.

        Returns:
            False if its response was interrupted: then it is not noted, and must not be played.
        """
        if part.response_id in self._silenced:
            return False
        if not size_bytes:
            return True
        entry = self._entries.get(part)
        if entry is None:
            self._make_room(now)
            entry = self._entries[part] = _Entry(part)
        self._append(entry, size_bytes, audio_format)
        self._playhead.handed_over(size_bytes, audio_format, now)
        return True

    def finished(self, part: Part) -> None:
        """Take note that no more audio will be received for a part."""
        if (entry := self._entries.get(part)) is not None:
            entry.finished = True

    def finished_response(self, response_id: str) -> None:
        """Take note that no more audio will be received for any part of a response."""
        for entry in self._entries.values():
            if entry.part.response_id == response_id:
                entry.finished = True

    def heard(self, now: float) -> tuple[HeardPart, ...]:
        """Return what was heard of each part that is remembered, oldest first."""
        position = self._advance(now)
        return tuple(entry.heard(position) for entry in self._entries.values())

    def of_item(self, item_id: str, now: float) -> tuple[HeardPart, ...]:
        """Return what was heard of an item, part by part; nothing if it is not remembered."""
        return tuple(each for each in self.heard(now) if each.part.item_id == item_id)

    def position_of(self, item_id: str, content_index: int, ms: float) -> int | None:
        """Return where in the stream a part has been played for so long, in bytes.

        For playheads that are told of an item and milliseconds.  None if the part is not known, or
        was interrupted: what is said of it now was settled then.
        """
        for entry in self._entries.values():
            if entry.part[1:] == (item_id, content_index):
                return None if entry.interrupted_at is not None else entry.position_of(ms)
        return None

    def unheard_ms(self, now: float) -> float:
        """Return how long the audio lasts that is still to be played."""
        return sum((each.unheard_ms for each in self.heard(now)), start=0.0)

    def is_playing(self, now: float) -> bool:
        """Return whether something is still to be played."""
        return self._advance(now) < self._end

    def next_change(self, now: float) -> float | None:
        """Return when all will have been played; None if it has been, or if nobody knows."""
        return self._playhead.next_change(now) if self.is_playing(now) else None

    def flush(self, now: float, response_id: str | None = None) -> tuple[HeardPart, ...]:
        """Stop playing, for good: what was not heard by now never will be.

        Args:
            now: The time.
            response_id: Stop only this response; what others have to say moves up.

        Returns:
            The items that were broken off, with all their parts as they stood, oldest first: those
            with unheard audio, and those that were still being received.
        """
        self._advance(now)
        final = self._playhead.flush(now, response_id)
        self._position = min(max(final, self._flushed_at), self._end)
        entries = self._entries.values()
        broken = [
            each
            for each in entries
            if not each.is_settled(self._position) and response_id in (None, each.part.response_id)
        ]
        items = {each.part.item_id for each in broken}
        stood = tuple(each.heard(self._position) for each in entries if each.part.item_id in items)
        for each in broken:
            each.interrupted_at = self._position
            if each.part.response_id not in self._silenced:
                self._silenced.append(each.part.response_id)
        self._move_up(now)
        self._flushed_at = self._position
        return stood

    def _advance(self, now: float) -> int:
        """Return where the playhead is; a player that says too much or takes back is not heard."""
        played = self._playhead.played_bytes(now)
        self._position = min(max(played, self._position), self._end)
        return self._position

    def _append(self, entry: _Entry, size_bytes: int, audio_format: AudioFormat) -> None:
        last = entry.runs[-1] if entry.runs else None
        if last is not None and last.end == self._end and last.audio_format == audio_format:
            last.size_bytes += size_bytes
        else:
            entry.runs.append(_Run(self._end, size_bytes, audio_format))
        self._end += size_bytes

    def _move_up(self, now: float) -> None:
        """Begin the stream anew at the playhead, with what was not interrupted."""
        entries = [each for each in self._entries.values() if each.interrupted_at is None]
        rests = [(entry, *rest) for entry in entries for rest in entry.take_rests(self._position)]
        self._end = self._position
        for entry, _, size_bytes, audio_format in sorted(rests, key=lambda rest: rest[1]):
            self._append(entry, size_bytes, audio_format)
            self._playhead.handed_over(size_bytes, audio_format, now)

    def _make_room(self, now: float) -> None:
        """Forget the oldest parts that have nothing left to play, all but so many."""
        position = self._advance(now)
        quiet = [each.part for each in self._entries.values() if not each.unheard_bytes(position)]
        for part in quiet[: max(len(self._entries) + 1 - self._parts_kept, 0)]:
            del self._entries[part]
