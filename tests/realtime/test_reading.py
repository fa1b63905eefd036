"""What comes of a session, and that nobody who reads it slowly delays anything."""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import TYPE_CHECKING, Any

import pytest

from realtime.support import FAST, dial, kinds, take, talk, told, until
from turnwire import ConfigError, ConnectionLost, SlowConsumer
from turnwire.realtime import Transcript, UnknownEvent
from turnwire.testing.realtime import (
    RealtimeServer,
    call,
    counted,
    faults,
    heard_ms,
    reply,
    text,
)

if TYPE_CHECKING:
    from turnwire.events.realtime import RealtimeEvent

pytestmark = pytest.mark.io

LOUD = b"\xff\x3f\x01\xc0" * 12_000  # a second; half of it full scale, whatever the tone
HELLO = reply(counted(400, "one two three four"))


async def test_the_first_reader_gets_what_came_while_the_session_was_opened() -> None:
    async with talk(HELLO) as (rt, _):
        first, second = rt.events(), rt.events()
        await rt.request_response()
        opening = kinds(await take(first, "response.created"))
        assert opening[:3] == ["connection_change", "connection_change", "session.created"]
        assert kinds(await take(second, "response.created"))[0] in (
            "session.updated",
            "response.created",
        )


async def test_events_may_be_read_before_the_session_is_opened() -> None:
    async with RealtimeServer(HELLO, **FAST) as server:
        rt = dial(server)
        events, audio = rt.events(), rt.audio()
        async with rt:
            await rt.request_response()
        assert kinds([event async for event in events])[-1] == "connection_change"
        assert heard_ms(b"".join([piece.data async for piece in audio]), 1) == 400


async def test_a_loop_over_the_transport_goes_on_where_the_last_one_was_left() -> None:
    async with talk(HELLO) as (rt, _):
        async for event in rt:
            if event.type == "session.created":
                break
        await rt.request_response()
        came: list[str] = []
        async for event in rt:
            came.append(event.type)
            if event.type == "response.done":
                break
        assert came.count("response.created") == 1
        assert came.index("response.created") < came.index("response.output_audio.delta")


async def test_readers_that_nobody_holds_are_forgotten() -> None:
    async with talk(HELLO) as (rt, _):
        async for _ in rt.events():
            break
        rt.events()
        rt.audio()
        gc.collect()
        assert len(rt._inbox._readers) == 1  # that of the functions


async def test_iterating_ends_when_the_session_is_closed() -> None:
    async with talk(HELLO) as (rt, _):
        readers: list[Any] = [rt.events(), rt.audio(), rt.transcripts()]
        reading = [asyncio.create_task(collect(reader)) for reader in readers]
        await rt.request_response()
    events, audio, transcripts = await asyncio.gather(*reading)
    assert kinds(events[-2:]) == ["connection_change", "connection_change"]
    assert (rt.error, events[-1].status) == (None, "disconnected")
    assert heard_ms(b"".join(piece.data for piece in audio), 1) == 400
    assert transcripts[-1] == Transcript(
        "assistant", audio[0].item_id, "one two three four", final=True
    )
    assert "".join(one.text for one in transcripts if not one.final) == "one two three four"
    assert [event async for event in rt.events()] == []  # there is nothing any more


async def collect(reader: Any) -> list[Any]:
    return [one async for one in reader]


async def test_iterating_raises_what_the_session_was_lost_for() -> None:
    async with talk(HELLO, reconnect=False) as (rt, server):
        readers: list[Any] = [rt.events(), rt.audio(), rt.transcripts()]
        reading = [asyncio.create_task(collect(reader)) for reader in readers]
        await server.connections[0].close(4000, "enough")
        results = await asyncio.gather(*reading, return_exceptions=True)
        for error in (*results, rt.error):
            assert isinstance(error, ConnectionLost)
            assert (error.close_code, error.close_reason) == (4000, "enough")
        assert len({id(error) for error in results}) == 3
        with pytest.raises(ConnectionLost, match="enough"):
            rt.send_message("hello")
        with pytest.raises(ConnectionLost, match="enough"):
            await anext(rt.events())


async def test_a_slow_reader_gets_longer_deltas_and_all_of_them() -> None:
    async with talk(reply(counted(3000)), server={**FAST, "chunk_ms": 20}) as (rt, server):
        audio = rt.audio()
        await rt.request_response()
        pieces = await asyncio.wait_for(_until_ms(audio, 3000), 10)
        sent = len(server.sessions[0].sent_of("response.output_audio.delta"))
        assert sent == 150
        assert len(pieces) < 10
        assert heard_ms(b"".join(pieces), 1) == 3000


