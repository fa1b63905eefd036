"""The official `openai` package as a client: another's reading of the protocol."""

from __future__ import annotations

import asyncio
import base64
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from openai import AsyncOpenAI

from gateway.voice.story import assert_on_the_wire, base64_of
from turnwire.gateway import Gateway
from turnwire.testing.realtime import (
    PCM,
    RealtimeServer,
    assert_no_errors,
    call,
    counted,
    counted_audio,
    faults,
    heard_ms,
    reply,
    text,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from openai.resources.realtime.realtime import AsyncRealtimeConnection

pytestmark = [pytest.mark.interop, pytest.mark.io]

USER: Any = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
SESSION: Any = {"type": "realtime"}


@asynccontextmanager
async def connected(base_url: str) -> AsyncIterator[AsyncRealtimeConnection]:
    async with (
        AsyncOpenAI(base_url=base_url, api_key="k") as client,
        client.realtime.connect(model="gpt-realtime-2.1") as connection,
    ):
        created = await connection.recv()
        assert created.type == "session.created"
        yield connection


async def until(connection: AsyncRealtimeConnection, kind: str) -> list[Any]:
    events = [await connection.recv()]
    while events[-1].type != kind:
        assert events[-1].type != "error", events[-1]
        events.append(await connection.recv())
    return events


def assert_all_on_the_wire(server: RealtimeServer) -> None:
    for connection in server.connections:
        for stamped in connection.sent:
            assert_on_the_wire(stamped.event)


async def test_a_turn_of_text() -> None:
    async with (
        RealtimeServer(reply(text("good day")), key="k") as server,
        connected(server.http_url) as connection,
    ):
        session: Any = {**SESSION, "output_modalities": ["text"]}
        await connection.session.update(session=session)
        updated = (await until(connection, "session.updated"))[-1]
        assert updated.session.output_modalities == ["text"]
        await connection.conversation.item.create(item=USER)
        await connection.response.create(response={"metadata": {"a": "b"}})
        events = await until(connection, "response.done")
        deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
        done = events[-1].response
        assert ("".join(deltas), done.output[0].content[0].text) == ("good day", "good day")
        assert (done.metadata, done.status, done.usage.output_tokens) == (
            {"a": "b"},
            "completed",
            2,
        )
        assert_all_on_the_wire(server)
        assert_no_errors(server.sessions[0])


async def test_a_turn_of_audio_that_is_truncated() -> None:
    async with (
        RealtimeServer(reply(counted(500)), speed=50) as server,
        connected(server.http_url) as connection,
    ):
        await connection.response.create()
        events = await until(connection, "response.done")
        chunks = [
            base64.b64decode(e.delta) for e in events if e.type == "response.output_audio.delta"
        ]
        assert heard_ms(b"".join(chunks), 1) == 500
        item_id = events[-1].response.output[0].id
        await connection.conversation.item.truncate(
            item_id=item_id, content_index=0, audio_end_ms=250
        )
        (truncated,) = await until(connection, "conversation.item.truncated")
        assert truncated.audio_end_ms == 250
        await connection.conversation.item.retrieve(item_id=item_id)
        (retrieved,) = await until(connection, "conversation.item.retrieved")
        assert heard_ms(base64.b64decode(retrieved.item.content[0].audio), 1) == 250
        await connection.conversation.item.delete(item_id=item_id)
        await until(connection, "conversation.item.deleted")
        assert_all_on_the_wire(server)


async def test_a_barge_in() -> None:
    async with (
        RealtimeServer(reply(counted(60_000)), speed=1) as server,
        connected(server.http_url) as connection,
    ):
        session: Any = {**SESSION, "audio": {"input": {"transcription": {"model": "any"}}}}
        await connection.session.update(session=session)
        await connection.response.create()
        await until(connection, "response.output_audio.delta")
        speech = base64_of(counted_audio(9, 0, 9600))
        await connection.input_audio_buffer.append(audio=speech)
        events = await until(connection, "response.done")
        assert "input_audio_buffer.speech_started" in {event.type for event in events}
        details = events[-1].response.status_details
        assert (details.type, details.reason) == ("cancelled", "turn_detected")
        await connection.input_audio_buffer.append(audio=base64_of(PCM.silence(600)))
        kinds = [event.type for event in await until(connection, "response.created")]
        assert kinds[0] == "input_audio_buffer.speech_stopped"
        await until(connection, "conversation.item.input_audio_transcription.completed")
        await connection.response.cancel()
        assert (await until(connection, "response.done"))[-1].response.status == "cancelled"
        assert server.responses == 2
        assert_all_on_the_wire(server)


async def test_a_function_call() -> None:
    script = [reply(call("weather", city="Oslo")), reply(text("It rains."))]
    async with RealtimeServer(script) as server, connected(server.http_url) as connection:
        await connection.response.create()
        events = await until(connection, "response.done")
        (done,) = (e for e in events if e.type == "response.function_call_arguments.done")
        assert (done.name, done.arguments) == ("weather", '{"city":"Oslo"}')
        output: Any = {"type": "function_call_output", "call_id": done.call_id, "output": "rain"}
        await connection.conversation.item.create(item=output)
        await connection.response.create()
        assert (await until(connection, "response.done"))[-1].response.status == "completed"
        assert_all_on_the_wire(server)


async def test_an_error_carries_the_client_s_event() -> None:
    async with RealtimeServer() as server, connected(server.http_url) as connection:
        await connection.response.cancel(event_id="mine")
        error = await connection.recv()
        assert error.type == "error"
        assert (error.error.code, error.error.event_id) == ("response_cancel_not_active", "mine")


async def test_what_it_does_not_know_does_not_stop_it() -> None:
    unheard = faults.unknown(on="response.done")
    async with (
        RealtimeServer(faults=[unheard, faults.voice_object()]) as server,
        connected(server.http_url) as connection,
    ):
        await connection.response.create()
        events = await until(connection, "response.done")
        assert events[-2].type == "response.unheard_of"


async def test_the_gateway_s_own_voice() -> None:
    async with Gateway() as gateway, connected(gateway.base_url) as connection:
        await connection.conversation.item.create(item=USER)
        await connection.response.create()
        events = await until(connection, "response.done")
        assert events[-1].response.output[0].content[0].transcript == "You wrote: hi"


async def test_two_at_once_do_not_mix() -> None:
    async with RealtimeServer(reply(counted(300)), speed=50) as server:

        async def turn() -> float:
            async with connected(server.http_url) as connection:
                await connection.response.create()
                events = await until(connection, "response.done")
                chunks = [e.delta for e in events if e.type == "response.output_audio.delta"]
                return heard_ms(b"".join(map(base64.b64decode, chunks)), 1)

        assert await asyncio.gather(turn(), turn()) == [300, 300]
