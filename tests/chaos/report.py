"""What is told at the end of a run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chaos.playing import Outcome

_MOST_TOLD = 12
_MEBIBYTE = 2**20


def table(total: Outcome, seed: str, seconds: float) -> str:
    """Return the report of a run."""
    asked = total.turns - total.warm_ups
    repeats, retries = total.counters["repeats"], total.counters["retries"]
    allowed = f"{asked} turns, {repeats} repeats and {retries} retries"
    lines = [
        f"{total.turns} turns in {seconds:.0f} s, {total.warm_ups} of them warm-ups",
        f"{total.runs} model runs for {allowed}",
        *_columns("faults", total.injected),
        *_columns("endings", total.endings),
        *_columns("clients", total.counters),
    ]
    if total.resident:
        low, high = total.resident[0] // _MEBIBYTE, max(total.resident) // _MEBIBYTE
        lines.append(f"memory: {low} MiB after the first round, {high} MiB at most")
    if total.violations:
        named = (violation.split(": ")[1] for violation in total.violations)
        broken = Counter(rule for rule in named if rule != "its server")
        lines += [*_columns(f"rules broken, seed {seed}", broken), *total.violations[:_MOST_TOLD]]
    else:
        lines.append(f"No rule was broken (seed {seed}).")
    return "\n".join(lines)


def _columns(title: str, counted: Counter[str]) -> list[str]:
    return [f"{title}:", *(f"  {count:7} {name}" for name, count in counted.most_common())]
