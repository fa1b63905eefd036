"""How long to wait before the next try; knows no clock and rolls no dice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_PAUSE: Final = 60.0  # what a server asks for beyond this is for the caller to wait


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses between tries.

    Attributes:
        delays: Seconds before the second try, the third and so on; as many tries more.
        jitter: True to wait a random part of each delay, so that many clients do not come back
            together; False to wait all of it.

    Raises:
        ValueError: A delay is no number of seconds, zero or more.
    """

    delays: tuple[float, ...] = (0.5, 1.0)
    jitter: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "delays", tuple(self.delays))
        if not all(math.isfinite(delay) and delay >= 0 for delay in self.delays):
            raise ValueError("`delays` must be seconds, zero or more")

    def pause(self, failures: int, chance: float) -> float | None:
        """Return how long to wait after so many failed tries; None to give up.

        Args:
            failures: 1 after the first try.
            chance: Between 0 and 1, drawn anew each time.
        """
        if failures > len(self.delays):
            return None
        return self.delays[failures - 1] * (chance if self.jitter else 1.0)


def exponential(failures: int, chance: float, first: float = 0.5, longest: float = 8.0) -> float:
    """Return a random part of a pause that doubles with each failure; seconds."""
    return min(first * 2.0 ** (failures - 1), longest) * chance


def asked_pause(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a server asked to wait, or None: docs/protocol/errors.md#retry-after.

    A date counts from the server's own ``Date``, so that no clock is needed, let alone two that
    agree.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * unit
        except (KeyError, ValueError):
            continue
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    try:
        then = parsedate_to_datetime(headers["retry-after"])
        now = parsedate_to_datetime(headers["date"])
        return max(0.0, (then - now).total_seconds())
    except (KeyError, ValueError, TypeError):
        return None
