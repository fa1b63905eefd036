"""What to do when an upstream could not answer and nobody has seen output yet; a decision, no more.

After output there is nothing to decide: the failure is shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from turnwire.core.backoff import asked_pause, exponential
from turnwire.gateway.upstreams.failures import (
    BUSY,
    CUT,
    NOT_LET_IN,
    TIMEOUT,
    UNAVAILABLE,
    UNREACHABLE,
)

if TYPE_CHECKING:
    from turnwire.gateway.upstreams import UpstreamFailed

_WORDS: Final = {
    UNREACHABLE: "it cannot be reached",
    TIMEOUT: "it was silent for too long",
    CUT: "it broke off",
    BUSY: "it has too much to do",
    UNAVAILABLE: "it is down",
}

_NOT_FOUND: Final = 404
_TOO_MANY: Final = 429
_STUMBLED: Final = 500
_MAY_PASS: Final = frozenset({408, 425})
_FIRST_PAUSE: Final = 0.25  # seconds
_LONGEST_PAUSE: Final = 4.0
_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


class Verdict(Enum):
    """What a failure says about the upstream."""

    REFUSED = "refused"  # it answered, and has something against the turn
    BUSY = "busy"  # it has too much to do, but works
    STUMBLED = "stumbled"  # something is wrong with it, or with the turn: many say 500 to both
    FAULT = "fault"  # something is wrong with it
    SILENT = "silent"  # it took the turn and said nothing: it may still be working on it


def verdict(failure: UpstreamFailed) -> Verdict:
    """Judge a failure by its status and its code."""
    if failure.code == TIMEOUT:
        return Verdict.SILENT
    if failure.status == _TOO_MANY:
        return Verdict.BUSY
    if failure.status == _STUMBLED:
        return Verdict.STUMBLED
    if failure.status >= 500 or failure.status in _MAY_PASS:  # noqa: PLR2004  # server errors
        return Verdict.FAULT
    return Verdict.REFUSED


def describe(failure: UpstreamFailed) -> str:
    """Say what went wrong without the upstream's own words, which may repeat what was asked."""
    code = failure.code or ""
    if code in _WORDS:
        return _WORDS[code]
    named = f", {code}" if _CODE.fullmatch(code) else ""
    return f"it answered with status {failure.status}{named}"


@dataclass(frozen=True, slots=True)
class Again:
    """Ask the same upstream again after so many seconds."""

    pause: float


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Ask the next upstream that serves the model."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Show the failure."""


Step = Again | Elsewhere | GiveUp


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """How it stands after a failure.

    Attributes:
        tries: How often this upstream was asked for this turn; 1 after the first time.
        retries: How often it may be asked again.
        allowed: The budget that its turns share allows one more try.
        probing: The turn is a probe, and one failure is what it was to find out.
        others: There is another upstream to ask.
        own_key: It is asked with the gateway's key, which says nothing of the client's right.
        longest_wait: Seconds that a turn may be made to wait because the upstream asks for it.
    """

    tries: int
    retries: int
    allowed: bool
    probing: bool
    others: bool
    own_key: bool
    longest_wait: float


def next_step(failure: UpstreamFailed, situation: Situation, chance: float) -> Step:
    """Decide how a turn goes on that nobody has seen output of.

    Args:
        failure: What went wrong.
        situation: How it stands.
        chance: Between 0 and 1, drawn anew each time.
    """
    judged = verdict(failure)
    otherwise = Elsewhere() if situation.others else GiveUp()
    if judged is Verdict.REFUSED:
        lacks_model = failure.status == _NOT_FOUND
        lacks_key = failure.status in NOT_LET_IN and situation.own_key
        return otherwise if lacks_model or lacks_key else GiveUp()
    may_repeat = (
        situation.tries <= situation.retries and situation.allowed and not situation.probing
    )
    asked = asked_pause({name.lower(): value for name, value in failure.headers.items()})
    if judged is Verdict.SILENT or not may_repeat:
        return otherwise
    if judged is Verdict.BUSY and (situation.others or asked is None):
        return otherwise
    if asked is not None and asked > situation.longest_wait:
        return otherwise
    # What the upstream asks for is the least; the random part keeps many turns from coming at once.
    return Again(
        (asked or 0.0) + exponential(situation.tries, chance, _FIRST_PAUSE, _LONGEST_PAUSE)
    )
