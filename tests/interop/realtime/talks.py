"""What the tests with other people's servers say, and how they wait for answers."""

from __future__ import annotations

from array import array
from math import pi, sin
from typing import TYPE_CHECKING, Any, Final

from turnwire import realtime

if TYPE_CHECKING:
    from interop.realtime.programs import Served
    from turnwire.realtime import RealtimeTransport

VAD: Final = {
    "type": "server_vad",
    "silence_duration_ms": 200,
    "create_response": True,
    "interrupt_response": True,
}
WEATHER: Final = {
    "type": "function",
    "name": "weather",
    "description": "Look up the weather.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
LONG: Final = " ".join(["word"] * 60)
RATE: Final = 24_000
SILENCE: Final = bytes(2 * RATE)  # a second


def tone(ms: int) -> bytes:
    """Return somebody who speaks."""
    step = 2 * pi * 440 / RATE
    return array("h", (round(8000 * sin(step * n)) for n in range(RATE * ms // 1000))).tobytes()


def dial(served: Served, **options: Any) -> RealtimeTransport:
    """Return a session with a server, to be opened."""
    given = {"base_url": served.url, "api_key": served.key, "model": served.model}
    return realtime.connect(**{**given, "backlog_ms": 10_000, **options})


async def until(events: Any, kind: str, count: int = 1) -> Any:
    """Return the n-th event of a type."""
    seen: list[str] = []
    async for event in events:
        seen.append(event.type)
        count -= event.type == kind
        if not count:
            return event
    raise AssertionError(f"it ended before {kind}, after {seen}")


def texts(rt: RealtimeTransport) -> list[tuple[str, str]]:
    """Return what was said by whom."""
    messages = [item for item in rt.history if item["type"] == "message"]
    return [
        (item["role"], part.get("text") or part.get("transcript") or "")
        for item in messages
        for part in item["content"]
    ]
