"""The demonstration on a terminal: three tracks with the cut, a table, and what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from turnwire.cli.demo_voice.sentences import sentences
from turnwire.cli.demo_voice.tracks import loudness, whole_seconds

if TYPE_CHECKING:
    from rich.console import Console

    from turnwire.cli.demo_voice.findings import Findings, Item
    from turnwire.cli.demo_voice.tracks import Tracks

_TRACKS: Final = (
    ("user", "yellow"),
    ("assistant, heard", "green"),
    ("never heard", "bright_black"),
)
_LABEL: Final = max(len(title) for title, _ in _TRACKS) + 2
_WIDEST: Final = 110
_HEIGHTS: Final = " ▁▂▃▄▅▆▇█"
_ASCII_HEIGHTS: Final = " ..::||##"


def print_findings(console: Console, found: Findings, tracks: Tracks) -> None:
    """Print it all."""
    for line in time_line(tracks, console.width, ascii_only="utf" not in console.encoding.lower()):
        console.print(line)
    console.print()
    console.print(_table(found))
    console.print()
    for sentence in sentences(found):
        console.print(sentence)


def time_line(tracks: Tracks, width: int, *, ascii_only: bool = False) -> list[Text]:
    """Draw the tracks below each other, as wide as a terminal."""
    columns = max(20, min(width - 1, _WIDEST) - _LABEL)
    heights = _ASCII_HEIGHTS if ascii_only else _HEIGHTS
    cut = min(columns - 1, int(tracks.cut_at / tracks.seconds * columns))
    lines = [Text(" " * _LABEL + _seconds(tracks.seconds, columns), style="dim")]
    sounds = (tracks.user, tracks.heard, tracks.never_heard)
    for (title, colour), sound in zip(_TRACKS, sounds, strict=True):
        drawn = waveform(loudness(sound, columns), heights)
        line = Text(f"{title:<{_LABEL}}")
        line.append(drawn[:cut], style=colour)
        line.append("|" if ascii_only else "│", style="red")
        line.append(drawn[cut + 1 :], style=colour)
        lines.append(line)
    lines.append(Text(" " * (_LABEL + cut) + ("^ cut" if ascii_only else "▲ cut"), style="red"))
    return lines


def waveform(levels: list[float], heights: str = _HEIGHTS) -> str:
    """Draw one character for each level, 0 to 1; what is more than silence is seen."""
    top = len(heights) - 1
    return "".join(heights[max(round(level * top), 1 if level > 0 else 0)] for level in levels)


def _seconds(seconds: float, columns: int) -> str:
    drawn = [" "] * columns
    for tick in whole_seconds(seconds):
        label = f"{tick} s" if tick == 0 else str(tick)
        at = int(tick / seconds * columns)
        if at + len(label) <= columns:
            drawn[at : at + len(label)] = label
    return "".join(drawn).rstrip()


def _table(found: Findings) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("", no_wrap=True)
    for title in ("received", "heard", "server told", "the ear (samples)", "error"):
        table.add_column(title, justify="right", no_wrap=True)
    for item in found.items:
        table.add_row(
            f"item {item.number}",
            f"{item.received_ms:.0f} ms",
            f"{item.heard_ms} ms",
            told_text(item),
            ear_text(item),
            error_text(item),
        )
    return table


def told_text(item: Item) -> str:
    """Write what the server was told."""
    return f"cut at {item.truncated_ms} ms" if item.told == "cut" else _TOLD[item.told]


_TOLD: Final = {"deleted": "delete it", "left": "nothing"}


def ear_text(item: Item) -> str:
    """Write what was heard in fact, to the sample."""
    if not item.sounded_samples:
        return "nothing"
    return f"{item.sounded_ms:.2f} ms ({item.sounded_samples:,})"


def error_text(item: Item) -> str:
    """Write the error."""
    return "-" if item.error_ms is None else f"{item.error_ms:+.2f} ms"
