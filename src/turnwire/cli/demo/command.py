"""``turnwire demo``, from options to numbers."""

from __future__ import annotations

import asyncio
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from turnwire.cli.demo.compare import Comparison, comparison_of, run_rounds
from turnwire.cli.demo.display import LiveProgress, PlainProgress, print_comparison
from turnwire.cli.demo.process import far_side
from turnwire.cli.demo.report import report
from turnwire.cli.demo.units import rtt_text
from turnwire.cli.demo.verdict import verdicts
from turnwire.cli.demo.ways import Job
from turnwire.cli.exits import ExitCode, complain
from turnwire.cli.files import FileTools
from turnwire.cli.terminal import console, harmless, writing
from turnwire.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

QUESTION: Final = "What does this project do, and how is it tested?"
_SHOWN_LINES: Final = 4
_SHOWN_CHARACTERS: Final = 110


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstration:
    """Everything that ``turnwire demo`` was told."""

    question: str = QUESTION
    calls: int = 24
    rounds: int = 3
    rtt: float = 0.05
    root: Path = Path()
    report: Path | None = None
    as_json: bool = False


def demo(told: Demonstration) -> ExitCode:
    """Run the demonstration and print what came out.

    Raises:
        ConfigError: There is no such folder, or the report cannot be written there.
        TurnwireError: A turn failed.
    """
    job = Job(told.question, told.calls, FileTools(told.root))
    if told.report is not None:
        _check_writable(told.report)
    comparison = _measure(told, job)
    machine = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    with writing():
        if told.as_json:
            _print_json(comparison)
        else:
            _print_for_people(comparison)
    if told.report is not None:
        told.report.write_text(report(comparison, machine), encoding="utf-8")
        console(stderr=True).print(f"report: {told.report}")
    for disagreement in comparison.disagreements:
        complain(f"the runs are not comparable: {disagreement}")
    return ExitCode.TURN_FAILED if comparison.disagreements else ExitCode.OK


def _measure(told: Demonstration, job: Job) -> Comparison:
    stderr = console(stderr=True)
    progress = LiveProgress if stderr.is_terminal else PlainProgress
    stderr.print(
        f"{told.question}\n{rtt_text(told.rtt)}; each way does the same work, measured"
        f" {told.rounds} times",
        style="dim",
    )
    with far_side(told.rtt) as far, progress(stderr, told.calls, told.rounds) as audience:
        runs = asyncio.run(run_rounds(job, far, told.rounds, audience))
    return comparison_of(job, told.rtt, runs)


def _check_writable(path: Path) -> None:
    """Find out now, not after the work, whether the report can be written."""
    try:
        path.open("a").close()
    except OSError as error:
        raise ConfigError(
            f"the report cannot be written to {path}: {(error.strerror or '').lower()};"
            " name another file with --report"
        ) from None


def _print_for_people(comparison: Comparison) -> None:
    out = console()
    out.print()
    _print_answer(out, comparison.answer)
    out.print()
    print_comparison(out, comparison)


def _print_answer(out: Console, answer: str) -> None:
    lines = harmless(answer).splitlines()
    for line in lines[:_SHOWN_LINES]:
        out.print(line[:_SHOWN_CHARACTERS], style="dim")
    if len(lines) > _SHOWN_LINES:
        out.print(f"… and {len(lines) - _SHOWN_LINES} more lines of the answer", style="dim")


def _print_json(comparison: Comparison) -> None:
    data = {**asdict(comparison), "verdicts": verdicts(comparison)}
    encoded = msgspec.json.format(msgspec.json.encode(data), indent=2)
    console().file.write(encoded.decode() + "\n")
