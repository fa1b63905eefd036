"""Charts as HTML that needs nothing else: bars of CSS, lines of SVG, colours from the page.

Text is HTML and never part of a picture that is scaled, so it can be read on a telephone.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_STEPS: Final = (1, 2, 2.5, 5, 10)
_MOST_TICKS: Final = 5


def bars(title: str, rows: Sequence[tuple[str, str, float]], text: Callable[[float], str]) -> str:
    """Draw horizontal bars.

    Args:
        title: What is compared.
        rows: CSS class, title and value of each.
        text: Writes a value with its unit.
    """
    largest = max(value for _, _, value in rows) or 1.0
    drawn = "\n".join(
        f'<div class="row {escape(css)}"><span>{escape(name)}</span>'
        f'<b>{escape(text(value))}</b><i style="width:{100 * value / largest:.2f}%"></i></div>'
        for css, name, value in rows
    )
    return f'<section class="bars">\n<h2>{escape(title)}</h2>\n{drawn}\n</section>'


def lines(
    title: str, rows: Sequence[tuple[str, str, Sequence[float]]], text: Callable[[float], str]
) -> str:
    """Draw one line a row over the number of the turn.

    Args:
        title: What is compared.
        rows: CSS class, title and values of each.
        text: Writes a value with its unit.
    """
    top = max(max(values) for _, _, values in rows) or 1.0
    ticks = tick_values(top)
    top = max(top, ticks[-1])
    turns = max(len(values) for _, _, values in rows)
    grid = "\n".join(
        f'<span class="tick" style="bottom:{100 * tick / top:.2f}%">{escape(text(tick))}</span>'
        for tick in ticks
    )
    drawn = "\n".join(
        f'<polyline class="{escape(css)}" points="{_points(values, turns, top)}"/>'
        for css, _, values in rows
    )
    rules = "".join(
        f'<line x1="0" x2="100" y1="{100 - 100 * t / top:.2f}" y2="{100 - 100 * t / top:.2f}"/>'
        for t in ticks
    )
    legend = "".join(f'<span class="{escape(css)}">{escape(name)}</span>' for css, name, _ in rows)
    label = escape(f"{title}: a line for each way; the numbers are in the table below", quote=True)
    return f"""<section class="lines">
<h2>{escape(title)}</h2>
<p class="legend">{legend}</p>
<div class="plot">
{grid}
<svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label="{label}">
{rules}
{drawn}
</svg>
</div>
<p class="turns"><span>turn 1</span><span>turn {turns}</span></p>
</section>"""


def tick_values(top: float) -> list[float]:
    """Return round values from 0 to at least ``top``, not many."""
    step = 10.0 ** (len(str(int(top))) - 2)
    while True:
        for factor in _STEPS:
            count = -(-top // (step * factor))
            if count <= _MOST_TICKS:
                return [step * factor * index for index in range(int(count) + 1)]
        step *= 10


def _points(values: Sequence[float], turns: int, top: float) -> str:
    width = max(turns - 1, 1)
    return " ".join(
        f"{100 * index / width:.2f},{100 - 100 * value / top:.2f}"
        for index, value in enumerate(values)
    )
