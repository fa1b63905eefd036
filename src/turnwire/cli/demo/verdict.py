"""Says in words what the numbers say, whoever wins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from turnwire.cli.demo.units import bytes_text, seconds_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.cli.demo.compare import Comparison, Result, Spread

SAME: Final = 0.05  # a difference of 5 % is none
_TIMES: Final = 2.0  # from here on say "3.0 times", below say "40 %"


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that is compared; less of it is better.

    Attributes:
        less: What the smaller one did, such as "sent 3.0 times less"; ``more`` likewise.
        text: Writes a value with its unit.
    """

    title: str
    verb: str
    less: str
    more: str
    value: Callable[[Result], Spread]
    text: Callable[[float], str]


MEASURES: Final = (
    Measure("Bytes sent", "sent", "less", "more", lambda r: r.sent, bytes_text),
    Measure("Wall time", "took", "less", "more", lambda r: r.wall, seconds_text),
    Measure("Client CPU", "used", "less", "more", lambda r: r.cpu, seconds_text),
)


def verdicts(comparison: Comparison) -> list[str]:
    """Return one sentence for each measure: the last way against each of the others."""
    *others, ours = comparison.results
    return [
        f"{measure.title}: the {ours.way.title}"
        f" {' and '.join(_against(measure, ours, other) for other in others)}."
        for measure in MEASURES
    ]


def _against(measure: Measure, ours: Result, other: Result) -> str:
    mine, theirs = measure.value(ours), measure.value(other)
    values = f"({measure.text(mine.median)} against {measure.text(theirs.median)})"
    if is_tie(mine, theirs):
        return f"ties with {other.way.title} {values}"
    if mine.median < theirs.median:
        amount = f"{_difference(theirs.median, mine.median, theirs.median)} {measure.less}"
    else:
        amount = f"{_difference(mine.median, theirs.median, theirs.median)} {measure.more}"
    return f"{measure.verb} {amount} than {other.way.title} {values}"


def is_tie(mine: Spread, theirs: Spread) -> bool:
    """Say whether two values are the same as far as these runs can tell."""
    larger = max(mine.median, theirs.median)
    return not mine.always_differs(theirs) or abs(mine.median - theirs.median) <= SAME * larger


def _difference(larger: float, smaller: float, whole: float) -> str:
    if larger >= _TIMES * smaller:
        return f"{larger / smaller:.1f} times" if smaller else "infinitely"
    return f"{100 * (larger - smaller) / whole:.0f} %"
