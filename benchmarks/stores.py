"""What a stored turn costs in each of the gateway's stores.

::

    python benchmarks/stores.py                  # memory and SQLite, and Redis if it is installed
    python benchmarks/stores.py --turns 500

A chain grows turn by turn, about 2 kB each.  Measured is the wait of a turn for its store: to find
the response that it continues (`get`) and to keep its own (`put`); then how long another process
takes to find a chain that it has never seen (`cold get`).
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from turnwire.gateway.context import Context
from turnwire.gateway.store import MemoryStore, Store
from turnwire.gateway.store.redis import RedisStore
from turnwire.gateway.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIMITS = (2**30, 10**6)
LENGTHS = (10, 100, 2000)
INPUT, OUTPUT, RESPONSE = b"i" * 300, b"o" * 200, b"r" * 1500


def link(name: str, parent: Context | None) -> Context:
    above = parent.content_bytes if parent else 0
    return Context(
        response_id=name,
        parent=parent,
        input=(INPUT,),
        output=(OUTPUT,),
        pending=(),
        response=RESPONSE,
        item_count=2 + (parent.item_count if parent else 0),
        content_bytes=above + len(INPUT) + len(OUTPUT),
        owner="owner",
    )


async def grow(store: Store, name: str, turns: int) -> tuple[list[float], list[float]]:
    """Return the seconds that each get and each put took."""
    gets: list[float] = []
    puts: list[float] = []
    newest = link(f"{name}-0", None)
    await store.put(newest)
    for number in range(1, turns):
        begun = perf_counter()
        parent = await store.get(newest.response_id, "owner")
        found = perf_counter()
        newest = link(f"{name}-{number}", parent)
        made = perf_counter()
        await store.put(newest)
        puts.append(perf_counter() - made)
        gets.append(found - begun)
    return gets, puts


async def cold(make: Callable[[], Store], name: str) -> float:
    """Return the seconds until a new process has a chain."""
    store = make()
    await store.open()
    await store.get("unknown", "owner")  # connections and statements are there
    begun = perf_counter()
    found = await store.get(name, "owner")
    seconds = perf_counter() - begun
    assert found is not None
    await store.close()
    return seconds


async def measure(kind: str, make: Callable[[], Store], turns: int) -> None:
    store = make()
    await store.open()
    gets, puts = await grow(store, "measured", turns)
    for length in LENGTHS:
        await grow(store, f"chain{length}", length)
    row = [kind, *(f"{at(times, share):.0f}" for times in (gets, puts) for share in (0.5, 0.99))]
    if isinstance(store, MemoryStore):
        row += ["-"] * len(LENGTHS)
    else:
        for length in LENGTHS:
            times = [await cold(make, f"chain{length}-{length - 1}") for _ in range(9)]
            row.append(f"{at(times, 0.5) / 1000:.1f}")
    await store.close()
    print("| " + " | ".join(row) + " |")


def at(times: list[float], share: float) -> float:
    """Return a quantile, in microseconds."""
    return sorted(times)[int(share * (len(times) - 1))] * 1e6


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    path = folder / "redis.sock"
    options = ["--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder)]
    with subprocess.Popen(["redis-server", *options], stdout=subprocess.PIPE) as process:
        assert process.stdout
        next(line for line in process.stdout if b"eady to accept connections" in line)
        yield f"unix://{path}"
        process.kill()


async def main(turns: int) -> None:
    lengths = [f"cold get, {length} links, ms" for length in LENGTHS]
    names = ["store", "get p50, µs", "get p99, µs", "put p50, µs", "put p99, µs", *lengths]
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}\n")
    print("| " + " | ".join(names) + " |")
    print("|" + " --- |" * len(names))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        await measure("memory", lambda: MemoryStore(*LIMITS), turns)
        await measure("sqlite", lambda: SqliteStore(folder / "sqlite", *LIMITS), turns)
        if shutil.which("redis-server"):
            with redis_server(folder) as url:
                await measure("redis", lambda: RedisStore(url, *LIMITS), turns)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=2000, help="turns of the measured chain")
    asyncio.run(main(parser.parse_args().turns))