async def _until_ms(audio: Any, ms: float) -> list[bytes]:
    pieces: list[bytes] = []
    async for piece in audio:
        pieces.append(piece.data)
        if sum(map(len, pieces)) >= ms * 48:
            break
    return pieces


async def test_a_reader_that_leaves_too_much_is_told() -> None:
    async with talk(reply(counted(3000)), buffer_bytes=60_000) as (rt, _):
        events, audio = rt.events(), rt.audio()
        await rt.request_response()
        await rt.aclose()
        came = [event async for event in events]
        assert "lagged" in kinds(came)
        with pytest.raises(SlowConsumer):
            await collect(audio)


@pytest.mark.parametrize("consumer", ["events", "audio", "on"])
@pytest.mark.parametrize("blocks", ["for 20 ms", "for ever"])
async def test_a_slow_consumer_delays_no_interruption(consumer: str, blocks: str) -> None:
    session = {"turn_detection": {"type": "server_vad"}}
    served = {"speed": 8.0, "chunk_ms": 20.0}
    async with talk(reply(counted(5000)), server=served, session=session) as (rt, server):
        seen = 0

        async def slow(_: Any) -> None:
            nonlocal seen
            seen += 1
            await (asyncio.sleep(0.02) if blocks == "for 20 ms" else asyncio.Event().wait())

        async def read(reader: Any) -> None:
            async for one in reader:
                await slow(one)

        if consumer == "on":
            rt.on("*", slow)
            reading = None
        else:
            reading = asyncio.create_task(read(getattr(rt, consumer)()))
        rt.send_message("go on")
        await server.wait_until(
            lambda: len(server.sessions[0].sent_of("response.output_audio.delta")) > 20
        )
        await rt.feed(LOUD)
        await server.wait_until(
            lambda: server.sessions[0].received_of("conversation.item.truncate")
        )
        log = [each.event["type"] for each in server.connections[0].sent]
        told_at = log.index("input_audio_buffer.speech_started")
        # Of what came before the interruption most was not even looked at yet.
        assert seen < told_at
        assert rt.statistics().interruptions == 1
        if reading is not None:
            reading.cancel()


async def test_audio_that_waits_is_gone_when_somebody_interrupts() -> None:
    async with talk(reply(counted(2000))) as (rt, _):
        audio, events = rt.audio(), rt.events()
        await rt.request_response()
        assert rt.interrupt()
        await rt.aclose()
        assert await collect(audio) == []
        assert "response.output_audio.delta" not in kinds(await collect(events))


async def test_unknown_events_and_broken_ones() -> None:
    odd = [faults.unknown(on="response.done", more=1), faults.garbled(on="response.created")]
    async with talk(HELLO, server={**FAST, "faults": odd}) as (rt, _):
        events = rt.events()
        await rt.request_response()
        came = await take(events, "response.done")
        (unknown,) = [event for event in came if isinstance(event, UnknownEvent)]
        assert (unknown.type, unknown.to_dict()["more"]) == ("response.unheard_of", 1)
        assert rt.statistics().malformed == 1


# Functions.


async def test_functions_hear_all_that_the_field_knows_in_order() -> None:
    heard: list[str] = []
    script = [
        reply(counted(200, "a")),
        reply(text("b")),
        reply(call("weather", "call_1", city="x")),
    ]
    async with RealtimeServer(script, **FAST) as server:
        rt = dial(server, playback="reported")
        for kind in (
            *("connection_change", "connecting", "connected", "disconnected"),
            *("turn_started", "audio", "audio_transcript_delta", "output_text_delta"),
            *("audio_done", "usage_update", "turn_done", "function_call", "item_update"),
            *("item_deleted", "audio_interrupted", "response.created", "session.updated"),
        ):
            rt.on(kind, lambda event, kind=kind: heard.append(kind))
        async with rt:
            for _ in range(3):
                await rt.request_response()
            rt.interrupt()
            await rt.send_message("x", respond=False, item_id="item_mine")
            await rt.delete_item("item_mine")
    said = [name for name in heard if name not in ("item_update", "audio", "output_text_delta")]
    assert said == [
        *("connection_change", "connecting", "connection_change", "connected", "session.updated"),
        *("response.created", "turn_started", "audio_transcript_delta", "audio_done"),
        *("usage_update", "turn_done"),
        *("response.created", "turn_started", "usage_update", "turn_done"),
        *("response.created", "turn_started", "function_call", "usage_update", "turn_done"),
        *("audio_interrupted", "item_deleted", "item_deleted"),  # nobody heard the first reply
        *("connection_change", "connection_change", "disconnected"),
    ]
    assert {"audio", "output_text_delta"} <= set(heard)
    update = heard.index("function_call")
    assert heard[update - 1] == "item_update"  # the call's own, before it


