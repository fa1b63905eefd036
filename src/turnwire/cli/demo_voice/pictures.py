"""The tracks and the curves as HTML with SVG inside; text is never part of what is scaled."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from turnwire.cli.demo.charts import tick_values
from turnwire.cli.demo_voice.tracks import loudness, whole_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from turnwire.cli.demo_voice.findings import Findings
    from turnwire.cli.demo_voice.tracks import Point, Tracks

_COLUMNS: Final = 720
_HALF: Final = 50  # of a lane's height
_SILENT: Final = 0.02  # of the loudest: the edge of a tone, not worth a stroke
_MS: Final = 1000


def time_line(tracks: Tracks, found: Findings) -> str:
    """Draw the tracks below each other, with one line through all of them where the cut is."""
    cut = 100 * tracks.cut_at / tracks.seconds
    lanes = "\n".join(
        _lane(css, title, sound)
        for css, title, sound in (
            ("user", "The user", tracks.user),
            ("heard", "The assistant, as it was heard", tracks.heard),
            ("never", "Received, and never heard", tracks.never_heard),
        )
    )
    item = found.cut
    where = "" if item is None else f"cut at {item.truncated_ms} ms of item {item.number}"
    return f"""<figure class="tracks">
<div class="lanes">
{lanes}
<span class="cut" style="left:{cut:.3f}%"></span>
</div>
{_axis(tracks.seconds)}
<p class="cutlabel" style="margin-left:{cut:.3f}%">{escape(where)}</p>
</figure>"""


def _lane(css: str, title: str, sound: bytes) -> str:
    return f"""<div class="lane {css}"><span>{escape(title)}</span>
<svg viewBox="0 0 {_COLUMNS} 100" preserveAspectRatio="none" role="img"
 aria-label="{escape(title, quote=True)}: loudness over time">
<line x1="0" x2="{_COLUMNS}" y1="{_HALF}" y2="{_HALF}"/>
<path d="{outline(loudness(sound, _COLUMNS))}"/>
</svg></div>"""


def outline(levels: Sequence[float]) -> str:
    """Return the outline of a sound as a path, mirrored at the middle; silence has none."""
    pieces: list[str] = []
    start: int | None = None
    for n, level in enumerate([*levels, 0.0]):
        if level > _SILENT and start is None:
            start = n
        elif level <= _SILENT and start is not None:
            pieces.append(_piece(levels[start:n], start))
            start = None
    return "".join(pieces)


def _piece(levels: Sequence[float], start: int) -> str:
    heights = [max(1, round(level * (_HALF - 4))) for level in levels]
    upper = [f"{start + n} {_HALF - height}H{start + n + 1}" for n, height in enumerate(heights)]
    lower = [f"{start + n + 1} {_HALF + height}H{start + n}" for n, height in enumerate(heights)]
    return f"M{'L'.join(upper)}L{'L'.join(reversed(lower))}Z"


def curves(received: Sequence[Point], heard: Sequence[Point], seconds: float, cut_at: float) -> str:
    """Draw how much had arrived and how much was heard, over the same time."""
    top = max(value for _, value in received)
    ticks = tick_values(top)
    top = max(top, ticks[-1])
    labels = "\n".join(
        f'<span class="tick" style="bottom:{100 * tick / top:.2f}%">{tick / _MS:g} s</span>'
        for tick in ticks
    )
    rules = "".join(
        f'<line x1="0" x2="100" y1="{y:.2f}" y2="{y:.2f}"/>'
        for y in (100 - 100 * tick / top for tick in ticks)
    )
    cut = 100 * cut_at / seconds
    return f"""<figure class="curves">
<p class="legend"><span class="never">received</span><span class="heard">heard</span></p>
<div class="plot">
{labels}
<svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img"
 aria-label="Seconds of audio received and heard, over time">
{rules}
<polyline class="never" points="{_points(received, seconds, top)}"/>
<polyline class="heard" points="{_points(heard, seconds, top)}"/>
</svg>
<span class="cut" style="left:{cut:.3f}%"></span>
</div>
<div class="inset">{_axis(seconds)}</div>
</figure>"""


def _points(curve: Sequence[Point], seconds: float, top: float) -> str:
    end = (seconds, curve[-1][1])
    return " ".join(
        f"{100 * at / seconds:.2f},{100 - 100 * value / top:.2f}" for at, value in (*curve, end)
    )


def _axis(seconds: float) -> str:
    ticks = "".join(
        f'<span style="left:{100 * tick / seconds:.3f}%">{tick} s</span>'
        for tick in whole_seconds(seconds)
    )
    return f'<p class="axis">{ticks}</p>'
