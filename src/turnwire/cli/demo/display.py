"""The demonstration on a terminal: progress while it runs, then a table and a picture."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Self

from rich.live import Live as LiveView
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from turnwire.cli.demo.units import bytes_text, ratio_text, seconds_text
from turnwire.cli.demo.verdict import MEASURES, verdicts
from turnwire.cli.demo.ways import WAYS

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from rich.console import Console, RenderableType

    from turnwire.cli.demo.compare import Comparison, Spread
    from turnwire.cli.demo.ways import Live, Run, Way

COLOURS: Final = {"http_full": "red", "http_linked": "yellow", "websocket": "green"}
_BAR_WIDTH: Final = 40
_TITLE_WIDTH: Final = max(len(way.title) for way in WAYS)
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"


class PlainProgress:
    """Progress where there is no terminal: a line for each run."""

    def __init__(self, console: Console, calls: int, rounds: int) -> None:
        self._console = console
        self._rounds = rounds
        console.print(f"{rounds} rounds of {calls} tool calls, three ways", style="dim")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def started(self, way: Way, round_number: int, live: Live) -> None:
        """Say nothing: a run takes a second."""

    def ended(self, run: Run, round_number: int) -> None:
        """Say what a run took."""
        self._console.print(
            f"round {round_number}/{self._rounds}  {run.way.title:<{_TITLE_WIDTH}}"
            f" {run.turns} turns,"
            f" {len(run.calls)} tool calls, {bytes_text(run.sent)} sent,"
            f" {seconds_text(run.wall)}"
        )


class LiveProgress:
    """Progress on a terminal: one line a way, redrawn by a thread of its own.

    The measured thread only counts; it never draws.
    """

    def __init__(self, console: Console, calls: int, rounds: int) -> None:
        self._calls = calls
        self._rounds = rounds
        self._running: tuple[Way, int, Live, float] | None = None
        self._done: dict[str, Run] = {}
        self._view = LiveView(
            console=console, get_renderable=self._draw, transient=True, refresh_per_second=10
        )

    def __enter__(self) -> Self:
        self._view.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._view.stop()

    def started(self, way: Way, round_number: int, live: Live) -> None:
        """Watch a run."""
        self._running = (way, round_number, live, time.monotonic())

    def ended(self, run: Run, round_number: int) -> None:  # noqa: ARG002  # as in the protocol
        """Keep what it took on the screen."""
        self._running = None
        self._done[run.way.key] = run

    def _draw(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for way in WAYS:
            table.add_row(*self._row(way))
        return table

    def _row(self, way: Way) -> tuple[RenderableType, ...]:
        title = Text(way.title, style=COLOURS[way.key])
        running, run = self._running, self._done.get(way.key)
        if running is not None and running[0] is way:
            _, number, live, began = running
            return (
                title,
                ProgressBar(total=self._calls, completed=live.calls, width=30),
                Text(f"{live.calls:>3} calls, {live.turns:>3} turns"),
                Text(f"round {number}/{self._rounds}, {time.monotonic() - began:.1f} s"),
            )
        if run is None:
            return title, ProgressBar(total=self._calls, width=30), Text("waiting"), Text()
        return (
            title,
            ProgressBar(total=self._calls, completed=self._calls, width=30),
            Text(f"{len(run.calls):>3} calls, {run.turns:>3} turns"),
            Text(f"{bytes_text(run.sent)} sent, {seconds_text(run.wall)}", style="dim"),
        )


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Print table, bars and verdicts."""
    console.print(_table(comparison))
    ascii_only = "utf" not in console.encoding.lower()
    for measure in MEASURES:
        values = [measure.value(result).median for result in comparison.results]
        console.print()
        console.print(measure.title, style="bold")
        for result, value in zip(comparison.results, values, strict=True):
            line = Text(f"  {result.way.title:<{_TITLE_WIDTH}} ")
            drawn = bar(value / max(values), _BAR_WIDTH, ascii_only=ascii_only)
            line.append(drawn, style=COLOURS[result.way.key])
            line.append(f" {measure.text(value)}")
            console.print(line)
    console.print()
    for sentence in verdicts(comparison):
        console.print(sentence)


def bar(share: float, width: int, *, ascii_only: bool = False) -> str:
    """Draw a share of 1 as a bar; what is more than nothing is never drawn as nothing."""
    eighths = max(round(share * width * 8), 1 if share > 0 else 0)
    if ascii_only:
        return "#" * max(round(eighths / 8), min(eighths, 1))
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (_EIGHTHS[rest] if rest else "")


def _table(comparison: Comparison) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("", no_wrap=True)
    for title in ("turns", "calls", "sent", "received", "wall", "CPU"):
        table.add_column(title, justify="right", no_wrap=True)
    first = comparison.results[0]
    for each in comparison.results:
        table.add_row(
            Text(each.way.title, style=COLOURS[each.way.key]),
            str(each.turns),
            str(each.calls),
            _cell(bytes_text, each.sent, first.sent),
            _cell(bytes_text, each.received, first.received),
            _cell(seconds_text, each.wall, first.wall),
            _cell(seconds_text, each.cpu, first.cpu),
        )
    return table


def _cell(text: Callable[[float], str], value: Spread, first: Spread) -> Text:
    """Write a value, and below it how it stands to the first row's."""
    cell = Text(text(value.median))
    if value is not first:
        cell.append(f"\n{ratio_text(value.median, first.median)}", style="dim")
    return cell
