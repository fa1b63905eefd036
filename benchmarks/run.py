"""Measure turnwire beside its peers: one run, interleaved, medians.  See README.md.

python benchmarks/run.py            print the tables, write results/latest.json
python benchmarks/run.py --write    also put the tables into README.md
python benchmarks/run.py --quick    one round of the small workloads: does it run at all?
python benchmarks/run.py --full     also the peer that needs minutes for 500 turns
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import re
import sys
import urllib.request
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import report
import workload
from processes import HERE, BenchmarkError, Process, can_pin

if TYPE_CHECKING:
    from pathlib import Path

SERVER_PROCESSOR, WORKER_PROCESSOR = 1, 0
BURST_ROUNDS, BURST_REPEAT = 9, 4
ROLLOUT_ROUNDS = {20: 7, 100: 3, 500: 3}
BURST_STACKS = ["floor", "turnwire", "turnwire-sync", "openai-ws", "openai-sse"]
ROLLOUT_STACKS = ["floor", "turnwire", "turnwire-http", "openai-ws", "openai-sse"]
# Not counted: warms the caches that the worker before has emptied, or growth would be hidden.
PRELUDE = {"burst": {"repeat": 1}, "rollout": {"turns": 10}}
EVENTS = {"burst": len(workload.burst_events()), "rollout": len(workload.call_events())}
DROP_IN_ROUNDS = {20: 7, 100: 5, 500: 3}
ALONE = {"openai-own"}  # needs no server
SLOW = {500: {"openai-sse"}}  # minutes: only with --full, and then once

FRONT_PAGE = HERE.parent / "README.md"
README, BEGIN, END = HERE / "README.md", "<!-- results:begin -->", "<!-- results:end -->"


class Bench:
    """The server, the workers, and runs on them."""

    def __init__(self, stack: ExitStack, names: list[str]) -> None:
        server = stack.enter_context(Process("load_server.py", processor=SERVER_PROCESSOR))
        self._root = f"http://127.0.0.1:{server.read()['port']}"
        self._workers: dict[str, Process] = {}
        for name in names:
            arguments = (name, f"{self._root}/v1")
            worker = Process("worker.py", *arguments, processor=WORKER_PROCESSOR)
            self._workers[name] = stack.enter_context(worker)
            worker.read()

    def _statistics(self) -> dict[str, int]:
        with urllib.request.urlopen(f"{self._root}/statistics") as answer:
            counts: dict[str, int] = json.load(answer)
        return counts

    def run(self, name: str, command: dict[str, Any]) -> dict[str, Any]:
        """Run one command on one worker and check what it saw against what the server sent."""
        worker = self._workers[name]
        worker.ask(command | PRELUDE[command["kind"]])
        self._statistics()
        result = worker.ask(command)
        sent = self._statistics()
        turns: int = command.get("turns") or command["repeat"]
        expected = turns * EVENTS[command["kind"]]
        if name in ALONE:
            return result | {"received_bytes": 0}
        if not (turns == sent["creates"] and expected == sent["events"] == result["events"]):
            raise BenchmarkError(
                f"{name} saw {result['events']} events and the server sent {sent['events']} for "
                f"{sent['creates']} turns, where {turns} turns have {expected} events."
            )
        return result | sent

    def rounds(self, stacks: list[str], command: dict[str, Any], rounds: int) -> report.Runs:
        """Run a command on all stacks in turn, so often."""
        runs: report.Runs = {name: [] for name in stacks}
        for number in range(rounds):
            for name in stacks:
                say(f"{command['kind']} {command.get('turns', '')} round {number + 1}: {name}")
                runs[name].append(self.run(name, command))
        return runs


def say(text: str) -> None:
    """Show progress, if somebody looks."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run everything and return all that was found."""
    chosen: set[str] = set(options.only or report.TITLES) | {"floor"}
    names = [name for name in report.TITLES if name in chosen]
    with ExitStack() as stack:
        where = report.machine()
        bench = Bench(stack, names)
        rounds = 1 if options.quick else BURST_ROUNDS
        stacks = [name for name in BURST_STACKS if name in chosen]
        command = {"kind": "burst", "repeat": BURST_REPEAT}
        burst_runs = bench.rounds(stacks, command, rounds)
        rollout_rounds: dict[int, int] = {}
        rollout_runs: dict[int, report.Runs] = {}
        for turns in options.turns:
            rollout_rounds[turns] = 1 if options.quick else ROLLOUT_ROUNDS.get(turns, 3)
            slow = SLOW.get(turns, set())
            command = {"kind": "rollout", "turns": turns}
            stacks = [name for name in ROLLOUT_STACKS if name in chosen - slow]
            rollout_runs[turns] = bench.rounds(stacks, command, rollout_rounds[turns])
            if options.full and slow & chosen:
                rollout_runs[turns] |= bench.rounds(sorted(slow & chosen), command, 1)
        drop_in_rounds: dict[int, int] = {}
        drop_in_runs: dict[int, report.Runs] = {}
        stacks = [name for name in report.DROP_IN_STACKS if name in names]
        if len(stacks) == len(report.DROP_IN_STACKS):
            for turns in options.turns:
                drop_in_rounds[turns] = 1 if options.quick else DROP_IN_ROUNDS.get(turns, 3)
                command = {"kind": "rollout", "turns": turns}
                drop_in_runs[turns] = bench.rounds(stacks, command, drop_in_rounds[turns])
    say("")
    bursts = report.burst(burst_runs)
    rollouts = {turns: report.rollout(runs) for turns, runs in rollout_runs.items()}
    drop_ins = {turns: report.rollout(runs, "openai-http") for turns, runs in drop_in_runs.items()}
    aims = report.aims(bursts, rollouts) + report.drop_in_aims(drop_ins)
    return {
        "date": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": where,
        "pinned": can_pin(),
        "burst_deltas": workload.BURST_DELTAS,
        "rounds": {"burst": rounds, "rollout": rollout_rounds, "drop_in": drop_in_rounds},
        "burst": bursts,
        "rollout": rollouts,
        "drop_in": drop_ins,
        "aims": [asdict(aim) | {"met": aim.met} for aim in aims],
        "runs": {"burst": burst_runs, "rollout": rollout_runs, "drop_in": drop_in_runs},
    }


