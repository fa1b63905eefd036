"""The demonstration as one HTML page: no script, no network, light and dark, wide and narrow."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from turnwire.cli.demo.charts import bars, lines
from turnwire.cli.demo.units import bytes_text, ratio_text, rtt_text, seconds_text
from turnwire.cli.demo.verdict import MEASURES, verdicts

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.cli.demo.compare import Comparison, Result, Spread

_STYLE: Final = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c1e21; --soft: #5d6570; --rule: #d9dde3;
  --full: #c2410c; --linked: #a16207; --socket: #0f766e; --alarm: #b91c1c; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #15181c; --ink: #e7eaee; --soft: #9aa4b0; --rule: #333a43;
    --full: #fb923c; --linked: #facc15; --socket: #2dd4bf; --alarm: #f87171; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 60rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1rem; margin: 0 0 .5rem; }
section { margin: 2rem 0; }
.lead, .legend, .turns, .tick, caption { color: var(--soft); }
.lead { margin: 0; }
.alarm { color: var(--alarm); font-weight: 600; }
.http_full { --tone: var(--full); } .http_linked { --tone: var(--linked); }
.websocket { --tone: var(--socket); }
.three { display: grid; gap: 2rem; margin: 2rem 0;
  grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); }
.three section { margin: 0; }
.row { display: grid; grid-template-columns: 1fr auto; margin: .5rem 0; font-size: .9rem; }
.row b { font-variant-numeric: tabular-nums; }
.row i { grid-column: 1 / 3; height: .75rem; min-width: 2px; background: var(--tone);
  border-radius: 2px; }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 0 0 1rem; }
.legend span::before { content: ""; display: inline-block; width: 1.25rem; height: 3px;
  margin-right: .4rem; vertical-align: middle; background: var(--tone); }
.plot { position: relative; height: 16rem; margin-left: 4.5rem; }
.plot svg { width: 100%; height: 100%; overflow: visible; }
.plot line { stroke: var(--rule); vector-effect: non-scaling-stroke; }
.plot polyline { fill: none; stroke: var(--tone); stroke-width: 2.5; stroke-linejoin: round;
  vector-effect: non-scaling-stroke; }
.plot .http_linked { stroke-width: 8; opacity: .5; }
.tick { position: absolute; right: 100%; margin-right: .5rem; transform: translateY(50%);
  font-size: .8rem; white-space: nowrap; }
.turns { display: flex; justify-content: space-between; margin: .25rem 0 0 4.5rem;
  font-size: .8rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
caption { text-align: left; padding-bottom: .5rem; }
th, td { padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--rule); text-align: right;
  white-space: nowrap; }
th:first-child { text-align: left; font-weight: 400; }
td small { color: var(--soft); margin-left: .35rem; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .8rem; color: var(--soft);
  max-height: 20rem; overflow: auto; border: 1px solid var(--rule); padding: .75rem; }
"""


def report(comparison: Comparison, machine: str) -> str:
    """Return the page.

    Args:
        comparison: What was found out.
        machine: What it ran on.
    """
    charts = "\n".join(
        bars(
            measure.title,
            [
                (each.way.key, each.way.title, measure.value(each).median)
                for each in comparison.results
            ],
            measure.text,
        )
        for measure in MEASURES
    )
    per_turn = lines(
        "Bytes sent in each turn",
        [(each.way.key, each.way.title, each.sent_per_turn) for each in comparison.results],
        bytes_text,
    )
    said = "\n".join(f"<li>{escape(sentence)}</li>" for sentence in verdicts(comparison))
    alarms = "\n".join(
        f'<p class="alarm">Not comparable: {escape(each)}</p>' for each in comparison.disagreements
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>turnwire demo: one agent, three ways</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>One agent, three ways</h1>
<p class="lead">“{escape(comparison.question)}” — {comparison.results[0].calls} tool calls,
{escape(rtt_text(comparison.rtt))}</p>
{alarms}
<ul>
{said}
</ul>
<div class="three">
{charts}
</div>
{per_turn}
{_table(comparison)}
{_per_turn_table(comparison)}
{_how(comparison, machine)}
<section><h2>The answer</h2>
<pre>{escape(comparison.answer)}</pre></section>
</body>
</html>
"""


def _table(comparison: Comparison) -> str:
    first = comparison.results[0]
    rows = "\n".join(_row(each, first) for each in comparison.results)
    return f"""<section class="wide"><table>
<caption>Medians of {comparison.rounds} rounds; small: as a multiple of the first row</caption>
<tr><th></th><th>turns</th><th>tool calls</th><th>bytes sent</th><th>bytes received</th>
<th>wall time</th><th>client CPU</th></tr>
{rows}
</table></section>"""


def _row(each: Result, first: Result) -> str:
    cells = "".join(
        (
            _cell(bytes_text, each.sent, first.sent),
            _cell(bytes_text, each.received, first.received),
            _cell(seconds_text, each.wall, first.wall),
            _cell(seconds_text, each.cpu, first.cpu),
        )
    )
    title = escape(each.way.title)
    return f"<tr><th>{title}</th><td>{each.turns}</td><td>{each.calls}</td>{cells}</tr>"


def _cell(text: Callable[[float], str], value: Spread, first: Spread) -> str:
    ratio = ratio_text(value.median, first.median)
    return f"<td>{text(value.median)}<small>{ratio}</small></td>"


def _per_turn_table(comparison: Comparison) -> str:
    titles = "".join(f"<th>{escape(each.way.title)}</th>" for each in comparison.results)
    turns = max(each.turns for each in comparison.results)
    rows = "\n".join(
        f"<tr><th>{number + 1}</th>{_turn_cells(comparison, number)}</tr>"
        for number in range(turns)
    )
    return f"""<section class="wide"><details><summary>Bytes sent, turn by turn</summary><table>
<tr><th>turn</th>{titles}</tr>
{rows}
</table></details></section>"""


def _turn_cells(comparison: Comparison, number: int) -> str:
    rows = [each.sent_per_turn for each in comparison.results]
    return "".join(f"<td>{row[number] if number < len(row) else ''}</td>" for row in rows)


def _how(comparison: Comparison, machine: str) -> str:
    return f"""<section><h2>How it was measured</h2>
<p>An agent answers a question about the files of a folder.
Its tools really list, read and search; its model is the gateway's scripted one, which answers at
once and the same way each time, so all that differs is the way to it.
All three ways use turnwire's own client: over HTTP with <code>store=false</code>, where each turn
carries the whole history; over HTTP with <code>store=true</code>, where a turn names the response
before it; over one WebSocket with <code>store=false</code>.
HTTP connections are kept alive.
The runs are comparable only if tool calls, tool outputs and answer are the same in all of them,
which is checked.</p>
<p>Gateway and link run in a process of their own.
The link is a TCP proxy: it delays each byte by half a round trip each way, keeps
a new connection waiting for one round trip, and counts bytes, HTTP headers included.
It has no limit of bandwidth, no loss, no TLS: where uploading takes time, the whole history costs
more than here.
Opening the WebSocket takes one round trip that HTTP does not need: the upgrade.</p>
<p>Wall time runs from the first dial to the answer, tools included.
Client CPU is that of the thread with the client; tools run in other threads.
{comparison.rounds} interleaved rounds after an unmeasured one; medians.
Two ways tie where not every round had the same winner, or where their medians differ by 5 % at
most.
{escape(machine)}.</p></section>"""
