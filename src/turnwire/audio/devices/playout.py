"""What a device was given, and how much of it has sounded by now."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from turnwire.audio.ring import Portion, merged

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable

    from turnwire.events.realtime.audio_format import AudioFormat

_REMEMBERED_KEYS = 256  # whose totals are known; more than a session has items that still sound


@dataclass(frozen=True, slots=True)
class FlushedPart:
    """What a flush met of one key.

    Attributes:
        key: As given to ``play``.
        played_bytes: What has sounded, of all that was ever played with this key.
        in_device_bytes: What the device had already and sounds within its latency: nobody can
            take it back.
        dropped_bytes: What will never sound.
    """

    key: Hashable
    played_bytes: int
    in_device_bytes: int
    dropped_bytes: int


@dataclass(frozen=True, slots=True)
class FlushedAudio:
    """What a flush met, as of its moment.

    Attributes:
        parts: Each key that was flushed and had not sounded wholly, in order of playing.
        heard_bytes: What has sounded of all keys, and what the device had already.
    """

    parts: tuple[FlushedPart, ...]
    heard_bytes: int

    @property
    def dropped_bytes(self) -> int:
        """How much will never sound."""
        return sum(part.dropped_bytes for part in self.parts)


@dataclass(slots=True)
class _Given:
    key: Hashable
    size_bytes: int
    start: float  # when its first byte sounds
    heard_bytes: int = 0


class Playout:
    """Blocks on their way from the program to the ear; pure, with the time as an argument.

    Times are seconds of one clock.

    Args:
        audio_format: Of everything that is played.

    Attributes:
        played_bytes: What has sounded, as of the last :meth:`settle`.
    """

    def __init__(self, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._given: deque[_Given] = deque()
        self._end = 0.0  # when the last byte given has sounded
        self._totals: OrderedDict[Hashable, int] = OrderedDict()
        self.played_bytes = 0

    @property
    def unheard_bytes(self) -> int:
        """What was given and has not sounded, as of the last :meth:`settle`."""
        return sum(given.size_bytes - given.heard_bytes for given in self._given)

    def give(self, at: float, portions: Iterable[Portion[Hashable]]) -> None:
        """Hand a block to the device: it begins to sound at ``at``, or after the one before."""
        start = max(at, self._end)
        for portion in portions:
            self._given.append(_Given(portion.key, portion.size_bytes, start))
            start += portion.size_bytes / self._format.bytes_per_second
            self._end = start

    def settle(self, now: float) -> list[Portion[Hashable]]:
        """Return what has sounded by ``now`` and was not returned before, in order."""
        sounded: list[Portion[Hashable]] = []
        while self._given and (given := self._given[0]).start < now:
            heard = self._heard(given, now)
            if more := heard - given.heard_bytes:
                sounded.append(Portion(given.key, more))
                given.heard_bytes = heard
            if heard < given.size_bytes:
                break
            self._given.popleft()
        for portion in sounded:
            self._count(portion)
        return merged(sounded)

    def forget(self) -> None:
        """Give up what was given and has not sounded: its device is gone."""
        self._given.clear()

    def flushed(
        self, dropped: Iterable[Portion[Hashable]], keys: Collection[Hashable] = ()
    ) -> FlushedAudio:
        """Describe a flush.

        Args:
            dropped: What was never given to the device.
            keys: What was flushed; everything by default.
        """
        in_device: dict[Hashable, int] = {}
        gone: dict[Hashable, int] = {}
        for given in self._given:
            unheard = given.size_bytes - given.heard_bytes
            in_device[given.key] = in_device.get(given.key, 0) + unheard
        for portion in dropped:
            gone[portion.key] = gone.get(portion.key, 0) + portion.size_bytes
        return FlushedAudio(
            tuple(
                FlushedPart(key, self._totals.get(key, 0), in_device.get(key, 0), gone.get(key, 0))
                for key in {**in_device, **gone}
                if not keys or key in keys
            ),
            self.played_bytes + self.unheard_bytes,
        )

    def _heard(self, given: _Given, now: float) -> int:
        ms = (now - given.start) * 1000
        if ms >= self._format.milliseconds(given.size_bytes):
            return given.size_bytes
        # Never less than before, even if the clock was read earlier.
        return max(given.heard_bytes, self._format.bytes_in(ms))

    def _count(self, portion: Portion[Hashable]) -> None:
        self.played_bytes += portion.size_bytes
        self._totals[portion.key] = self._totals.get(portion.key, 0) + portion.size_bytes
        self._totals.move_to_end(portion.key)
        if len(self._totals) > _REMEMBERED_KEYS:
            self._totals.popitem(last=False)
