"""Whether an upstream can be asked: known from how turns end there; no clock, no I/O.

One turn that fails makes an upstream suspect, some in a row take it out of service for a while.
Then one turn, or a look at its list of models, probes it, and the others stay away until that has
shown something.  Only where nobody else serves the model is that too much: there one turn a second
probes, so that no client is shut out for longer, and only a server that nobody reaches is down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Final

from turnwire.core.machine import advance


class HealthState(Enum):
    """What is known about an upstream."""

    HEALTHY = "healthy"  # the last turn ended well, or there was none
    SUSPECT = "suspect"  # the last one failed; turns still go there
    DOWN = "down"  # turns stay away until the cooldown is over
    PROBING = "probing"  # one finds out whether it is back; the others stay away


class HealthSignal(Enum):
    """What can happen to it."""

    ANSWER = "answer"  # it said something: output, a refusal, its models
    SUCCEED = "succeed"  # a turn ended well
    FAIL = "fail"  # a turn failed
    TRIP = "trip"  # a turn failed, and that was one too many
    PROBE = "probe"  # somebody asks to find out: the cooldown is over, or nobody else is left
    PROBE_FAIL = "probe_fail"  # the probe failed
    GIVE_UP = "give_up"  # the probe was stopped and has shown nothing


_S, _E = HealthState, HealthSignal

TRANSITIONS: Final = {
    (_S.HEALTHY, _E.ANSWER):     _S.HEALTHY,
    (_S.HEALTHY, _E.SUCCEED):    _S.HEALTHY,
    (_S.HEALTHY, _E.FAIL):       _S.SUSPECT,
    (_S.HEALTHY, _E.TRIP):       _S.DOWN,

    (_S.SUSPECT, _E.ANSWER):     _S.SUSPECT,
    (_S.SUSPECT, _E.SUCCEED):    _S.HEALTHY,
    (_S.SUSPECT, _E.FAIL):       _S.SUSPECT,
    (_S.SUSPECT, _E.TRIP):       _S.DOWN,

    (_S.DOWN,    _E.ANSWER):     _S.SUSPECT,  # a turn that had begun before
    (_S.DOWN,    _E.SUCCEED):    _S.HEALTHY,  # likewise
    (_S.DOWN,    _E.FAIL):       _S.DOWN,     # likewise
    (_S.DOWN,    _E.PROBE):      _S.PROBING,

    (_S.PROBING, _E.ANSWER):     _S.SUSPECT,
    (_S.PROBING, _E.SUCCEED):    _S.HEALTHY,
    (_S.PROBING, _E.FAIL):       _S.PROBING,  # a turn that had begun before: the probe decides
    (_S.PROBING, _E.PROBE):      _S.PROBING,  # the last one takes long, and nobody else is left
    (_S.PROBING, _E.PROBE_FAIL): _S.DOWN,
    (_S.PROBING, _E.GIVE_UP):    _S.DOWN,     # the next one that may come probes
}  # fmt: skip

OPEN: Final = frozenset({HealthState.HEALTHY, HealthState.SUSPECT})

_ALONE_INTERVAL: Final = 1.0  # seconds between two probes where nobody else is left


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """When to stay away from an upstream, and for how long.

    Attributes:
        failures: How many turns that fail in a row take it out of service.
        cooldowns: Seconds until the first probe, until the second one and so on; the last one
            stays.
    """

    failures: int = 3
    cooldowns: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0, 30.0)


class Health:
    """What is known about one upstream.

    Whoever asks the upstream calls ``begin`` and tells the number that it got with the outcome:
    ``succeeded``, ``failed`` or ``gave_up``.  Methods return a sentence for the log if turns now
    go another way, else None.

    Args:
        settings: When to stay away, and for how long.

    Attributes:
        state: What turns do.
        reason: What last went wrong, without content; None if nothing has since a turn ended well.
    """

    __slots__ = (
        "_alone_until",
        "_failures",
        "_openings",
        "_probe",
        "_settings",
        "_until",
        "reason",
        "state",
    )

    def __init__(self, settings: HealthSettings | None = None) -> None:
        self._settings = settings or HealthSettings()
        self._failures = 0  # in a row
        self._openings = 0  # likewise, without a turn that ended well between them
        self._probe = 0  # number of the last one
        self._until = 0.0
        self._alone_until = -math.inf  # until then a turn probes, even if nobody else is left
        self.state = HealthState.HEALTHY
        self.reason: str | None = None

    def admits(self, now: float, *, alone: bool = False) -> bool:
        """Say whether it may be asked.

        Args:
            now: The time.
            alone: Nobody else is left that could be asked instead.
        """
        if self.state in OPEN or (self.state is HealthState.DOWN and now >= self._until):
            return True
        return alone and now >= self._alone_until

    def begin(self, now: float, *, is_turn: bool = True) -> int:
        """Note that it is asked, after ``admits`` has said yes.

        Args:
            now: The time.
            is_turn: False if its list of models is asked for, for which no turn has to wait that
                nobody else can take.

        Returns:
            The number of the probe that this is, or 0 if it is none.
        """
        if self.state in OPEN:
            return 0
        assert self.admits(now, alone=True)
        self._signal(HealthSignal.PROBE)
        self._probe += 1
        if is_turn:
            self._alone_until = now + _ALONE_INTERVAL
        return self._probe

    def seconds_until_probe(self, now: float) -> float | None:
        """Return how long it stays out of service; None while it is not, or while one probes."""
        return max(0.0, self._until - now) if self.state is HealthState.DOWN else None

    def answered(self) -> str | None:
        """It said something: turns may go there, but one more failure takes it out again."""
        if self.state in OPEN:
            return None
        self._failures = self._settings.failures - 1
        self._signal(HealthSignal.ANSWER)
        return "answers again: turns go there"

    def succeeded(self) -> str | None:
        """A turn ended well: whatever was known is forgotten."""
        was_open = self.state in OPEN
        self._signal(HealthSignal.SUCCEED)
        self._failures = self._openings = 0
        self.reason = None
        return None if was_open else "works again: turns go there"

    def failed(
        self,
        reason: str,
        now: float,
        probe: int = 0,
        *,
        certain: bool = False,
        alone: bool = False,
    ) -> str | None:
        """A turn or a probe failed; tell it once a turn, however often that was tried.

        Args:
            reason: Why, without content.
            now: The time.
            probe: What ``begin`` returned.
            certain: Nobody is there, so that further turns need not try.
            alone: Nobody else is left for such turns, so that one which fails must not take the
                upstream from the others, unless nobody is there.
        """
        if alone and not certain:
            return self.stumbled(reason, probe)
        self.reason = reason
        self._failures += 1
        if self._is_current(probe):
            return self._close(HealthSignal.PROBE_FAIL, now)
        if self.state in OPEN and (certain or self._failures >= self._settings.failures):
            return self._close(HealthSignal.TRIP, now)
        self._signal(HealthSignal.FAIL)
        return None

    def stumbled(self, reason: str, probe: int = 0) -> str | None:
        """A turn failed, for which the turn itself may be to blame: others still go there.

        Else one client with a turn that a server cannot take would shut all others out.

        Args:
            reason: Why, without content.
            probe: What ``begin`` returned.
        """
        self.reason = reason
        if self._is_current(probe):
            return self.answered()
        self._signal(HealthSignal.FAIL)
        return None

    def gave_up(self, probe: int) -> None:
        """Whoever asked was stopped, which says nothing about the upstream."""
        if self._is_current(probe):
            self._signal(HealthSignal.GIVE_UP)

    def _is_current(self, probe: int) -> bool:
        return self.state is HealthState.PROBING and probe == self._probe

    def _close(self, signal: HealthSignal, now: float) -> str | None:
        self._signal(signal)
        if signal is HealthSignal.PROBE_FAIL and now < self._until:
            return None  # the probe came before its time, as nobody else was left
        cooldowns = self._settings.cooldowns
        cooldown = cooldowns[min(self._openings, len(cooldowns) - 1)]
        self._openings += 1
        self._until = now + cooldown
        return (
            f"is down ({self.reason}): turns stay away for {cooldown:g} s,"
            " but one a second comes if nobody else serves its model"
        )

    def _signal(self, signal: HealthSignal) -> None:
        self.state = advance(TRANSITIONS, self.state, signal)
