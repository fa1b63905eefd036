"""LiveKit's own Realtime model, as its plugin for OpenAI has it, against our servers."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
from livekit import rtc
from livekit.agents import function_tool
from livekit.agents.llm import ChatContext, FunctionCallOutput
from livekit.plugins.openai.realtime import RealtimeModel
from openai.types.realtime.realtime_audio_input_turn_detection import ServerVad

from interop.realtime.talks import tone
from turnwire.gateway import Gateway
from turnwire.testing.realtime import (
    PCM,
    RealtimeServer,
    assert_no_errors,
    call,
    counted,
    counted_audio,
    reply,
    speech,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from livekit.agents.llm import GenerationCreatedEvent

pytestmark = [pytest.mark.interop, pytest.mark.io]

VAD: Final = ServerVad(type="server_vad", silence_duration_ms=200)


@function_tool
async def weather(city: str) -> str:
    """Look up the weather."""
    return f"rain in {city}"


class Talk:
    """A session of LiveKit's, and what it tells."""

    def __init__(self, model: RealtimeModel) -> None:
        self.session = model.session()
        self._told: dict[str, asyncio.Queue[Any]] = defaultdict(asyncio.Queue)
        for name in ("generation_created", "input_speech_started", "error"):
            self.session.on(name, self._told[name].put_nowait)
        self._transcripts = self._told["input_audio_transcription_completed"]
        self.session.on(
            "input_audio_transcription_completed",
            lambda event: self._transcripts.put_nowait(event) if event.is_final else None,
        )

    async def told(self, name: str) -> Any:
        """Return the next event of a name."""
        return await self._told[name].get()

    def errors(self) -> int:
        return self._told["error"].qsize()

    def hear(self, audio: bytes) -> None:
        self.session.push_audio(rtc.AudioFrame(audio, 24_000, 1, len(audio) // 2))

    async def say(self, text: str) -> GenerationCreatedEvent:
        """Write to the model, and return its answer as it begins."""
        context = self.session.chat_ctx.copy()
        context.add_message(role="user", content=text)
        return await self.answer(context)

    async def answer(self, context: ChatContext) -> GenerationCreatedEvent:
        await self.session.update_chat_ctx(context)
        return await self.session.generate_reply()

    def texts(self) -> list[tuple[str, str | None]]:
        items = self.session.chat_ctx.items
        return [(item.role, item.text_content) for item in items if item.type == "message"]


@asynccontextmanager
async def talk(base_url: str) -> AsyncIterator[Talk]:
    model = RealtimeModel(base_url=base_url, api_key="key", model="m", turn_detection=VAD)
    talk = Talk(model)
    try:
        await talk.session.update_instructions("Be brief.")
        await talk.session.update_tools([weather])
        yield talk
        assert talk.errors() == 0
    finally:
        await talk.session.aclose()
        await model.aclose()


async def read(generation: GenerationCreatedEvent) -> list[tuple[str, str, float]]:
    """Return each message of an answer: its id, its words, and how many milliseconds it sounds."""
    messages = []
    async for message in generation.message_stream:
        words = "".join([str(piece) async for piece in message.text_stream])
        samples = sum([frame.samples_per_channel async for frame in message.audio_stream])
        messages.append((message.message_id, words, samples / 24))
    return messages


async def test_a_turn() -> None:
    async with RealtimeServer(reply(counted(400, "good day")), speed=50) as server:
        async with talk(server.http_url) as each:
            ((_, words, ms),) = await read(await each.say("hello"))
            assert (words, ms) == ("good day", 400)
            assert each.texts() == [("user", "hello"), ("assistant", "good day")]
        assert_no_errors(server.sessions[0])
        assert server.sessions[0].session.session["instructions"] == "Be brief."


async def test_a_function_is_called_and_answered() -> None:
    script = [reply(call("weather", city="Oslo")), reply(speech("It rains."))]
    async with RealtimeServer(script, speed=50) as server, talk(server.http_url) as each:
        generation = await each.say("The weather in Oslo?")
        (called,) = [function async for function in generation.function_stream]
        assert (called.name, called.arguments) == ("weather", '{"city":"Oslo"}')
        context = each.session.chat_ctx.copy()
        output = FunctionCallOutput(
            call_id=called.call_id, name="weather", output="rain", is_error=False
        )
        context.items.append(output)
        ((_, words, _),) = await read(await each.answer(context))
        assert words == "It rains."
        assert_no_errors(server.sessions[0])


async def test_a_barge_in_and_what_was_heard() -> None:
    async with RealtimeServer(reply(counted(60_000)), speed=20) as server:
        async with talk(server.http_url) as each:
            reading = asyncio.ensure_future(read(await each.say("hello")))
            served = server.sessions[0]
            await server.wait_until(lambda: len(served.sent_of("response.output_audio.delta")) > 10)
            each.hear(counted_audio(9, 0, 9600))
            await each.told("input_speech_started")
            ((item_id, _, ms),) = await reading
            assert 0 < ms < 60_000
            each.session.truncate(message_id=item_id, modalities=["audio"], audio_end_ms=300)
            await server.wait_until(lambda: bool(served.sent_of("conversation.item.truncated")))
        (cut,) = served.sent_of("conversation.item.truncated")
        assert (cut["item_id"], cut["audio_end_ms"]) == (item_id, 300)
        assert_no_errors(served)


async def test_a_spoken_turn_with_the_gateway_s_voice() -> None:
    async with Gateway() as gateway, talk(gateway.base_url) as each:
        each.hear(tone(400) + PCM.silence(500))
        ((_, words, _),) = await read(await each.told("generation_created"))
        assert words.startswith("I heard a tone of 440 Hz")
        heard = await each.told("input_audio_transcription_completed")
        assert heard.transcript == "a tone of 440 Hz"
