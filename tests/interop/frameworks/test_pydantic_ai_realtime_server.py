"""Pydantic AI's Realtime sessions, on its own transport, against our servers."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.messages import (
    ModelRequest,
    RealtimeSessionErrorEvent,
    RealtimeTurnCompleteEvent,
    SpeechPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.realtime.openai import OpenAIRealtimeModel

from interop.realtime.talks import tone
from turnwire.gateway import Gateway
from turnwire.testing.realtime import (
    PCM,
    RealtimeServer,
    assert_no_errors,
    assert_one_response_at_a_time,
    call,
    counted,
    reply,
    speech,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pydantic_ai.realtime import RealtimeSession

pytestmark = [pytest.mark.interop, pytest.mark.io]


def agent() -> Agent[None, str]:
    made = Agent[None, str](instructions="Be brief.")

    @made.tool_plain
    def weather(city: str) -> str:
        """Look up the weather."""
        return f"rain in {city}"

    return made


@asynccontextmanager
async def talk(base_url: str) -> AsyncIterator[RealtimeSession]:
    provider = OpenAIProvider(base_url=base_url, api_key="key")
    model = OpenAIRealtimeModel("gpt-realtime-2.1", provider=provider)
    async with agent().realtime(model).session() as session:
        yield session


async def turn(session: RealtimeSession) -> None:
    """Read to the end of a turn."""
    async for event in session:
        assert not isinstance(event, RealtimeSessionErrorEvent), event
        if isinstance(event, RealtimeTurnCompleteEvent):
            return


def texts(session: RealtimeSession) -> list[tuple[str, str]]:
    """Return what was said by whom, and what tools returned."""
    found: list[tuple[str, str]] = []
    for message in session.all_messages():
        who = "user" if isinstance(message, ModelRequest) else "assistant"
        for part in message.parts:
            if isinstance(part, SpeechPart):
                found.append((who, part.transcript or ""))
            elif isinstance(part, UserPromptPart):
                found.append((who, str(part.content)))
            elif isinstance(part, ToolReturnPart):
                found.append(("tool", str(part.content)))
    return found


async def test_a_turn() -> None:
    async with RealtimeServer(reply(counted(400, "good day")), speed=50) as server:
        async with talk(server.http_url) as session:
            await session.send("hello")
            await turn(session)
            assert texts(session) == [("user", "hello"), ("assistant", "good day")]
        assert_no_errors(server.sessions[0])
        assert server.sessions[0].session.session["instructions"] == "Be brief."


async def test_a_function_is_called_and_answered() -> None:
    script = [reply(call("weather", city="Oslo")), reply(speech("It rains."))]
    async with RealtimeServer(script, speed=50) as server:
        async with talk(server.http_url) as session:
            await session.send("The weather in Oslo?")
            await turn(session)
            assert texts(session)[1:] == [("tool", "rain in Oslo"), ("assistant", "It rains.")]
        assert_no_errors(server.sessions[0])
        assert_one_response_at_a_time(server.sessions[0])


async def test_an_interruption_says_what_was_heard() -> None:
    async with RealtimeServer(reply(counted(60_000)), speed=20) as server:
        async with talk(server.http_url) as session:
            await session.send("hello")
            served = server.sessions[0]
            await server.wait_until(lambda: len(served.sent_of("response.output_audio.delta")) > 10)
            await session.interrupt(played_ms=200)
            await turn(session)
        (cut,) = served.sent_of("conversation.item.truncated")
        assert cut["audio_end_ms"] == 200
        (done,) = served.sent_of("response.done")
        assert done["response"]["status"] == "cancelled"
        assert_no_errors(served)


async def test_a_spoken_turn_with_the_gateway_s_voice() -> None:
    async with Gateway() as gateway, talk(gateway.base_url) as session:
        await session.send_audio(tone(400) + PCM.silence(800))
        await turn(session)
        told: Any = texts(session)
        assert told[0] == ("user", "a tone of 440 Hz")
        assert told[1][1].startswith("I heard a tone of 440 Hz")
