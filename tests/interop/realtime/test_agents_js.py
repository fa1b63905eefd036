"""The OpenAI Agents SDK of JavaScript against our servers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from interop.realtime.programs import run_node
from interop.realtime.talks import LONG
from turnwire.gateway import Gateway
from turnwire.testing.realtime import (
    RealtimeServer,
    assert_no_errors,
    assert_one_response_at_a_time,
    call,
    reply,
    speech,
)

pytestmark = [pytest.mark.interop, pytest.mark.io, pytest.mark.servers, pytest.mark.slow]


async def talk(url: str) -> dict[str, Any]:
    """Have the SDK talk to a server; return what came of it."""
    dialled = f"{url}?model=gpt-realtime-2.1"
    return await asyncio.to_thread(run_node, "agents_session.cjs", dialled, LONG)


async def test_with_the_gateway_s_voice() -> None:
    async with Gateway() as gateway:
        seen = await talk(gateway.base_url.replace("http", "ws") + "/realtime")
    assert seen["errors"] == []
    assert seen["heard"] == ["user", "a tone of 440 Hz"]
    assert seen["texts"] == [
        ["assistant", "You wrote: hello"],
        ["assistant", "I heard a tone of 440 Hz in 600 milliseconds."],
        ["assistant", "The function returned: rain"],
    ]
    assert seen["audioBytes"] == [31_680, 105_600, 42_240]
    assert [(each["name"], each["output"]) for each in seen["calls"]] == [("weather", "rain")]
    assert seen["interruptions"] == 1


async def test_with_the_scripted_server() -> None:
    script = [
        reply(speech("one")),
        reply(speech("two")),
        reply(call("weather", city="Oslo")),
        reply(speech("rain")),
        reply(speech(LONG)),
    ]
    async with RealtimeServer(script) as server:
        seen = await talk(server.url)
        (served,) = server.sessions
        assert_no_errors(served)
        assert_one_response_at_a_time(served)
        (*_, cut) = served.received_of("conversation.item.truncate")
    assert seen["errors"] == []
    assert seen["texts"] == [["assistant", "one"], ["assistant", "two"], ["assistant", "rain"]]
    assert (seen["interruptions"], seen["truncatedMs"]) == (1, [cut["audio_end_ms"]])
