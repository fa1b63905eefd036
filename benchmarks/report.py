"""From measurements to medians, tables and verdicts."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TITLES = {
    "floor": "aiohttp + msgspec by hand",
    "turnwire": "**turnwire**",
    "turnwire-sync": "**turnwire**, blocking",
    "turnwire-http": "**turnwire**, HTTP",
    "openai-ws": "openai, WebSocket",
    "openai-sse": "openai, SSE",
    "openai-own": "openai, over nothing",
    "openai-http": "openai, HTTP",
    "openai-drop-in": "openai, drop-in **turnwire**",
}
DROP_IN_STACKS = ("openai-own", "openai-http", "openai-drop-in")
PACKAGES = ("turnwire", "aiohttp", "msgspec", "openai", "websockets", "pydantic")
EDGE = 10  # turns at either end of a rollout that are compared

Runs = dict[str, list[dict[str, Any]]]  # stack: its runs, in order


@dataclass(frozen=True)
class Aim:
    what: str
    value: float
    limit: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def machine() -> dict[str, Any]:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "from source"
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": versions,
        "load": round(os.getloadavg()[0], 1),
    }


def burst(runs: Runs) -> dict[str, dict[str, float]]:
    """Return CPU µs per event, and how many times the floor's that is."""
    cost = {
        stack: statistics.median(1e6 * run["cpu"] / run["events"] for run in each)
        for stack, each in runs.items()
    }
    return {stack: {"cpu_us": us, "ratio": us / cost["floor"]} for stack, us in cost.items()}


def rollout(runs: Runs, base: str = "floor") -> dict[str, dict[str, float]]:
    """Return CPU ms per turn, growth over the rollout, and bytes sent, also as ratios to one."""
    rows: dict[str, dict[str, float]] = {}
    for stack, each in runs.items():
        turns = len(each[0]["laps"])
        firsts = [1e3 * statistics.fmean(run["laps"][:EDGE]) for run in each]
        lasts = [1e3 * statistics.fmean(run["laps"][-EDGE:]) for run in each]
        rows[stack] = {
            "cpu_ms": statistics.median(1e3 * run["cpu"] / turns for run in each),
            "first_ms": statistics.median(firsts),
            "last_ms": statistics.median(lasts),
            "growth": statistics.median(
                last / first for first, last in zip(firsts, lasts, strict=True)
            ),
            "sent_bytes": statistics.median(run["received_bytes"] for run in each),
        }
    for row in rows.values():
        row["ratio"] = row["cpu_ms"] / rows[base]["cpu_ms"]
        row["bytes_ratio"] = row["sent_bytes"] / rows[base]["sent_bytes"]
    return rows


def drop_in_aims(rollouts: dict[int, dict[str, Any]]) -> list[Aim]:
    """Compare the drop-in transport with what the SDK costs over HTTP."""
    return [
        Aim(f"{turns} turns, drop-in: times the SDK's cost", rows["openai-drop-in"]["ratio"], 1.1)
        for turns, rows in rollouts.items()
    ]


def aims(bursts: dict[str, Any], rollouts: dict[int, dict[str, Any]]) -> list[Aim]:
    found: list[Aim] = []
    for stack in ("turnwire", "turnwire-sync"):
        if stack in bursts:
            name = TITLES[stack].replace("*", "")
            mine = bursts[stack]["cpu_us"]
            found.append(Aim(f"burst, {name}: times the floor", bursts[stack]["ratio"], 2.0))
            if "openai-ws" in bursts:
                times = bursts["openai-ws"]["cpu_us"] / mine
                found.append(
                    Aim(
                        f"burst, {name}: times less than openai WebSocket",
                        times,
                        30.0,
                        at_least=True,
                    )
                )
    for turns, rows in rollouts.items():
        if "turnwire" in rows:
            row = rows["turnwire"]
            found += [
                Aim(f"{turns} turns: CPU ms per turn", row["cpu_ms"], 0.4),
                Aim(f"{turns} turns: last ten / first ten", row["growth"], 1.2),
                Aim(f"{turns} turns: bytes, times the floor", row["bytes_ratio"], 1.05),
            ]
    return found