def write_between(page: Path, begin: str, end: str, tables: str) -> None:
    """Put tables between the markers of a page."""
    pattern = re.escape(begin) + ".*" + re.escape(end)
    block = f"{begin}\n\n{tables}\n\n{end}"
    page.write_text(re.sub(pattern, lambda _: block, page.read_text(), flags=re.DOTALL))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put the tables into README.md")
    parser.add_argument("--full", action="store_true", help="also what takes minutes")
    parser.add_argument("--quick", action="store_true", help="one round of the small workloads")
    parser.add_argument(
        "--only", nargs="+", choices=report.TITLES, help="these stacks, and the floor"
    )
    parser.add_argument("--turns", nargs="+", type=int, help="lengths of the rollouts")
    options = parser.parse_args()
    options.turns = options.turns or ([20] if options.quick else list(ROLLOUT_ROUNDS))
    return options


def main() -> int:
    options = arguments()
    try:
        result = measure(options)
    except BenchmarkError as error:
        print(f"\nNo result: {error}", file=sys.stderr)
        return 1
    tables = report.markdown(result)
    print(tables)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    (results / "latest.json").write_text(json.dumps(result, indent=1) + "\n")
    if options.write:
        write_between(README, BEGIN, END, tables)
        summary = report.summary(result)
        write_between(FRONT_PAGE, "<!-- bench:summary -->", "<!-- /bench:summary -->", summary)
    return 0


if __name__ == "__main__":
    sys.exit(main())
