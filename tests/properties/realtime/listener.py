"""Those who hear: naive players that know of each sample when it sounds, and nothing of ledgers."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.core.realtime.playback import Part
    from turnwire.core.realtime.playhead import Reported
    from turnwire.events.realtime.audio_format import AudioFormat

BLOCK = 0.02  # seconds that a sound card asks for at once
INSTANT = 1e-9  # seconds; what clock readings may be wrong


class Sample(NamedTuple):
    """One sample that waits to be played."""

    part: Part
    seconds: float
    size_bytes: int


def samples(part: Part, size_bytes: int, audio_format: AudioFormat) -> list[Sample]:
    count = size_bytes // audio_format.sample_bytes
    return [Sample(part, 1 / audio_format.rate, audio_format.sample_bytes)] * count


@dataclass
class Track:
    """When the samples of one part end, and how much of it has been heard then."""

    ends: list[float] = field(default_factory=list[float])
    milliseconds: list[float] = field(default_factory=list[float])
    waiting_ms: float = 0.0

    def add(self, end: float, seconds: float) -> None:
        before = self.milliseconds[-1] if self.milliseconds else 0.0
        self.ends.append(end)
        self.milliseconds.append(before + seconds * 1000)

    def heard_ms(self, now: float) -> float:
        count = bisect_right(self.ends, now + INSTANT)
        return self.milliseconds[count - 1] if count else 0.0


class Listener:
    """Plays each sample when it arrives, or after the one before.

    ``delay`` is what the player needs to start after a silence, in seconds.
    """

    def __init__(self, delay: Callable[[], float]) -> None:
        self.tracks: dict[Part, Track] = {}
        self._sounds: deque[tuple[float, Sample]] = deque()  # the end of each
        self._silent_from = 0.0
        self._delay = delay

    def hand(self, part: Part, size_bytes: int, audio_format: AudioFormat, now: float) -> None:
        self.tracks.setdefault(part, Track())
        if self._silent_from <= now:
            self._silent_from = now + self._delay()
        for sample in samples(part, size_bytes, audio_format):
            self._play(sample)

    def advance(self, now: float) -> None:
        while self._sounds and self._sounds[0][0] <= now + INSTANT:
            self._sounds.popleft()

    def heard_ms(self, part: Part, now: float) -> float:
        return self.tracks[part].heard_ms(now)

    def unheard_ms(self, part: Part, now: float) -> float:
        track = self.tracks[part]
        total = track.milliseconds[-1] if track.milliseconds else 0.0
        return total - track.heard_ms(now) + track.waiting_ms

    def stop(self, now: float, stopped: Callable[[Part], bool]) -> None:
        """Forget what is unheard of some parts; the others' follows at once."""
        self.advance(now)
        left = [sample for _, sample in self._sounds]
        self._sounds.clear()
        for track in self.tracks.values():
            count = bisect_right(track.ends, now + INSTANT)
            del track.ends[count:], track.milliseconds[count:]
        self._silent_from = now
        for sample in left:
            if not stopped(sample.part):
                self._play(sample)

    def _play(self, sample: Sample) -> None:
        self._silent_from += sample.seconds
        self._sounds.append((self._silent_from, sample))
        self.tracks[sample.part].add(self._silent_from, sample.seconds)


class Device(Listener):
    """A sound card: takes a block now and then, and reports it when it asks for the next."""

    def __init__(self, playhead: Reported, now: float) -> None:
        super().__init__(lambda: 0.0)
        self._playhead = playhead
        self._ring: deque[Sample] = deque()
        self._asks_at = now
        self._block_bytes = 0
        self._sounded_bytes = 0  # of the blocks before

    def hand(self, part: Part, size_bytes: int, audio_format: AudioFormat, now: float) -> None:
        track = self.tracks.setdefault(part, Track())
        arrived = samples(part, size_bytes, audio_format)
        self._ring.extend(arrived)
        track.waiting_ms += 1000 * sum(sample.seconds for sample in arrived)

    def advance(self, now: float) -> None:
        while self._asks_at <= now:
            self._playhead.report(self._block_bytes, flushes=self._playhead.flushes)
            self._sounded_bytes += self._block_bytes
            self._sounds.clear()
            self._block_bytes = 0
            self._silent_from = self._asks_at
            self._asks_at += BLOCK
            while self._ring and self._silent_from + self._ring[0].seconds <= self._asks_at:
                self._take(self._ring.popleft())

    def stop(self, now: float, stopped: Callable[[Part], bool]) -> None:
        self.advance(now)
        waiting = [sample for sample in self._ring if not stopped(sample.part)]
        # What of the block has not sounded is played again by those who go on.
        cut = [sample for end, sample in self._sounds if end > now + INSTANT]
        for sample in self._ring:
            self.tracks[sample.part].waiting_ms = 0.0
        self._sounded_bytes = self.sounded_bytes(now)
        self._sounds.clear()
        super().stop(now, stopped)
        self._block_bytes = 0
        self._ring = deque([*(each for each in cut if not stopped(each.part)), *waiting])
        for sample in self._ring:
            self.tracks[sample.part].waiting_ms += 1000 * sample.seconds

    def sounded_bytes(self, now: float) -> int:
        """Return how much has sounded since the start, to the sample."""
        return self._sounded_bytes + sum(
            sample.size_bytes for end, sample in self._sounds if end <= now + INSTANT
        )

    def _take(self, sample: Sample) -> None:
        self.tracks[sample.part].waiting_ms -= 1000 * sample.seconds
        self._block_bytes += sample.size_bytes
        self._play(sample)
