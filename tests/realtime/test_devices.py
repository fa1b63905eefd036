"""A speaker as the playhead: against a device whose thread and clock are the test's."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from audio.fake_devices import FakeSoundDevice
from turnwire.audio import PCM16, Speaker, pcm16, tone
from turnwire.errors import ConfigError
from turnwire.events.realtime import PCMU
from turnwire.realtime import connect
from turnwire.realtime.devices import SpeakerPlayhead
from turnwire.testing.realtime import RealtimeServer, counted, heard_ms, reply

if TYPE_CHECKING:
    from turnwire.realtime import RealtimeTransport

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "voice.md"
BLOCK_MS = 20.0
BLOCK = PCM16.bytes_in(BLOCK_MS)
LATENCY = 0.03125  # seconds; a sum of powers of two, so that times are exact


class Listener:
    """A speaker, its device, and what came out of it."""

    def __init__(self) -> None:
        self.device = FakeSoundDevice(latency=LATENCY)
        self.speaker = Speaker(library=self.device, clock=self.device.clock)
        self.playhead = SpeakerPlayhead(self.speaker)
        self.sounded = b""

    def listen(self, blocks: int) -> None:
        """Let the device take so many blocks, one each 20 ms."""
        for _ in range(blocks):
            self.sounded += self.device.stream.ask()
            self.device.now += BLOCK_MS / 1000

    def handed_over(self, data: bytes) -> None:
        """Do what the transport does with audio that arrives."""
        self.playhead.handed_over(len(data), PCM16, self.device.now)
        self.speaker.play(data)


def test_what_has_sounded_was_played_and_what_the_device_still_has_was_not() -> None:
    listener = Listener()
    with listener.speaker:
        listener.handed_over(bytes(10 * BLOCK))
        listener.listen(3)
        in_device = PCM16.bytes_in(LATENCY * 1000)
        assert listener.playhead.played_bytes(listener.device.now) == 3 * BLOCK - in_device
        rest = (7 * BLOCK_MS / 1000) + LATENCY
        assert listener.playhead.next_change(5.0) == pytest.approx(5.0 + rest)


def test_a_flush_drops_what_waits_and_counts_what_nobody_can_take_back() -> None:
    listener = Listener()
    with listener.speaker:
        listener.handed_over(bytes(10 * BLOCK))
        listener.listen(3)
        assert listener.playhead.flush(0.0) == 3 * BLOCK
        assert listener.speaker.queued_bytes == PCM16.bytes_in(LATENCY * 1000)
        assert listener.playhead.next_change(0.0) is None
        listener.device.now += 1.0
        assert listener.playhead.played_bytes(0.0) == 3 * BLOCK


def test_what_comes_after_a_flush_is_counted_from_there() -> None:
    listener = Listener()
    with listener.speaker:
        listener.handed_over(bytes(10 * BLOCK))
        listener.listen(3)
        listener.playhead.flush(0.0)
        listener.handed_over(bytes(2 * BLOCK))
        assert listener.playhead.played_bytes(0.0) == 3 * BLOCK
        listener.listen(2)
        listener.device.now += 1.0
        assert listener.playhead.played_bytes(0.0) == 5 * BLOCK
        assert listener.playhead.flush(0.0) == 5 * BLOCK  # nothing waited


def test_what_has_to_come_soon_is_not_waited_for_in_a_busy_loop() -> None:
    listener = Listener()
    with listener.speaker:
        listener.playhead.handed_over(2, PCM16, 0.0)  # and nobody has played it yet
        assert listener.playhead.next_change(5.0) == 5.01


async def until_all_waits(listener: Listener, ms: float) -> None:
    while listener.speaker.queued_bytes < PCM16.bytes_in(ms):  # noqa: ASYNC110  # no event tells it
        await asyncio.sleep(0)


def talk_to(server: RealtimeServer, listener: Listener) -> RealtimeTransport:
    return connect(
        base_url=server.http_url,
        api_key="k",
        session={"turn_detection": None},
        playback=listener.playhead,
    )


@pytest.mark.io
async def test_an_interruption_tells_the_server_exactly_what_the_device_took() -> None:
    listener = Listener()
    async with RealtimeServer(reply(counted(1000), counted(500)), speed=1000) as server:
        with listener.speaker:
            async with talk_to(server, listener) as rt:
                playing = asyncio.create_task(listener.playhead.play(rt))
                await asyncio.sleep(0)
                rt.send_message("Speak.", respond=False)
                await rt.request_response()
                await until_all_waits(listener, 1500)
                listener.listen(23)
                assert rt.interrupt()
                listener.listen(10)
                assert heard_ms(listener.sounded, 1) == 23 * BLOCK_MS
                first, second = rt.heard
                assert (first.heard_ms, first.interrupted) == (460, True)
                assert (second.heard_ms, second.interrupted) == (0, True)
                assert not rt.is_playing
                await rt.update_session(instructions="Go on.")  # what was said before it is there
                served = server.sessions[0]
                (cut,) = served.received_of("conversation.item.truncate")
                (gone,) = served.received_of("conversation.item.delete")
                assert (served.numbers[cut["item_id"]], cut["audio_end_ms"]) == (1, 460)
                assert served.numbers[gone["item_id"]] == 2
            await playing


@pytest.mark.io
async def test_interrupting_one_response_leaves_the_other_to_be_heard() -> None:
    listener = Listener()
    replies = [reply(counted(600)), reply(counted(400))]
    async with RealtimeServer(replies, speed=1000) as server:
        with listener.speaker:
            async with talk_to(server, listener) as rt:
                playing = asyncio.create_task(listener.playhead.play(rt))
                await asyncio.sleep(0)
                rt.send_message("Speak.", respond=False)
                first = await rt.request_response()
                await until_all_waits(listener, 600)
                await rt.request_response()
                await until_all_waits(listener, 1000)
                listener.listen(10)
                assert rt.interrupt(response_id=first.id)
                listener.listen(22)
                listener.device.now += 1.0
                assert heard_ms(listener.sounded, 1) == 10 * BLOCK_MS
                assert heard_ms(listener.sounded, 2) == 400
                heard = [(each.heard_ms, each.interrupted) for each in rt.heard]
                assert heard == [(200, True), (400, False)]
                assert not rt.is_playing
            await playing


@pytest.mark.io
async def test_whoever_begins_to_play_too_late_is_told() -> None:
    listener = Listener()
    async with (
        RealtimeServer(reply(counted(100)), speed=1000) as server,
        talk_to(server, listener) as rt,
    ):
        rt.send_message("Speak.", respond=False)
        await rt.request_response()
        with pytest.raises(ConfigError, match="audio came before `play` was called"):
            await listener.playhead.play(rt)


@pytest.mark.io
async def test_a_session_in_another_format_is_refused() -> None:
    listener = Listener()
    async with RealtimeServer(reply(counted(100)), speed=1000) as server:
        with listener.speaker:
            async with talk_to(server, listener) as rt:
                await rt.update_session(output_format=PCMU)
                playing = asyncio.create_task(listener.playhead.play(rt))
                await asyncio.sleep(0)
                rt.send_message("Speak.", respond=False)
                await rt.request_response()
                with pytest.raises(ConfigError, match="the speaker takes"):
                    await playing


def test_the_speaker_is_of_any_rate() -> None:
    device = FakeSoundDevice()
    speaker = Speaker(pcm16(1000), library=device, clock=device.clock)
    playhead = SpeakerPlayhead(speaker)
    playhead.handed_over(4000, pcm16(1000), 0.0)
    assert playhead.next_change(1.0) == 3.0


@pytest.mark.io
async def test_the_program_of_the_page_talks(monkeypatch: pytest.MonkeyPatch) -> None:
    device = FakeSoundDevice()
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(program, names)  # our own page
    async with RealtimeServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.http_url)
        talk = asyncio.create_task(names["talk"]())
        while len(device.streams) < 2:  # noqa: ASYNC110  # no event tells it
            await asyncio.sleep(0)
        speaker, microphone = device.streams
        microphone.say(tone(440, 400) + bytes(PCM16.bytes_in(600)))
        while not any(speaker.ask()):  # noqa: ASYNC110  # no event tells it
            await asyncio.sleep(0)
        talk.cancel()
        await asyncio.gather(talk, return_exceptions=True)
