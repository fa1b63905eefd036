"""The way into one upstream: who may ask it now, who waits, who is turned away; no clock, no I/O.

First come, first served.  Nobody waits for an upstream that is down, and nobody waits for ever.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from turnwire.gateway.upstreams.routed.health import OPEN, Health, HealthSettings

_SHORTEST_WAIT: Final = 1.0  # seconds: what `Retry-After` can say
_LONGEST_WAIT: Final = 60.0
_NEWEST: Final = 0.2  # how much the last turn counts in the mean duration


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """How much may go on at one upstream.

    Attributes:
        active_limit: Turns at once; None for any number.
        queue_turns: Turns that may wait for a place; with 0 none does.
        queue_bytes: Bytes of input items that they may hold.
        queue_timeout: Seconds that one may wait.
    """

    active_limit: int | None = None
    queue_turns: int = 256
    queue_bytes: int = 64 * 2**20
    queue_timeout: float = 30.0


class Standing(Enum):
    """Where a turn is."""

    WAITING = "waiting"
    INSIDE = "inside"
    OVERDUE = "overdue"  # it waited for too long
    TURNED_AWAY = "turned_away"  # the upstream went down while it waited
    LEFT = "left"


@dataclass(slots=True, eq=False)
class Visit:
    """One turn at one upstream.

    Attributes:
        size_bytes: What it holds while it waits.
        since: When it came, or when it got its place.
        probe: What ``Health.begin`` returned.
    """

    size_bytes: int
    since: float
    standing: Standing = Standing.WAITING
    probe: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """A turn may not even wait.

    Attributes:
        reason: Why, without content.
        full: True if the upstream is up but has too much to do.
        retry_after: Seconds after which it is worth another try.
    """

    reason: str
    full: bool
    retry_after: float


@dataclass(slots=True)
class Gate:
    """Admits turns to one upstream.

    After each call ``changed`` returns the visits that waited and do not any more, apart from the
    one that the call was about.
    """

    settings: GateSettings = field(default_factory=GateSettings)
    health: Health = field(default_factory=lambda: Health(HealthSettings()))
    active: int = 0
    _queue: dict[Visit, None] = field(default_factory=dict[Visit, None])  # in order
    _queued_bytes: int = 0
    _changed: list[Visit] = field(default_factory=list[Visit])
    _duration: float = 0.0  # of a turn, on average

    @property
    def waiting(self) -> int:
        """How many turns wait."""
        return len(self._queue)

    def enter(self, size_bytes: int, now: float, *, alone: bool = False) -> Visit | Refused:
        """Admit a turn, let it wait, or refuse it.

        Args:
            size_bytes: What it holds while it waits.
            now: The time.
            alone: Nobody else is left that could take it.
        """
        self.tick(now)
        is_open = self.health.state in OPEN
        if not self.health.admits(now, alone=alone) or not (is_open or self._has_place):
            pause = None if alone else self.health.seconds_until_probe(now)
            return Refused(
                f"is down ({self.health.reason})", full=False, retry_after=_waited(pause or 0.0)
            )
        visit = Visit(size_bytes, now)
        if self._has_place:
            self._admit(visit, now)
        elif self._has_room_for(size_bytes):
            self._queue[visit] = None
            self._queued_bytes += size_bytes
        else:
            return Refused("is full", full=True, retry_after=self._expected_wait())
        return visit

    def leave(self, visit: Visit, now: float) -> None:
        """A turn has ended, was stopped, or no longer wants to wait."""
        if visit.standing is Standing.INSIDE:
            self.active -= 1
            took = now - visit.since
            self._duration += (took - self._duration) * (_NEWEST if self._duration else 1.0)
        self._remove(visit)
        visit.standing = Standing.LEFT
        self.tick(now)

    def tick(self, now: float) -> None:
        """Look after those who wait: time has passed, or the health may have changed."""
        for visit in tuple(self._queue):
            if self.health.state not in OPEN:
                self._dismiss(visit, Standing.TURNED_AWAY)
            elif now >= visit.since + self.settings.queue_timeout:
                self._dismiss(visit, Standing.OVERDUE)
            elif self._has_place:
                self._remove(visit)
                self._admit(visit, now)
                self._changed.append(visit)
            else:
                break  # those behind it came later

    def deadline(self) -> float | None:
        """Return when to ``tick`` if nothing happens sooner."""
        first = next(iter(self._queue), None)
        return None if first is None else first.since + self.settings.queue_timeout

    def changed(self) -> list[Visit]:
        """Return the visits that no longer wait, each once."""
        changed, self._changed = self._changed, []
        return changed

    @property
    def _has_place(self) -> bool:
        return self.settings.active_limit is None or self.active < self.settings.active_limit

    def _has_room_for(self, size_bytes: int) -> bool:
        return (
            len(self._queue) < self.settings.queue_turns
            and self._queued_bytes + size_bytes <= self.settings.queue_bytes
        )

    def _admit(self, visit: Visit, now: float) -> None:
        visit.standing, visit.since = Standing.INSIDE, now
        visit.probe = self.health.begin(now)
        self.active += 1

    def _dismiss(self, visit: Visit, standing: Standing) -> None:
        self._remove(visit)
        visit.standing = standing
        self._changed.append(visit)

    def _remove(self, visit: Visit) -> None:
        if visit in self._queue:
            del self._queue[visit]
            self._queued_bytes -= visit.size_bytes

    def _expected_wait(self) -> float:
        places = self.settings.active_limit or 1
        return _waited(self._duration * (self.waiting + 1) / places)


def _waited(seconds: float) -> float:
    """Return whole seconds that a ``Retry-After`` may name."""
    return float(math.ceil(min(max(seconds, _SHORTEST_WAIT), _LONGEST_WAIT)))
