"""What one audio delta costs until its audio is in the application's hands, by library."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

from agents.realtime.openai_realtime import OpenAIRealtimeWebSocketModel
from openai.resources.realtime.realtime import AsyncRealtimeConnection

from turnwire.events.realtime import decode_realtime_event

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = {960: 20, 4800: 100, 24_000: 500}  # bytes of PCM at 24 kHz: milliseconds
TITLES = {
    "floor": "`json` + `base64`",
    "turnwire": "**turnwire**",
    "openai": "`openai`, parsed, decoded",
    "agents": "`openai-agents`, one listener",
}


def delta(size_bytes: int) -> bytes:
    event = {
        "type": "response.output_audio.delta",
        "event_id": "event_0123456789abcdef",
        "response_id": "resp_0123456789abcdef",
        "item_id": "item_0123456789abcdef",
        "output_index": 0,
        "content_index": 0,
        "delta": b64encode(bytes(range(256)) * (size_bytes // 256 + 1))[: size_bytes * 4 // 3],
    }
    event["delta"] = event["delta"].decode()
    return json.dumps(event, separators=(",", ":")).encode()


class _Nobody:
    async def on_event(self, event: Any) -> None:
        pass


def stacks() -> dict[str, Callable[[bytes, int], None]]:
    connection: Any = AsyncRealtimeConnection.__new__(AsyncRealtimeConnection)
    model = OpenAIRealtimeWebSocketModel()
    model.add_listener(_Nobody())
    handle_event = model._handle_ws_event  # noqa: SLF001  # what its reader calls
    loop = asyncio.new_event_loop()

    def floor(message: bytes, times: int) -> None:
        for _ in range(times):
            b64decode(json.loads(message)["delta"])

    def ours(message: bytes, times: int) -> None:
        for _ in range(times):
            decode_realtime_event(message)

    def theirs(message: bytes, times: int) -> None:
        for _ in range(times):
            b64decode(connection.parse_event(message).delta)

    def agents(message: bytes, times: int) -> None:
        async def handle() -> None:
            for _ in range(times):
                await handle_event(json.loads(message))

        loop.run_until_complete(handle())

    return {"floor": floor, "turnwire": ours, "openai": theirs, "agents": agents}


def measure(rounds: int, times: int) -> dict[int, dict[str, float]]:
    """Return the median microseconds per delta, by size and library; rounds are interleaved."""
    found: dict[int, dict[str, list[float]]] = {size: {} for size in SIZES}
    made = stacks()
    for _ in range(rounds):
        for size, runs in found.items():
            message = delta(size)
            for name, run in made.items():
                run(message, 20)
                begin = time.process_time()
                run(message, times)
                runs.setdefault(name, []).append((time.process_time() - begin) / times * 1e6)
    return {
        size: {name: statistics.median(runs) for name, runs in by_name.items()}
        for size, by_name in found.items()
    }


def markdown(found: dict[int, dict[str, float]]) -> str:
    lines = [
        "| µs of CPU for one audio delta | "
        + " | ".join(f"{ms} ms" for ms in SIZES.values())
        + " |",
        "|---|" + "--:|" * len(SIZES),
    ]
    for name, title in TITLES.items():
        cells = []
        for size in SIZES:
            cost, ours = found[size][name], found[size]["turnwire"]
            ratio = "" if name == "turnwire" else f" ({cost / ours:.1f}x)"
            cells.append(f"{cost:.1f}{ratio}")
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