async def test_an_event_is_told_before_what_it_means() -> None:
    heard: list[str] = []
    async with talk(HELLO) as (rt, _):
        for kind in ("turn_done", "usage_update", "response.done", "*"):
            rt.on(kind, lambda event: heard.append(event.type))
        await rt.request_response()
        await until(lambda: "turn_done" in heard)
    found = heard[heard.index("response.done") :][:4]
    assert found == ["response.done", "response.done", "usage_update", "turn_done"]


async def test_items_are_told_anew_when_their_words_change() -> None:
    updates: list[Any] = []
    async with talk(reply(counted(1000, "a b c d e f g h i j")), playback="reported") as (rt, _):
        rt.on("item_update", lambda event: updates.append(event.item))
        await rt.request_response()
        rt.played(24_000)
        rt.interrupt()
        await until(lambda: updates and updates[-1].text == "a b c d e")
        assert updates[-1].to_dict() == rt.item(updates[-1].id)


async def test_beta_names_are_todays() -> None:
    heard: list[str] = []
    async with talk(HELLO) as (rt, _):
        rt.on("response.audio.delta", lambda event: heard.append(event.type))
        await rt.request_response()
        await until(lambda: heard)
        assert heard[0] == "response.output_audio.delta"


async def test_a_function_that_fails_is_logged_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard: list[RealtimeEvent] = []

    def fails(event: RealtimeEvent) -> None:
        raise RuntimeError("mine")

    async with talk(HELLO) as (rt, _):
        rt.on("turn_done", fails)
        rt.on("turn_done", heard.append)
        await rt.request_response()
        await until(lambda: heard)
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == "a function that listens to turn_done failed"


async def test_a_function_is_told_until_it_is_removed() -> None:
    first: list[Any] = []
    second: list[Any] = []
    async with talk(HELLO) as (rt, _):
        remove = rt.on("turn_done", first.append)

        @rt.on("turn_done")
        async def also(event: RealtimeEvent) -> None:
            second.append(event)

        await rt.request_response()
        await until(lambda: second)
        remove()
        remove()
        await rt.request_response()
        await until(lambda: len(second) == 2)
        assert len(first) == 1


async def test_a_function_may_close_the_session() -> None:
    async with talk(HELLO) as (rt, server):
        rt.on("turn_done", lambda _: rt.aclose())
        await rt.request_response()
        await server.wait_until(lambda: not server.connections[0].is_open)
    assert (rt.status, rt.error) == ("disconnected", None)


async def test_slow_functions_hear_the_end_too() -> None:
    heard: list[str] = []

    async def hear(event: Any) -> None:
        await asyncio.sleep(0.001)
        heard.append(event.status)

    async with talk(HELLO) as (rt, _):
        rt.on("connection_change", hear)
    assert heard == ["closing", "disconnected"]


@pytest.mark.slow
async def test_functions_that_block_are_left_after_a_second() -> None:
    stuck = asyncio.Event()

    async def block(_: Any) -> None:
        stuck.set()
        await asyncio.Event().wait()

    async with talk(HELLO) as (rt, _):
        rt.on("turn_done", block)
        await rt.request_response()
        await stuck.wait()
    assert [task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()}] == []


async def test_misspelt_events_are_guessed() -> None:
    async with RealtimeServer() as server:
        rt = dial(server)
        with pytest.raises(ConfigError, match="did you mean `function_call`"):
            rt.on("fucntion_call", print)
        with pytest.raises(ConfigError, match="`on` takes a function, not int"):
            rt.on("audio", 3)  # type: ignore[call-overload]
        rt.on("call_message", print)  # a bridge's


async def test_tools_are_called_and_answered() -> None:
    script = [reply(call("weather", "call_1", city="Oslo")), reply(text("It rains."))]
    async with talk(script) as (rt, server):
        events = rt.events()
        rt.send_message("How is it in Oslo?")
        came = await take(events, "function_call")
        rt.send_function_output(came[-1], {"rain": True})
        await take(events, "response.done")
        done = (await take(events, "response.done"))[-1]
        assert done.response.output[0].text == "It rains."
        (output,) = [
            each["item"]
            for each in told(server, "conversation.item.create")
            if each["item"]["type"] == "function_call_output"
        ]
        assert (output["call_id"], output["output"]) == ("call_1", '{"rain":true}')
