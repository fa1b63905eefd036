"""What the tests of the OpenAI Agents SDK's voice sessions have in common."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from agents.realtime import RealtimeAgent, RealtimeModelListener, RealtimeRunner
from agents.tracing import set_trace_processors

from turnwire.adapters.openai_agents.realtime import RealtimeModel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from agents.realtime import RealtimeSession
    from agents.realtime.model_events import RealtimeModelEvent

    from turnwire.realtime import RealtimeTransport
    from turnwire.testing.realtime import RealtimeServer, ServedSession

VAD = {"type": "server_vad", "silence_duration_ms": 200}


def without_traces() -> Iterator[None]:
    """Let no traces out, for a fixture."""
    set_trace_processors([])
    yield
    set_trace_processors([])


@asynccontextmanager
async def session_on(
    server: RealtimeServer,
    *,
    model: Any = None,
    agent: RealtimeAgent[Any] | None = None,
    tools: tuple[Any, ...] = (),
    run_config: Any = None,
    config: Any = None,
    **settings: Any,
) -> AsyncIterator[RealtimeSession]:
    """Open a session of the SDK's on a server."""
    agent = agent or RealtimeAgent(name="Voice", instructions="Be brief.", tools=list(tools))
    runner = RealtimeRunner(agent, model=model or RealtimeModel(), config=run_config)
    where = {"url": f"{server.url}?model=m", "api_key": "k", "initial_model_settings": settings}
    async with await runner.run(model_config={**where, **(config or {})}) as session:
        yield session


async def until(
    session: RealtimeSession, kind: str, count: int = 1, *, allows_errors: bool = False
) -> list[Any]:
    """Return events up to the n-th of a kind; the names of raw ones count, too."""
    events: list[Any] = []
    async for event in session:
        assert allows_errors or event.type != "error", event.error
        events.append(event)
        if kind in {event.type, raw(event)}:
            count -= 1
        if not count:
            return events
    raise AssertionError(f"the session ended before {kind}, after {kinds(events)}")


def raw(event: Any) -> str | None:
    """Return what the model told, of an event that hands it on."""
    return event.data.type if event.type == "raw_model_event" else None


def kinds(events: list[Any]) -> list[str]:
    """Return the names of the session's own events."""
    return [event.type for event in events if event.type != "raw_model_event"]


def told(events: list[Any], kind: str) -> list[Any]:
    """Return what the model told under a name."""
    return [event.data for event in events if raw(event) == kind]


def audio_of(events: list[Any]) -> bytes:
    """Return what a player would have been given."""
    return b"".join(event.audio.data for event in events if event.type == "audio")


def history_of(events: list[Any]) -> list[Any]:
    """Return the last history."""
    return [event.history for event in events if event.type == "history_updated"][-1]


def texts_of(events: list[Any]) -> list[tuple[str, str | None]]:
    """Return what was said by whom, as the last history has it."""
    messages = [item for item in history_of(events) if item.type == "message"]
    parts = [(item.role, part) for item in messages for part in item.content]
    return [
        (role, getattr(part, "text", None) or getattr(part, "transcript", None))
        for role, part in parts
    ]


def transport_of(session: RealtimeSession) -> RealtimeTransport:
    """Return what carries a session of ours."""
    model = session.model
    assert isinstance(model, RealtimeModel)
    assert model.transport is not None
    return model.transport


def items_sent(served: ServedSession) -> list[dict[str, Any]]:
    """Return the items that the client created."""
    return [event["item"] for event in served.received_of("conversation.item.create")]


class Halting(RealtimeModelListener):
    """A listener that stops at an event until it is let go on.

    Attributes:
        seen: The names of what it was told.
        reached: Set when it stops.
        go_on: To be set by the test.
    """

    def __init__(self, stops_at: Callable[[RealtimeModelEvent], bool]) -> None:
        self._stops_at = stops_at
        self.seen: list[str] = []
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()

    async def on_event(self, event: RealtimeModelEvent) -> None:
        """Note it, and stop where it was said."""
        self.seen.append(event.type)
        if self._stops_at(event) and not self.reached.is_set():
            self.reached.set()
            await self.go_on.wait()
