"""`RealtimeSession` of the OpenAI Agents SDK, on its own transport, against the scripted server."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from agents import function_tool
from agents.realtime import OpenAIRealtimeWebSocketModel, RealtimeAgent, RealtimeRunner
from agents.tracing import set_trace_processors

from turnwire.gateway import Gateway
from turnwire.testing.realtime import (
    PCM,
    RealtimeServer,
    assert_no_errors,
    assert_one_response_at_a_time,
    call,
    counted,
    counted_audio,
    faults,
    heard_ms,
    reply,
    speech,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from agents.realtime import RealtimeSession

pytestmark = [pytest.mark.interop, pytest.mark.io]


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """Let no traces out."""
    set_trace_processors([])
    yield
    set_trace_processors([])


@asynccontextmanager
async def session_on(url: str, *tools: Any, **settings: Any) -> AsyncIterator[RealtimeSession]:
    agent = RealtimeAgent(name="Voice", instructions="Be brief.", tools=list(tools))
    runner = RealtimeRunner(agent, model=OpenAIRealtimeWebSocketModel())
    config: Any = {"url": f"{url}?model=m", "api_key": "k", "initial_model_settings": settings}
    async with await runner.run(model_config=config) as session:
        yield session


async def until(session: RealtimeSession, kind: str, count: int = 1) -> list[Any]:
    """Return events up to the n-th of a kind; the names of raw ones count, too."""
    events: list[Any] = []
    async for event in session:
        assert event.type != "error", event
        events.append(event)
        if kind in {event.type, _raw(event)}:
            count -= 1
        if not count:
            break
    return events


def _raw(event: Any) -> str | None:
    return event.data.type if event.type == "raw_model_event" else None


def audio_of(events: list[Any]) -> bytes:
    return b"".join(event.audio.data for event in events if event.type == "audio")


def texts_of(events: list[Any]) -> list[tuple[str, str | None]]:
    """Return what was said by whom, as the last history has it."""
    history = [event.history for event in events if event.type == "history_updated"][-1]
    parts = [
        (item.role, part) for item in history if item.type == "message" for part in item.content
    ]
    return [
        (role, getattr(part, "text", None) or getattr(part, "transcript", None))
        for role, part in parts
    ]


async def test_a_turn() -> None:
    async with RealtimeServer(reply(counted(400, "good day")), speed=50, key="k") as server:
        async with session_on(server.url) as session:
            await session.send_message("hello")
            events = await until(session, "turn_ended")
            assert heard_ms(audio_of(events), 1) == 400
            assert texts_of(events) == [("user", "hello"), ("assistant", "good day")]
        assert_no_errors(server.sessions[0])
        assert server.responses == 1
        session_object = server.sessions[0].session.session
        assert session_object["instructions"] == "Be brief."


async def test_a_spoken_turn() -> None:
    detection = {"type": "server_vad", "silence_duration_ms": 200}
    async with RealtimeServer(reply(speech("one two")), speed=50) as server:
        async with session_on(server.url, turn_detection=detection) as session:
            await session.send_audio(counted_audio(9, 0, 9600) + PCM.silence(300))
            events = await until(session, "turn_ended")
            assert ("assistant", "one two") in texts_of(events)
        assert_no_errors(server.sessions[0])


async def test_a_barge_in_truncates_what_is_being_said() -> None:
    detection = {"type": "server_vad", "interrupt_response": True}
    async with RealtimeServer(reply(counted(60_000)), speed=20) as server:
        async with session_on(server.url, turn_detection=detection) as session:
            await session.send_message("hello")
            await until(session, "audio", 3)
            await session.send_audio(counted_audio(9, 0, 9600))
            await until(session, "audio_interrupted")
            served = server.sessions[0]
            await server.wait_until(lambda: bool(served.sent_of("conversation.item.truncated")))
        (done,) = served.sent_of("response.done")
        assert done["response"]["status_details"]["reason"] == "turn_detected"
        (cut,) = served.received_of("conversation.item.truncate")
        assert served.numbers[cut["item_id"]] == 1


async def test_a_function_is_called_and_answered() -> None:
    @function_tool
    def weather(city: str) -> str:
        """Tell the weather."""
        return f"rain in {city}"

    script = [reply(call("weather", city="Oslo")), reply(speech("It rains."))]
    async with RealtimeServer(script, speed=50) as server:
        async with session_on(server.url, weather) as session:
            await session.send_message("The weather in Oslo?")
            events = await until(session, "turn_ended", 2)
            assert ("assistant", "It rains.") in texts_of(events)
        items = [
            event["item"] for event in server.sessions[0].received_of("conversation.item.create")
        ]
        assert [item["output"] for item in items if item["type"] == "function_call_output"] == [
            "rain in Oslo"
        ]
        assert_one_response_at_a_time(server.sessions[0])


async def test_a_beta_s_names_are_errors_to_it() -> None:
    """P7 of the survey: audio under its old name is not heard; ours hears it."""
    async with (
        RealtimeServer(reply(counted(400)), faults=[faults.beta_names()]) as server,
        session_on(server.url) as session,
    ):
        await session.send_message("hello")
        seen: list[Any] = []
        async for event in session:
            seen.append(event)
            if event.type == "error":
                break
        assert audio_of(seen) == b""


async def test_the_gateway_s_own_voice() -> None:
    async with (
        Gateway() as gateway,
        session_on(gateway.base_url.replace("http", "ws") + "/realtime") as session,
    ):
        await session.send_message("hello")
        events = await until(session, "turn_ended")
        assert texts_of(events)[-1] == ("assistant", "You wrote: hello")
