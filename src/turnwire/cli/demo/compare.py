"""Runs the three ways in turn, several rounds of them, and boils them down to medians.

The rounds are interleaved and each begins with another way, so that a machine that slows down in
the meantime slows all of them down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Final, Protocol

from turnwire.cli.demo.ways import WAYS, Job, Live, Run, Way, run_way

if TYPE_CHECKING:
    from collections.abc import Sequence

    from turnwire.cli.demo.process import FarSide

_WARM_UP_CALLS: Final = 2


class Audience(Protocol):
    """Whoever watches."""

    def started(self, way: Way, round_number: int, live: Live) -> None:
        """A run begins; ``live`` will say how far it is."""

    def ended(self, run: Run, round_number: int) -> None:
        """A run is over."""


@dataclass(frozen=True, slots=True)
class Spread:
    """One number: the median to quote, and the values of the rounds in their order."""

    median: float
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Boil the values of the rounds down."""
        return cls(median(values), tuple(values))

    def always_differs(self, other: Spread) -> bool:
        """Say whether the same one was smaller in every round.

        The ways of one round ran side by side, so a machine that slowed down slowed all of them.
        """
        rounds = list(zip(self.values, other.values, strict=True))
        return all(mine < theirs for mine, theirs in rounds) or all(
            mine > theirs for mine, theirs in rounds
        )


@dataclass(frozen=True, slots=True)
class Result:
    """One way, over all rounds; bytes and seconds.

    Attributes:
        sent_per_turn: Of the last round.
    """

    way: Way
    turns: int
    calls: int
    sent: Spread
    received: Spread
    wall: Spread
    cpu: Spread
    sent_per_turn: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the demonstration found out.

    Attributes:
        rtt: Seconds of the simulated round trip.
        results: In the order of the ways.
        disagreements: What was not the same in all runs but should have been.
    """

    question: str
    rtt: float
    rounds: int
    results: tuple[Result, ...]
    answer: str
    disagreements: tuple[str, ...]


async def run_rounds(job: Job, far: FarSide, rounds: int, audience: Audience) -> list[Run]:
    """Run every way in every round; before that, each once, briefly and unmeasured.

    Raises:
        TurnwireError: A turn failed.
    """
    for way in WAYS:
        await run_way(way, replace(job, calls=_WARM_UP_CALLS), far, Live())
    runs: list[Run] = []
    for number in range(rounds):
        first = number % len(WAYS)
        for way in WAYS[first:] + WAYS[:first]:
            live = Live()
            audience.started(way, number + 1, live)
            run = await run_way(way, job, far, live)
            audience.ended(run, number + 1)
            runs.append(run)
    return runs


def comparison_of(job: Job, rtt: float, runs: Sequence[Run]) -> Comparison:
    """Boil the runs down."""
    results = tuple(_result([run for run in runs if run.way is way]) for way in WAYS)
    return Comparison(
        question=job.question,
        rtt=rtt,
        rounds=len(runs) // len(WAYS),
        results=results,
        answer=runs[0].answer,
        disagreements=tuple(disagreements(job, runs)),
    )


def _result(runs: Sequence[Run]) -> Result:
    last = runs[-1]
    return Result(
        way=last.way,
        turns=last.turns,
        calls=len(last.calls),
        sent=Spread.of([run.sent for run in runs]),
        received=Spread.of([run.received for run in runs]),
        wall=Spread.of([run.wall for run in runs]),
        cpu=Spread.of([run.cpu for run in runs]),
        sent_per_turn=last.sent_per_turn,
    )


def disagreements(job: Job, runs: Sequence[Run]) -> list[str]:
    """Say what makes the runs not comparable; empty if they did the same work."""
    first = runs[0]
    found: list[str] = []
    for run in runs:
        title = run.way.title
        if len(run.calls) != job.calls:
            found.append(f"{title}: {len(run.calls)} tool calls instead of {job.calls}")
        if run.calls != first.calls:
            found.append(f"{title}: other tool calls than {first.way.title}")
        elif run.outputs != first.outputs:
            found.append(f"{title}: a tool said something else; did a file change meanwhile?")
        if run.answer != first.answer:
            found.append(f"{title}: another answer than {first.way.title}")
        expected = 0 if run.way.sends_all else run.turns - 1
        if run.linked_turns != expected:
            found.append(
                f"{title}: {run.linked_turns} of {run.turns} turns sent only what was new;"
                f" expected {expected}"
            )
    return list(dict.fromkeys(found))
