"""How soon an interruption reaches the server while the application is slow, by library."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.realtime.model_inputs import RealtimeModelSendRawMessage
from agents.realtime.openai_realtime import OpenAIRealtimeWebSocketModel

from turnwire import realtime

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

SLOW = 0.02  # seconds that the application takes for each event
_REST = 1.5  # until the slow application has caught up
_SERVER = Path(__file__).with_name("barge_in_server.py")


class Server:
    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.root = f"127.0.0.1:{port}/v1"

    async def next(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        found: dict[str, Any] = json.loads(await self._process.stdout.readline())
        return found


@asynccontextmanager
async def served() -> AsyncGenerator[Server]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(_SERVER), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        port = json.loads(await process.stdout.readline())["port"]
        yield Server(process, port)
    finally:
        process.terminate()
        await process.wait()


async def ours(server: Server, times: int) -> list[dict[str, Any]]:
    async def read(session: realtime.RealtimeTransport) -> None:
        async for _ in session.events():
            await asyncio.sleep(SLOW)

    root = f"http://{server.root}"
    async with realtime.connect(base_url=root, api_key="key", reconnect=False) as session:
        reading = asyncio.create_task(read(session))
        found = []
        for _ in range(times):
            session.request_response()
            found.append(await server.next())
            await asyncio.sleep(_REST)
        reading.cancel()
    return found


class _Slow:
    async def on_event(self, _event: Any) -> None:
        await asyncio.sleep(SLOW)


async def theirs(server: Server, times: int) -> list[dict[str, Any]]:
    model = OpenAIRealtimeWebSocketModel()
    model.add_listener(_Slow())
    await model.connect({"api_key": "key", "url": f"ws://{server.root}/realtime?model=m"})
    try:
        found = []
        for _ in range(times):
            message: Any = {"type": "response.create"}
            await model.send_event(RealtimeModelSendRawMessage(message=message))
            found.append(await server.next())
            await asyncio.sleep(_REST)
    finally:
        await model.close()
    return found


STACKS = {"turnwire": ours, "agents": theirs}
TITLES = {"turnwire": "**turnwire**", "agents": "`openai-agents`"}


async def measure(rounds: int, times: int) -> dict[str, list[dict[str, Any]]]:
    """Return the barge-ins of each library; rounds are interleaved."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in STACKS}
    for _ in range(rounds):
        for name, run in STACKS.items():
            async with served() as server:
                found[name] += await run(server, times)
    return found


def markdown(found: dict[str, list[dict[str, Any]]]) -> str:
    lines = [
        "| `speech_started` sent to truncation received | barge-ins | p50 | p99 | cut after |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, runs in found.items():
        took = sorted(run["ms"] for run in runs if run["ms"] is not None)
        heard = statistics.median(run["heard_ms"] for run in runs if run["ms"] is not None)
        p99 = took[min(len(took) - 1, int(0.99 * len(took)))]
        cells = f"{len(took)} | {statistics.median(took):.1f} ms | {p99:.1f} ms | {heard:.0f} ms"
        lines.append(f"| {TITLES[name]} | {cells} |")
    return "\n".join(lines)
