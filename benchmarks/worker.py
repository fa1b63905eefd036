"""One stack in its own process; takes one command a line and answers with one line of JSON.

Stays alive between runs, so that the runs of all stacks can be interleaved.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from typing import Any

from stacks import STACKS, Stack


async def run(stack: Stack, command: dict[str, Any]) -> dict[str, Any]:
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    laps: list[float] = []
    if command["kind"] == "burst":
        events = 0
        for _ in range(command["repeat"]):
            events += await stack.burst()
    else:
        events, laps = await stack.rollout(command["turns"])
    return {
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - wall,
        "events": events,
        "laps": laps,
    }


async def serve(name: str, base_url: str) -> None:
    stack = STACKS[name]()
    await stack.open(base_url)
    commands = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    print(json.dumps({"ready": name}), flush=True)
    while line := await commands.readline():
        print(json.dumps(await run(stack, json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
