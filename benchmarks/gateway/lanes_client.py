"""The client of what relays sockets to sockets; its upstream is ``../load_server.py``.

Takes one command a line, and answers with one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp

sys.path.insert(0, str(Path(__file__).parents[1]))

import workload
from client import TERMINAL, WebSockets, decode

CREATE = json.dumps({"type": "response.create", "model": "bench", "input": workload.BURST})


async def burst(socket: aiohttp.ClientWebSocketResponse[Any], turns: int) -> int:
    """Ask turns one after the other; return how many deltas came."""
    deltas = 0
    for _ in range(turns):
        await socket.send_str(CREATE)
        kind = ""
        while kind not in TERMINAL:
            kind = decode((await socket.receive()).data).type
            deltas += kind == "response.output_text.delta"
        assert kind == "response.completed", kind
    return deltas


async def run(
    session: aiohttp.ClientSession, *, url: str, sockets: int, turns: int
) -> dict[str, Any]:
    way = WebSockets(session, url)
    await way.open(sockets)
    begun = time.perf_counter()
    deltas = await asyncio.gather(*(burst(socket, turns) for socket in way.sockets))
    wall = time.perf_counter() - begun
    assert set(deltas) == {turns * workload.BURST_DELTAS}, deltas
    await way.close()
    return {"wall": wall, "deltas": sum(deltas)}


async def serve() -> None:
    commands = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        print(json.dumps({"ready": "lanes client"}), flush=True)
        while line := await commands.readline():
            print(json.dumps(await run(session, **json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(serve())
