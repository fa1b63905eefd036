"""Calls from end to end, on real sockets and virtual time; counted audio tells what was heard."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from realtime.twilio.support import LOUD, MANUAL, Phone, phone
from turnwire.errors import ConfigError, ConnectionLost, SlowConsumer
from turnwire.realtime.twilio import CallStartedEvent, KeyPressedEvent, TwilioBridge
from turnwire.testing import virtual_time
from turnwire.testing.realtime import (
    PCMU,
    RealtimeServer,
    assert_deleted,
    assert_no_errors,
    assert_truncated,
    assert_untouched,
    counted,
    heard_ms,
    read,
    reply,
    toned,
    toned_item,
)

pytestmark = pytest.mark.io

ONE_MESSAGE_MS = 20


def items_heard(audio: bytes) -> list[tuple[int | None, int, int]]:
    """Return which samples were heard: item, first, number after the last."""
    return [(run.item, run.first, run.last) for run in read(audio, sample_bytes=1)]


async def barge_in(call: Phone) -> None:
    """Interrupt, and wait until the caller hears nothing more."""
    clears = len(call.to_line("clear"))
    assert call.rt.interrupt()
    await call.until(lambda: len(call.to_line("clear")) > clears)


@virtual_time
async def test_a_reply_is_heard_whole_and_known_to_be_heard() -> None:
    async with (
        RealtimeServer(reply(counted(1234))) as server,
        phone(server, MANUAL) as call,
    ):
        call.rt.request_response()
        await call.heard_until(1234)
        await call.rt.wait_played()
        assert items_heard(call.heard) == [(1, 0, 1234 * 8)]
        assert [(each.heard_ms, each.unheard_ms) for each in call.rt.heard] == [(1234, 0.0)]
        assert not call.rt.interrupt()
        assert_untouched(call.served, 1)
    assert await call.ended is None


@virtual_time
async def test_the_session_speaks_the_telephone_s_language_unless_told_otherwise() -> None:
    async with RealtimeServer() as server, phone(server) as call:
        assert (call.rt.input_format.type, call.rt.output_format.type) == ("audio/pcmu",) * 2
        await call.until(lambda: len(call.appended()) >= 800)
        assert call.appended()[:800] == b"\xff" * 800


@virtual_time
async def test_speech_cuts_the_reply_where_the_caller_stopped_hearing_it() -> None:
    async with RealtimeServer(reply(counted(3000))) as server, phone(server) as call:
        call.rt.request_response()
        await call.heard_until(1000)
        call.line.say(LOUD * 30)
        await call.until(lambda: bool(call.to_line("clear")))
        heard = heard_ms(call.heard, 1, PCMU)
        assert 1000 < heard < 1200
        await call.until(lambda: bool(call.served.received_of("conversation.item.truncate")))
        assert_truncated(call.served, 1, heard, within_ms=ONE_MESSAGE_MS)
        await call.until(lambda: len(call.heard) > heard * 8 + 800)  # the answer to what was said
        assert [item for item, _, _ in items_heard(call.heard)] == [1, 2]
        assert_no_errors(call.served)


@virtual_time
async def test_of_several_items_each_gets_what_it_deserves() -> None:
    script = reply(counted(610), counted(700), counted(900))
    async with RealtimeServer(script) as server, phone(server, MANUAL) as call:
        call.rt.request_response()
        await call.heard_until(1000)
        await barge_in(call)
        heard = heard_ms(call.heard, 2, PCMU)
        assert [item for item, _, _ in items_heard(call.heard)] == [1, 2]
        await call.until(lambda: bool(call.served.received_of("conversation.item.delete")))
        assert_untouched(call.served, 1)
        assert_truncated(call.served, 2, heard, within_ms=ONE_MESSAGE_MS)
        assert_deleted(call.served, 3)
        assert_no_errors(call.served)


@virtual_time
async def test_marks_that_were_cleared_say_nothing_about_the_next_reply() -> None:
    async with (
        RealtimeServer(reply(counted(2000))) as server,
        phone(server, MANUAL) as call,
    ):
        call.rt.request_response()
        await call.heard_until(300)
        await barge_in(call)
        first = heard_ms(call.heard, 1, PCMU)
        call.rt.request_response()
        await call.heard_until(first + 500)
        assert call.bridge.stream.playout.marks_ignored >= 15
        await barge_in(call)
        second = heard_ms(call.heard, 2, PCMU)
        await call.until(lambda: len(call.served.received_of("conversation.item.truncate")) == 2)
        assert_truncated(call.served, 1, first, within_ms=ONE_MESSAGE_MS)
        assert_truncated(call.served, 2, second, within_ms=ONE_MESSAGE_MS)


@virtual_time
async def test_late_audio_of_an_interrupted_reply_is_never_sent() -> None:
    async with (
        RealtimeServer(reply(counted(4000)), speed=2, late_chunks=3, chunks_after_done=3) as server,
        phone(server, MANUAL) as call,
    ):
        call.rt.request_response()
        await call.heard_until(500)
        await barge_in(call)
        heard = len(call.heard)
        await call.until(lambda: bool(call.served.sent_of("response.done")))
        call.rt.request_response()
        await call.heard_until(heard / 8 + 200)
        assert [item for item, _, _ in items_heard(call.heard)] == [1, 2]
        assert items_heard(call.heard)[0] == (1, 0, heard)


@virtual_time
async def test_the_tail_of_a_reply_can_be_interrupted_though_all_of_it_was_made() -> None:
    async with (
        RealtimeServer(reply(counted(1000))) as server,
        phone(server, MANUAL) as call,
    ):
        await call.rt.request_response()
        await call.heard_until(950)
        await barge_in(call)
        heard = heard_ms(call.heard, 1, PCMU)
        await call.until(lambda: bool(call.served.received_of("conversation.item.truncate")))
        assert_truncated(call.served, 1, heard, within_ms=ONE_MESSAGE_MS)


@virtual_time
async def test_one_reply_is_interrupted_and_the_other_one_goes_on() -> None:
    script = [reply(counted(1500)), reply(counted(400))]
    async with RealtimeServer(script) as server, phone(server, MANUAL) as call:
        await call.rt.request_response()
        await call.rt.request_response(conversation="none")
        await call.heard_until(500)
        (one, *_) = call.rt.heard
        assert call.rt.interrupt(response_id=one.part.response_id)
        await call.rt.wait_played()
        await call.heard_until(500 + 400)
        (_, _, cut), other = items_heard(call.heard)
        assert other == (2, 0, 3200)
        await call.until(lambda: bool(call.served.received_of("conversation.item.truncate")))
        assert_truncated(call.served, 1, cut / 8, within_ms=ONE_MESSAGE_MS)


@virtual_time
async def test_what_is_lost_on_the_way_is_silence() -> None:
    async with (
        RealtimeServer() as server,
        phone(server, MANUAL, call={"drops": lambda n: 20 <= n < 30}) as call,
    ):
        call.line.say(LOUD * 50)
        await call.until(lambda: len(call.appended()) >= 50 * 160)
        said = call.appended()
        begin = said.index(LOUD)
        assert said[begin:].startswith(LOUD * (19 - begin // 160) + b"\xff" * 1600 + LOUD * 20)
        assert call.bridge.stream.hearing.lost_messages == 10
        assert call.bridge.stream.hearing.padded_ms == 200


@virtual_time
async def test_a_line_that_falls_mute_ends_the_caller_s_turn() -> None:
    async with (
        RealtimeServer(reply(counted(200))) as server,
        phone(server, call={"continuous": False}) as call,
    ):
        call.line.say(LOUD * 25)
        await call.heard_until(200)
        (started,) = call.served.sent_of("input_audio_buffer.speech_started")
        (stopped,) = call.served.sent_of("input_audio_buffer.speech_stopped")
        assert stopped["audio_end_ms"] > started["audio_start_ms"]
        assert call.bridge.stream.hearing.padded_ms == 1000
        assert items_heard(call.heard) == [(1, 0, 1600)]


@virtual_time
async def test_a_hang_up_ends_the_session() -> None:
    async with RealtimeServer() as server, phone(server) as call:
        call.line.hang_up()
        assert await call.ended is None
        assert call.rt.status == "disconnected"
        await server.wait_until(lambda: "-> close 1000" in server.transcript())


@virtual_time
async def test_a_line_that_vanishes_ends_the_session() -> None:
    async with RealtimeServer() as server, phone(server) as call:
        call.line._socket._response.connection.transport.abort()
        assert await call.ended is None
        assert call.rt.status == "disconnected"


@virtual_time
async def test_the_end_of_the_session_ends_the_call() -> None:
    async with RealtimeServer() as server, phone(server) as call:
        await call.rt.aclose()
        await call.until(lambda: call.line.close_code is not None)
        assert await call.ended is None


@virtual_time
async def test_a_session_that_is_lost_for_good_ends_the_call_with_its_error() -> None:
    async with RealtimeServer() as server, phone(server, reconnect=False) as call:
        server.connections[0].drop()
        error = await call.ended
        await call.until(lambda: call.line.close_code is not None)
        assert isinstance(error, ConnectionLost)


@virtual_time
async def test_keys_and_the_beginning_are_events() -> None:
    seen: list[Any] = []
    functions = dict.fromkeys(("call_started", "dtmf", "call_stopped"), seen.append)
    async with (
        RealtimeServer() as server,
        phone(server, on=functions, call={"parameters": {"who": "me"}}) as call,
    ):
        call.line.press("7")
        await call.until(lambda: len(seen) == 2)
        started, pressed = seen
        assert isinstance(started, CallStartedEvent)
        assert (started.stream_id, started.call_id) == ("MZ0001", "CA0001")
        assert (started.parameters, call.bridge.call) == ({"who": "me"}, started)
        assert isinstance(pressed, KeyPressedEvent)
        assert (pressed.digit, pressed.to_dict()["dtmf"]["track"]) == ("7", "inbound_track")
        assert "7" not in repr(pressed)


@virtual_time
async def test_other_formats_are_converted() -> None:
    session = MANUAL | {"input_format": "pcm16", "output_format": "pcm16"}
    script = reply(toned(600), toned(1000))
    async with RealtimeServer(script) as server, phone(server, session) as call:
        call.line.say(LOUD * 20)
        call.rt.request_response()
        await call.heard_until(1000)
        await barge_in(call)
        heard = call.line.call.heard_ms
        assert toned_item(call.heard[800:4000], PCMU) == 1
        assert toned_item(call.heard[5200:], PCMU) == 2
        await call.until(lambda: bool(call.served.received_of("conversation.item.truncate")))
        assert_untouched(call.served, 1)
        assert_truncated(call.served, 2, heard - 600, within_ms=ONE_MESSAGE_MS)
        await call.until(lambda: len(call.appended()) >= 48000)
        assert max(call.appended()[1::2]) >= 0x70  # loud


@virtual_time
async def test_the_session_may_be_opened_before() -> None:
    async with RealtimeServer(reply(counted(100))) as server:
        from turnwire import realtime

        rt = realtime.connect(base_url=server.http_url, api_key="k", session=MANUAL)
        said: asyncio.Queue[str | None] = asyncio.Queue()

        async def send(text: str) -> None:
            raise AssertionError(f"{len(text)} characters were sent before the call began")

        bridge = TwilioBridge(rt, said.get, send)
        async with rt:
            await rt.request_response()
            running = asyncio.ensure_future(bridge.run())
            said.put_nowait('{"event":"connected"}')
            said.put_nowait(None)
            await running
        with pytest.raises(ConfigError, match="before that"):
            TwilioBridge(rt, said.get, send)


@virtual_time
async def test_a_line_that_takes_nothing_is_given_up() -> None:
    async with (
        RealtimeServer(reply(counted(3000))) as server,
        phone(server, MANUAL, bridge={"limit_bytes": 8000}) as call,
    ):
        call.rt.request_response()
        error = await call.ended
        assert isinstance(error, SlowConsumer)
        assert str(error) == "8000 bytes of audio wait to be heard (`limit_bytes`)"
