"""Measure the gateway beside a peer and beside a floor, in one run.  See ../README.md.

python benchmarks/gateway/run.py                     without a peer
python benchmarks/gateway/run.py --litellm PROGRAM   with LiteLLM's proxy, in its own environment
python benchmarks/gateway/run.py --against FOLDER    also with the `src` of another checkout
python benchmarks/gateway/run.py --write             also put the tables into ../README.md
python benchmarks/gateway/run.py --quick             one small round: does it run at all?
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import resource
import sys
import tempfile
import urllib.request
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import servers
import tables

import report
from processes import HERE, BenchmarkError, Process, can_pin

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import Launch

CLIENT_PROCESSOR, SERVER_PROCESSOR = 1, 0
BURST = {"sockets": 4, "turns": 2, "deltas": 1_000, "gap": 0.0}
# Sockets that stream at once, with a delta every 40 ms; fewer sockets ask more often.
PACED = [
    {"sockets": 1, "turns": 30, "deltas": 5, "gap": 0.04},
    {"sockets": 4, "turns": 15, "deltas": 10, "gap": 0.04},
    {"sockets": 50, "turns": 3, "deltas": 50, "gap": 0.04},
]
MANY = {"sockets": 2_000, "turns": 3, "deltas": 5, "gap": 0.0}
WARM = {"turns": 2, "deltas": 20, "gap": 0.0}
LANES = {"sockets": 16, "turns": 2}  # of 2,000 deltas each: see ../load_server.py
README, BEGIN, END = HERE / "README.md", "<!-- gateway:begin -->", "<!-- gateway:end -->"

Makers = dict[str, "Callable[[str], Launch]"]


class Bench:
    """The upstream, the client, and turns through any server."""

    def __init__(self, stack: ExitStack) -> None:
        upstream = Process("gateway/upstream.py", processor=CLIENT_PROCESSOR)
        self._root = f"http://127.0.0.1:{stack.enter_context(upstream).read()['port']}"
        self.url = f"{self._root}/v1"
        client = Process("gateway/client.py", processor=CLIENT_PROCESSOR)
        self._client = stack.enter_context(client)
        self._client.read()

    def _statistics(self) -> dict[str, int]:
        with urllib.request.urlopen(f"{self._root}/statistics") as answer:
            counts: dict[str, int] = json.load(answer)
        return counts

    def open(self, server: servers.Server | None, sockets: int) -> dict[str, Any]:
        url = self.url if server is None else server.url
        direct = server is None
        return self._client.ask({"kind": "open", "url": url, "sockets": sockets, "direct": direct})

    def close(self) -> None:
        self._client.ask({"kind": "close"})

    def turns(self, server: servers.Server | None, work: dict[str, Any]) -> dict[str, Any]:
        """Run turns on all sockets that are open, and check what was seen."""
        self._statistics()
        before = 0.0 if server is None else server.cpu
        result = self._client.ask({"kind": "run", **work})
        result["cpu"] = 0.0 if server is None else server.cpu - before
        sent = self._statistics()
        expected = work["sockets"] * work["turns"]
        name = "the upstream" if server is None else server.name
        if result["errors"] or not expected == result["turns"] == sent["creates"]:
            raise BenchmarkError(
                f"{name} answered {result['turns']} of {expected} turns, {result['errors']} of them"
                f" wrong; the upstream was asked {sent['creates']} times."
            )
        return result

    def once(self, server: servers.Server | None, work: dict[str, Any]) -> dict[str, Any]:
        """Open sockets, warm them up, run, and close them."""
        self.open(server, work["sockets"])
        self.turns(server, WARM | {"sockets": work["sockets"]})
        result = self.turns(server, work)
        self.close()
        return result


def memory(bench: Bench, name: str, launch: Launch, many: dict[str, Any]) -> dict[str, Any]:
    """Start a server and see what sockets cost it: idle ones, and used ones."""
    sockets = many["sockets"]
    with servers.Server(name, launch, SERVER_PROCESSOR) as server:
        bench.once(server, WARM | {"sockets": 1})
        fresh = server.settled_bytes()
        opened = bench.open(server, sockets)["wall"]
        idle = server.settled_bytes()
        run = bench.turns(server, many)
        used = server.settled_bytes()
        bench.close()
    return {
        "sockets": sockets,
        "fresh": fresh,
        "idle_each": (idle - fresh) / sockets,
        "used_each": (used - fresh) / sockets,
        "opened": opened,
        "wall": run["wall"],
        "turn_cpu": run["cpu"] / run["turns"],
        "turns": run["turns"],
        "errors": run["errors"],
    }


def streaming(bench: Bench, makers: Makers, rounds: int, paced: list[Any]) -> dict[str, Any]:
    """Stream through all servers in turn, so often; at full speed, and paced."""
    runs: dict[str, dict[str, list[Any]]] = {name: {} for name in ("direct", *makers)}
    with ExitStack() as stack:
        running: dict[str, servers.Server | None] = {"direct": None}
        for name, make in makers.items():
            server = servers.Server(name, make(bench.url), SERVER_PROCESSOR)
            running[name] = stack.enter_context(server)
            bench.once(server, WARM | {"sockets": 4, "turns": 10})
        for number in range(rounds):
            for work in (BURST, *paced):
                what = f"paced {work['sockets']}" if work["gap"] else "burst"
                for name, each in running.items():
                    if each is None and not work["gap"]:
                        continue  # there is nothing between
                    say(f"{what}, round {number + 1}: {name}")
                    runs[name].setdefault(what, []).append(bench.once(each, work))
        resident = {name: each.resident_bytes for name, each in running.items() if each}
    return {"runs": runs, "resident": resident}


def lanes(makers: Makers, rounds: int) -> dict[str, Any]:
    """Relay from sockets to sockets: many downstream, few upstream."""
    runs: dict[str, list[Any]] = {name: [] for name in makers}
    with ExitStack() as stack:
        upstream = Process("load_server.py", processor=CLIENT_PROCESSOR)
        port: int = stack.enter_context(upstream).read()["port"]
        client = stack.enter_context(Process("gateway/lanes_client.py", processor=CLIENT_PROCESSOR))
        client.read()
        running = {
            name: stack.enter_context(
                servers.Server(name, make(f"http://127.0.0.1:{port}/v1"), SERVER_PROCESSOR)
            )
            for name, make in makers.items()
        }
        for number in range(rounds):
            for name, server in running.items():
                say(f"websocket to websocket, round {number + 1}: {name}")
                client.ask(LANES | {"url": server.url, "turns": 1})
                before = server.cpu
                result = client.ask(LANES | {"url": server.url})
                result["cpu"] = server.cpu - before
                result["upstream_sockets"] = servers.connections_to(port) / len(running)
                runs[name].append(result)
    return runs


def say(text: str) -> None:
    """Show progress, if somebody looks."""
    if sys.stderr.isatty() or os.environ.get("BENCH_PROGRESS"):
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run everything and return all that was found."""
    makers: Makers = {"floor": servers.floor, "turnwire": servers.turnwire}
    sockets: Makers = {"turnwire": partial(servers.turnwire, kind="websocket")}
    many, paced = MANY, PACED
    if options.quick:
        many, paced = MANY | {"sockets": 100}, PACED[:1]
    with ExitStack() as stack:
        if options.against:
            makers["before"] = partial(servers.turnwire, source=options.against)
            sockets["before"] = partial(sockets["turnwire"], source=options.against)
        if options.litellm:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            makers["litellm"] = partial(servers.litellm, program=options.litellm, folder=folder)
        where = report.machine()
        bench = Bench(stack)
        found: dict[str, Any] = {}
        if "memory" in options.parts:
            each: dict[str, list[Any]] = {name: [] for name in makers}
            for number in range(options.rounds):
                for name, make in makers.items():
                    if name == "litellm" and number >= options.slow_rounds:
                        continue
                    say(f"memory, round {number + 1}: {name}")
                    each[name].append(memory(bench, name, make(bench.url), many))
            found["memory"] = each
        if "streaming" in options.parts:
            found["streaming"] = streaming(bench, makers, options.rounds, paced)
        if "lanes" in options.parts:
            found["lanes"] = lanes(sockets, options.rounds)
    say("")
    return {
        "date": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": where | {"load_after": round(os.getloadavg()[0], 1)},
        "pinned": can_pin(),
        "rounds": options.rounds,
        "litellm": options.litellm_version,
        **found,
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parts = ("memory", "streaming", "lanes")
    parser.add_argument("--litellm", type=Path, help="LiteLLM's program, to measure it too")
    parser.add_argument("--against", type=Path, help="another `src` of turnwire, to measure it too")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slow-rounds", type=int, default=2, help="LiteLLM's, of 2,000 sockets")
    parser.add_argument("--quick", action="store_true", help="one small round")
    parser.add_argument("--write", action="store_true", help="put the tables into README.md")
    options = parser.parse_args()
    if options.quick:
        options.rounds = options.slow_rounds = 1
    options.litellm_version = servers.litellm_version(options.litellm) if options.litellm else None
    return options


def main() -> int:
    options = arguments()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # for all processes here
    try:
        result = measure(options)
    except BenchmarkError as error:
        print(f"\nNo result: {error}", file=sys.stderr)
        return 1
    text = tables.markdown(result)
    print(text)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    (results / "gateway.json").write_text(json.dumps(tables.numbers(result), indent=1) + "\n")
    if options.write:
        import run as siblings

        siblings.write_between(README, BEGIN, END, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
