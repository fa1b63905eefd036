"""What was heard, by each kind of playhead."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from realtime.support import dial, take, talk, told, until
from turnwire import ConfigError
from turnwire.realtime import PCM16, Reported, VirtualClock
from turnwire.testing.realtime import RealtimeServer, counted, heard_ms, reply

if TYPE_CHECKING:
    from turnwire.realtime import AudioFormat

pytestmark = pytest.mark.io


def facts(rt: Any) -> list[tuple[float, float, bool]]:
    return [(part.received_ms, part.heard_ms, part.interrupted) for part in rt.heard]


async def test_what_was_reported_was_heard() -> None:
    async with talk(reply(counted(1000)), playback="reported") as (rt, server):
        await rt.request_response()
        assert (facts(rt), rt.is_playing) == ([(1000, 0, False)], True)
        rt.played(9_600)
        assert facts(rt) == [(1000, 200, False)]
        waiting = asyncio.create_task(rt.wait_played())
        await asyncio.sleep(0)
        assert not waiting.done()
        rt.played(48_000)  # more than there is
        await waiting
        assert (facts(rt), rt.is_playing) == ([(1000, 1000, False)], False)
        assert rt.interrupt() is False
        await rt.send_message("the end", respond=False)
        assert told(server, "conversation.item.truncate", "response.cancel") == []


async def test_what_was_read_was_heard() -> None:
    async with talk(reply(counted(1000)), playback="read") as (rt, server):
        audio = rt.audio()
        await rt.request_response()
        heard = (await anext(audio)).data
        assert rt.heard[0].heard_ms == 0  # nobody has asked for the next one
        heard += (await anext(audio)).data
        heard += (await anext(audio)).data
        # The third piece was handed out and stopped: nobody knows how much of it was heard.
        assert rt.heard[0].heard_ms == 200
        assert rt.interrupt()
        await server.wait_until(lambda: told(server, "conversation.item.truncate"))
        assert told(server, "conversation.item.truncate")[0]["audio_end_ms"] == 200
        assert heard_ms(heard, 1) == 300
        audio.close()
        assert rt.heard[0].heard_ms == 200  # too late


async def test_a_reader_that_leaves_has_heard_what_it_took() -> None:
    async with talk(reply(counted(300)), playback="read") as (rt, _):
        audio = rt.audio()
        await rt.request_response()
        for _ in range(3):
            await anext(audio)
        assert rt.is_playing
        audio.close()
        assert not rt.is_playing


async def test_the_clock_goes_by_itself() -> None:
    async with talk(reply(counted(60))) as (rt, _):
        await rt.request_response()
        await rt.wait_played()
        assert (facts(rt), rt.is_playing) == ([(60, 60, False)], False)


async def test_waiting_for_nothing_and_for_an_end() -> None:
    async with talk(reply(counted(60_000)), playback="reported") as (rt, _):
        await rt.wait_played()
        await rt.request_response()
        waiting = [asyncio.create_task(rt.wait_played()) for _ in range(2)]
        await asyncio.sleep(0)
        rt.interrupt()
        await waiting[0]
    await waiting[1]


async def test_a_playhead_of_ones_own() -> None:
    class Half:
        """Has played the first half of everything."""

        def __init__(self) -> None:
            self.given = 0
            self.formats: set[AudioFormat] = set()

        def handed_over(self, size_bytes: int, audio_format: AudioFormat, now: float) -> None:
            self.given += size_bytes
            self.formats.add(audio_format)

        def played_bytes(self, now: float) -> int:
            return self.given // 2

        def flush(self, now: float, response_id: str | None = None) -> int:
            self.given //= 2
            return self.given

        def next_change(self, now: float) -> float | None:
            return None

    playhead = Half()
    async with talk(reply(counted(1000)), playback=playhead) as (rt, server):
        await rt.request_response()
        assert facts(rt) == [(1000, 500, False)]
        with pytest.raises(ConfigError, match='`played` needs `playback="reported"`'):
            rt.played(1)
        assert rt.interrupt()
        await server.wait_until(lambda: told(server, "conversation.item.truncate"))
        assert told(server, "conversation.item.truncate")[0]["audio_end_ms"] == 500
        assert playhead.formats == {PCM16}


async def test_a_player_may_report_to_its_playhead_alone() -> None:
    playhead = Reported()
    async with talk(reply(counted(1000)), playback=playhead) as (rt, _):
        response = await rt.request_response()
        waiting = asyncio.create_task(rt.wait_played())
        item_id = response.output[0].id or ""
        position = rt.position_of(item_id, 0, 250)
        assert position == 12_000
        assert rt.position_of("item_none", 0, 250) is None
        playhead.report_total(position)
        assert rt.heard[0].heard_ms == 250
        playhead.report_total(48_000)
        await waiting


async def test_less_than_nothing_was_not_played() -> None:
    async with talk(playback="reported") as (rt, _):
        with pytest.raises(ConfigError, match="zero or more"):
            rt.played(-1)


async def test_the_formats_are_the_sessions() -> None:
    session = {"turn_detection": None, "output_format": "g711_ulaw", "input_format": "g711_alaw"}
    async with talk(reply(counted(500)), session=session, playback="reported") as (rt, _):
        await rt.request_response()
        assert (rt.output_format.type, rt.input_format.type) == ("audio/pcmu", "audio/pcma")
        rt.played(1_600)
        assert facts(rt) == [(500, 200, False)]


@pytest.mark.parametrize("unheard", ["delete", "truncate_zero", "keep"])
async def test_what_becomes_of_items_that_nobody_heard(unheard: str) -> None:
    script = reply(counted(500), counted(500))
    async with talk(script, playback="reported", unheard=unheard) as (rt, server):
        response = await rt.request_response()
        second = response.output[1].id
        rt.played(9_600)
        assert rt.interrupt(reason="a test")
        await rt.send_message("the end", respond=False)
        truncates = told(server, "conversation.item.truncate")
        assert [each["audio_end_ms"] for each in truncates] == {
            "delete": [200],
            "truncate_zero": [200, 0],
            "keep": [200],
        }[unheard]
        deleted = [each["item_id"] for each in told(server, "conversation.item.delete")]
        assert deleted == ([second] if unheard == "delete" else [])


async def test_an_interruption_says_what_was_heard() -> None:
    async with talk(reply(counted(500), counted(500)), playback="reported") as (rt, _):
        events = rt.events()
        response = await rt.request_response()
        rt.played(9_600)
        rt.interrupt(reason="a test")
        told_of = (await take(events, "audio_interrupted"))[-1]
        assert (told_of.item_id, told_of.heard_ms, told_of.dropped_ms, told_of.reason) == (
            response.output[0].id,
            200,
            800,
            "a test",
        )


async def test_one_response_alone_is_interrupted() -> None:
    async with talk([reply(counted(500)), reply(counted(500))], playback="reported") as (rt, _):
        audio = rt.audio()
        first, second = await rt.request_response(), await rt.request_response()
        assert rt.interrupt(response_id=second.id)
        assert rt.interrupt(response_id="resp_none") is False
        assert [part.interrupted for part in rt.heard] == [False, True]
        assert {(await anext(audio)).response_id} == {first.id}
        assert audio.poll() is None or (await anext(audio)).response_id == first.id


@pytest.mark.parametrize(("cancel", "cancels"), [("auto", 1), (True, 1), (False, 0)])
async def test_a_response_that_is_being_made_is_cancelled_or_not(cancel: Any, cancels: int) -> None:
    served = {"speed": 1.0}
    async with talk(reply(counted(10_000)), server=served, playback="reported") as (rt, server):
        pending = rt.request_response()
        await until(lambda: rt.heard)
        assert rt.interrupt(cancel=cancel)
        await rt.send_message("the end", respond=False)
        assert len(told(server, "response.cancel")) == cancels
        if cancels:
            assert (await pending).status == "cancelled"


async def test_a_clock_may_know_of_a_speakers_latency() -> None:
    async with RealtimeServer() as server:
        rt = dial(server, output_latency_ms=250)
        assert isinstance(rt._playhead, VirtualClock)
        assert rt._playhead._latency == 0.25
