"""What the tests of streams share: a runner's history, and streams that try once."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from turnwire import AsyncClient, Backoff
from turnwire.agent_stream import AgentEvent, AgentStreams, DoneEvent, ErrorEvent, to_dict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from turnwire.agent_stream import AgentStream, AssistantMessage
    from turnwire.testing import Peer

WEATHER = {"name": "weather", "description": "Look it up.", "parameters": {"type": "object"}}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def result(call_id: str, text: str) -> dict[str, Any]:
    return {"role": "toolResult", "toolCallId": call_id, "toolName": "weather", "content": text}


@asynccontextmanager
async def one_try(peer: Peer, **options: Any) -> AsyncIterator[AgentStreams]:
    """Open streams whose client tries once, so that what went wrong is what is seen."""
    client = AsyncClient(
        base_url=peer.base_url, replay="never", max_retries=0, dial_backoff=Backoff(())
    )
    async with client, AgentStreams(client=client, **options) as streams:
        yield streams


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Runner:
    """An agent runner: it keeps the history, as plain dicts, and hands over all of it each time."""

    def __init__(self, streams: AgentStreams, session_id: str = "a", **context: Any) -> None:
        self.streams = streams
        self.session_id = session_id
        self.context = context
        self.messages: list[dict[str, Any]] = []
        self.last: DoneEvent | ErrorEvent | None = None

    def stream(self, *new: dict[str, Any], **options: Any) -> AgentStream:
        self.messages += new
        context = {"messages": self.messages, **self.context}
        return self.streams.stream("m", context, session_id=self.session_id, **options)

    async def ask(self, *new: dict[str, Any], **options: Any) -> AssistantMessage:
        """Read a stream to its end and keep its message."""
        events = await read(self.stream(*new, **options))
        self.last = end_of(events)
        self.messages.append(to_dict(self.last.message))
        return self.last.message


async def read(stream: AgentStream) -> list[AgentEvent]:
    return [event async for event in stream]


def end_of(events: list[AgentEvent]) -> DoneEvent | ErrorEvent:
    """Return the end: there is exactly one, and nothing after it."""
    ends = [event for event in events if isinstance(event, DoneEvent | ErrorEvent)]
    assert len(ends) == 1
    assert events[-1] is ends[0]
    return ends[0]


def types(events: list[AgentEvent]) -> list[str]:
    return [event.type for event in events]


def sent(peer: Peer) -> list[list[Any]]:
    """Return what each create had as input, in short: text, or the type of an item."""
    return [
        [item["content"] if "content" in item else item["type"] for item in create["input"]]
        for create in peer.creates
    ]
