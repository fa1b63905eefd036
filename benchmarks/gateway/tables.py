"""From measurements to medians, tables and verdicts."""

from __future__ import annotations

import statistics
from dataclasses import asdict
from typing import Any

import report

TITLES = {
    "direct": "the upstream itself",
    "floor": "aiohttp + msgspec by hand",
    "turnwire": "**turnwire**",
    "before": "turnwire, the other checkout",
    "litellm": "LiteLLM proxy",
}
BURST_HEAD = """\
`chat` to WebSocket, deltas of 40 characters: CPU of the relay's process for each of them, and how
many it relays in a second of that."""
PACED_HEAD = """\
Paced, 25 deltas a second on each socket: milliseconds from a create to its first delta, and from a
delta's writing to its arrival; of the relays, what they add to the upstream's own."""
MOST_ADDED_MS = 1.0
KILOBYTE, MEGABYTE = 1e3, 1e6

Row = dict[str, Any]


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[int(share * (len(values) - 1))]


def spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def numbers(result: Row) -> Row:
    """Return what was measured, with latencies as quantiles of each round."""
    kept = {key: value for key, value in result.items() if key != "streaming"}
    if "streaming" not in result:
        return kept
    found = result["streaming"]
    rows: Row = {}
    for name, kinds in found["runs"].items():
        rows[name] = {what: [_round(run) for run in runs] for what, runs in kinds.items()}
    return kept | {"streaming": {"runs": rows, "resident": found["resident"]}}


def _round(run: Row) -> Row:
    row = {key: run[key] for key in ("wall", "cpu", "turns", "deltas", "events", "errors")}
    for name in ("first", "each"):
        if run[name]:
            row[name] = {
                "p50": quantile(run[name], 0.5), "p99": quantile(run[name], 0.99)
            }  # fmt: skip
    return row


def markdown(result: Row) -> str:
    """Return the tables, for the terminal and for the README."""
    found = numbers(result)
    sections = [_conditions(result)]
    if "streaming" in found:
        runs = found["streaming"]["runs"]
        sections += [BURST_HEAD, _burst_table(runs), PACED_HEAD, _paced_table(runs)]
    if "memory" in found:
        sockets = found["memory"]["turnwire"][0]["sockets"]
        head = f"{sockets:,} sockets: memory, and turns on all of them at once."
        sections += [head, _memory_table(found["memory"])]
    if "lanes" in found:
        sections += [
            "`websocket` to WebSocket, 16 sockets, bursts of 2,000 deltas.",
            _lanes_table(found["lanes"]),
        ]
    aims = [asdict(aim) | {"met": aim.met} for aim in _aims(found)]
    sections.append(report.verdicts(aims))
    return "\n\n".join(sections)


def _conditions(result: Row) -> str:
    where = result["machine"]
    packages = {name: where["packages"][name] for name in ("turnwire", "aiohttp", "msgspec")}
    if result["litellm"]:
        packages["litellm"] = result["litellm"]
    versions = ", ".join(f"{name} {version}" for name, version in packages.items())
    pinned = (
        "relay pinned to one core, upstream and client to the other"
        if result["pinned"]
        else "nothing pinned"
    )
    return (
        f"{result['date']}: {where['processor']}, {where['cores']} cores, {where['system']}, "
        f"Python {where['python']}, {pinned}, load average {where['load']} before and"
        f" {where['load_after']} after.\n{versions}.\n"
        f"Medians over {result['rounds']} interleaved rounds, with their range."
    )


def cost_us(runs: list[Row]) -> dict[str, float]:
    return spread([1e6 * run["cpu"] / run["deltas"] for run in runs])


def _burst_table(runs: Row) -> str:
    relays = [name for name in runs if name != "direct"]
    loaded = max((what for what in runs[relays[0]] if what != "burst"), key=_sockets)
    floor = cost_us(runs["floor"]["burst"])["median"]
    rows = []
    for name in relays:
        burst, paced = cost_us(runs[name]["burst"]), cost_us(runs[name][loaded])
        each = f"{1e6 / burst['median']:,.0f}"
        rows.append((TITLES[name], _ranged(burst), each, burst["median"] / floor, _ranged(paced)))
    return report.table(
        (
            "relay", "at once: CPU µs per delta", "deltas per CPU second", "of by hand",
            f"{_sockets(loaded)} paced sockets: CPU µs per delta",
        ),
        rows,
    )  # fmt: skip