def markdown(result: dict[str, Any]) -> str:
    """Return the tables, for the terminal and for the README."""
    rounds = result["rounds"]
    sections = [
        _conditions(result),
        f"Burst of {result['burst_deltas']} text deltas, medians of {rounds['burst']} rounds:",
        table(
            ("stack", "CPU µs per event", "of floor"),
            [(TITLES[name], row["cpu_us"], row["ratio"]) for name, row in result["burst"].items()],
        ),
    ]
    for turns, rows in result["rollout"].items():
        head = f"Tool rollout of {turns} turns, medians of {rounds['rollout'][turns]} rounds:"
        sections += [head, table(_ROLLOUT_HEAD, [_rollout_row(*each) for each in rows.items()])]
    for turns, rows in result["drop_in"].items():
        head = f"The official SDK, {turns} turns, medians of {rounds['drop_in'][turns]} rounds:"
        sections += [head, table(_DROP_IN_HEAD, [_rollout_row(*each) for each in rows.items()])]
    sections.append(verdicts(result["aims"]))
    return "\n\n".join(sections)


SUMMARY_TURNS = 100  # the rollout that the project's README quotes
_SUMMARY_STACKS = ("turnwire", "openai-ws", "openai-sse")


def summary(result: dict[str, Any]) -> str:
    """Return the few ratios for the project's README, all against the loop written by hand."""
    turns = result["rollout"][SUMMARY_TURNS]
    head = ("against aiohttp + msgspec by hand", *(TITLES[stack] for stack in _SUMMARY_STACKS))
    rows = [
        ("CPU to read one streamed event", result["burst"], "ratio"),
        (f"CPU for one turn of a loop of {SUMMARY_TURNS} tool calls", turns, "ratio"),
        (f"its last ten turns against its first ten, of {SUMMARY_TURNS}", turns, "growth"),
        ("bytes sent in that loop", turns, "bytes_ratio"),
    ]
    cells = [
        (what, *(f"{measured[stack][key]:.3g} x" for stack in _SUMMARY_STACKS))
        for what, measured, key in rows
    ]
    return table(head, cells)


def _conditions(result: dict[str, Any]) -> str:
    where = result["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in where["packages"].items())
    pinned = "server and workers pinned to a core each" if result["pinned"] else "nothing pinned"
    machine_line = (
        f"{result['date']}: {where['processor']}, {where['cores']} cores, {where['system']}, "
        f"Python {where['python']}, {pinned}, load average {where['load']} at the start."
    )
    return f"{machine_line}\n{packages}."


_ROLLOUT_HEAD = (
    "stack",
    "CPU ms per turn",
    "of floor",
    "first ten",
    "last ten",
    "last/first",
    "sent kB",
    "of floor",
)


_DROP_IN_HEAD = tuple(cell.replace("of floor", "of HTTP") for cell in _ROLLOUT_HEAD)


def _rollout_row(name: str, row: dict[str, float]) -> tuple[str | float, ...]:
    return (
        TITLES[name] + _HOW.get(name, ""),
        row["cpu_ms"],
        row["ratio"],
        row["first_ms"],
        row["last_ms"],
        row["growth"],
        row["sent_bytes"] / 1000,
        row["bytes_ratio"],
    )


def verdicts(aims: list[dict[str, Any]]) -> str:
    """Return the table of what was aimed at, and whether it was reached."""
    rows = [
        (
            aim["what"],
            f"{'≥' if aim['at_least'] else '≤'} {aim['limit']:g}",
            aim["value"],
            "met" if aim["met"] else "**missed**",
        )
        for aim in aims
    ]
    return table(("aim", "limit", "measured", "verdict"), rows)


def table(head: tuple[str, ...], rows: list[tuple[str | float, ...]]) -> str:
    lines = [head, ("---", *("--:" for _ in head[1:])), *rows]
    return "\n".join("| " + " | ".join(map(cell, line)) + " |" for line in lines)


def cell(value: str | float) -> str:
    if isinstance(value, str):
        return value
    digits = 1 if value >= 100 else 2 if value >= 1 else 3
    return f"{value:.{digits}f}"


_HOW = {
    "openai-ws": ", chained by hand",
    "openai-sse": ", full history",
    "turnwire": " chain",
    "turnwire-sync": " chain",
    "turnwire-http": " chain",
}
