"""Measure what a turn of an agent of the OpenAI Agents SDK costs, by transport.  See README.md.

python benchmarks/frameworks/openai_agents.py            the tables, in Markdown
python benchmarks/frameworks/openai_agents.py --quick    one round of 20 turns: does it run at all?
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import statistics
import sys
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import report
from processes import BenchmarkError, Process, can_pin

SERVER_PROCESSOR, WORKER_PROCESSOR = 1, 0
ROUNDS = {20: 7, 100: 3}
TITLES = {
    "memory": "no transport: the SDK alone",
    "http": "the SDK, HTTP",
    "websocket": "the SDK, WebSocket",
    "drop-in": "the SDK on **turnwire**'s transport",
    "adapter": "**turnwire**'s own model",
}
HEAD = (
    "stack",
    "CPU ms per turn",
    "of the adapter",
    "without the SDK's own",
    "wall ms per turn",
    "last/first ten",
    "sent kB",
)
PRELUDE_TURNS = 10  # not counted: warms the caches that the worker before has emptied


class Bench:
    """The server, the workers, and runs on them."""

    def __init__(self, stack: ExitStack, names: list[str]) -> None:
        server = Process("frameworks/agents_server.py", processor=SERVER_PROCESSOR)
        self._root = f"http://127.0.0.1:{stack.enter_context(server).read()['port']}"
        self._workers: dict[str, Process] = {}
        for name in names:
            arguments = (name, f"{self._root}/v1")
            worker = Process("frameworks/agents_worker.py", *arguments, processor=WORKER_PROCESSOR)
            self._workers[name] = stack.enter_context(worker)
            worker.read()

    def _counts(self) -> dict[str, int]:
        with urllib.request.urlopen(f"{self._root}/statistics") as answer:
            counts: dict[str, int] = json.load(answer)
        return counts

    def run(self, name: str, turns: int, *, streamed: bool) -> dict[str, Any]:
        worker = self._workers[name]
        worker.ask({"turns": PRELUDE_TURNS, "streamed": streamed})
        self._counts()
        result = worker.ask({"turns": turns, "streamed": streamed})
        counts = self._counts()
        expected = 0 if name == "memory" else turns
        if not (counts["creates"] == expected and len(result["laps"]) == turns):
            raise BenchmarkError(
                f"{name} ran {len(result['laps'])} tools in {counts['creates']} creates; "
                f"expected {turns} in {expected}."
            )
        return result | counts


def row(runs: list[dict[str, Any]], turns: int) -> dict[str, float]:
    edge = report.EDGE
    growth = [sum(run["laps"][-edge:]) / sum(run["laps"][:edge]) for run in runs]
    return {
        "cpu_ms": statistics.median(1e3 * run["cpu"] / turns for run in runs),
        "wall_ms": statistics.median(1e3 * run["wall"] / turns for run in runs),
        "growth": statistics.median(growth),
        "sent_kb": statistics.median(run["received_bytes"] / 1e3 for run in runs),
    }


def table(rows: dict[str, dict[str, float]]) -> str:
    ours, own = rows["adapter"]["cpu_ms"], rows["memory"]["cpu_ms"]
    lines = [HEAD, ("---", *("--:" for _ in HEAD[1:]))]
    for name, each in rows.items():
        figures = (
            each["cpu_ms"],
            each["cpu_ms"] / ours,
            each["cpu_ms"] - own,
            each["wall_ms"],
            each["growth"],
            each["sent_kb"],
        )
        lines.append((TITLES[name], *(f"{figure:.2f}" for figure in figures)))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def conditions() -> str:
    where = report.machine()
    names = ("openai-agents", "httpx2")
    versions = where["packages"] | {name: importlib.metadata.version(name) for name in names}
    packages = ", ".join(f"{name} {version}" for name, version in versions.items())
    pinned = "server and workers pinned to a core each" if can_pin() else "nothing pinned"
    return (
        f"{where['processor']}, {where['cores']} cores, {where['system']}, Python "
        f"{where['python']}, {pinned}, load average {where['load']} at the start.\n{packages}."
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round of 20 turns")
    parser.add_argument("--only", nargs="+", choices=TITLES, help="these, memory and adapter")
    options = parser.parse_args()
    chosen = {*(options.only or TITLES), "memory", "adapter"}
    names = [name for name in TITLES if name in chosen]
    parts = [conditions()]
    try:
        with ExitStack() as stack:
            bench = Bench(stack, names)
            for turns, rounds in ({20: 1} if options.quick else ROUNDS).items():
                for streamed in (False, True):
                    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
                    for _ in range(rounds):
                        for name in names:
                            runs[name].append(bench.run(name, turns, streamed=streamed))
                    how = "`run_streamed`" if streamed else "`run`"
                    parts.append(f"{how}, {turns} turns, medians of {rounds} rounds:")
                    parts.append(table({name: row(each, turns) for name, each in runs.items()}))
    except BenchmarkError as error:
        print(f"No result: {error}", file=sys.stderr)
        return 1
    print("\n\n".join(parts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