def _sockets(what: str) -> int:
    return int(what.rsplit(maxsplit=1)[-1])


def added_ms(runs: Row, name: str, what: str, kind: str, share: str) -> dict[str, float]:
    """Return by how much a quantile is over the upstream's own, in the same round."""
    pairs = zip(runs[name][what], runs["direct"][what], strict=True)
    return spread([1e3 * (relay[kind][share] - direct[kind][share]) for relay, direct in pairs])


def _paced_table(runs: Row) -> str:
    rows = []
    for what in runs["direct"]:
        for name in runs:
            cells = [
                _ranged(
                    spread([1e3 * run[kind][share] for run in runs[name][what]])
                    if name == "direct"
                    else added_ms(runs, name, what, kind, share)
                )
                for kind in ("first", "each")
                for share in ("p50", "p99")
            ]
            rows.append((str(_sockets(what)), TITLES[name], *cells))
    return report.table(
        ("sockets", "relay", "first delta: p50", "p99", "each delta: p50", "p99"), rows
    )


def _memory_table(memory: Row) -> str:
    rows = []
    for name, runs in memory.items():
        of = {key: spread([run[key] for run in runs]) for key in runs[0]}
        turns, errors = runs[0]["turns"], sum(run["errors"] for run in runs)
        rows.append(
            (
                TITLES[name],
                _ranged(of["fresh"], MEGABYTE),
                _ranged(of["idle_each"], KILOBYTE),
                _ranged(of["used_each"], KILOBYTE),
                f"{turns:,}, {errors} wrong",
                _ranged(of["wall"]),
                _ranged(of["turn_cpu"], 1e-3),
            )
        )
    return report.table(
        (
            "relay", "resident, MB", "kB per idle socket", "and after its turns", "turns",
            "seconds for all", "CPU ms per turn",
        ),
        rows,
    )  # fmt: skip


def _lanes_table(lanes: Row) -> str:
    rows = [
        (
            TITLES[name],
            _ranged(cost_us(runs)),
            f"{1e6 / cost_us(runs)['median']:,.0f}",
            f"{max(run['upstream_sockets'] for run in runs):g}",
        )
        for name, runs in lanes.items()
    ]
    return report.table(
        ("relay", "CPU µs per delta", "deltas per CPU second", "sockets to the upstream"), rows
    )


def _aims(found: Row) -> list[report.Aim]:
    aims: list[report.Aim] = []
    if "streaming" in found:
        runs = found["streaming"]["runs"]
        if "litellm" in runs:
            times = (
                cost_us(runs["litellm"]["burst"])["median"]
                / cost_us(runs["turnwire"]["burst"])["median"]
            )
            what = "deltas per CPU second, times LiteLLM's"
            aims.append(report.Aim(what, times, 40.0, at_least=True))
        for what in runs["direct"]:
            added = added_ms(runs, "turnwire", what, "first", "p50")["median"]
            name = f"added to the first delta, {_sockets(what)} sockets, p50, ms"
            aims.append(report.Aim(name, added, MOST_ADDED_MS))
        resident = found["streaming"]["resident"]["turnwire"] / MEGABYTE
        aims.append(report.Aim("resident after all streaming, MB", resident, 80.0))
    if "memory" in found:
        runs = found["memory"]["turnwire"]
        fresh = statistics.median(run["fresh"] for run in runs) / MEGABYTE
        idle = statistics.median(run["idle_each"] for run in runs) / KILOBYTE
        aims.append(report.Aim("resident after a first turn, MB", fresh, 80.0))
        aims.append(report.Aim("kB per idle socket", idle, 25.0))
    return aims


def _ranged(of: dict[str, float], unit: float = 1.0) -> str:
    median, low, high = (report.cell(of[key] / unit) for key in ("median", "low", "high"))
    return f"{median} ({low} … {high})"
