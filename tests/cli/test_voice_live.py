"""``turnwire voice --mic`` against devices whose threads are the test's."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import wave
from array import array
from typing import TYPE_CHECKING, Any

import pytest

from architecture.repository import SOURCE
from audio.fake_devices import FakeSoundDevice, FakeStream, PortAudioError
from cli.command import finish, run, start
from gateway.support import until
from turnwire.audio import PCM16, tone
from turnwire.cli.terminal import console
from turnwire.cli.voice.live import live
from turnwire.cli.voice.plan import Plan
from turnwire.errors import ConfigError
from turnwire.testing.realtime import RealtimeServer, counted, heard_ms, reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.io

BLOCK = PCM16.bytes_in(20.0)


class Room(FakeSoundDevice):
    """A microphone and a speaker."""

    def __init__(self) -> None:
        super().__init__()
        self.speakers: list[FakeStream] = []
        self.microphones: list[FakeStream] = []

    def RawOutputStream(self, **options: Any) -> FakeStream:  # noqa: N802  # sounddevice's own
        self.speakers.append(super().RawOutputStream(**options))
        return self.speakers[-1]

    def RawInputStream(self, **options: Any) -> FakeStream:  # noqa: N802
        self.microphones.append(super().RawOutputStream(**options))
        return self.microphones[-1]

    def say(self, audio: bytes) -> None:
        """Let the microphone hear something."""
        for at in range(0, len(audio), BLOCK):
            self.microphones[0].say(audio[at : at + BLOCK])


@pytest.fixture(autouse=True)
def fresh_consoles() -> Iterator[None]:
    """Let the command print to where this test looks."""
    console.cache_clear()
    yield
    console.cache_clear()


async def sounding(room: Room, seconds: float) -> bytes:
    """Listen until so much sound came out, however much silence there is before."""
    heard = b""
    while len(heard) < PCM16.bytes_in(seconds * 1000):
        block = room.speakers[0].ask()
        room.now += 0.02
        heard += block if heard or any(block) else b""
        await asyncio.sleep(0)
    return heard


async def test_who_speaks_is_answered_and_may_interrupt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    room, record = Room(), tmp_path / "both.wav"
    script = [reply(counted(3000, "one two three")), reply(counted(200, "Yes."))]
    async with RealtimeServer(script, speed=1000) as server:
        plan = Plan(mic=True, record=record, base_url=server.http_url)
        talk = asyncio.create_task(live(plan, room))
        await until(lambda: bool(room.microphones))
        room.say(tone(440, 400) + bytes(PCM16.bytes_in(600)))
        heard = await sounding(room, 1.0)
        room.say(tone(440, 100))
        served = server.sessions[0]
        await until(lambda: bool(served.received_of("conversation.item.truncate")))
        (cut,) = served.received_of("conversation.item.truncate")
        assert served.numbers[cut["item_id"]] == 1
        # The ear has heard what the device took, and the server is told of no more than that.
        assert heard_ms(heard, 1) == 1000 <= cut["audio_end_ms"] <= 1000 + 20
        room.say(bytes(PCM16.bytes_in(600)))
        await until(lambda: served.responses == 2)
        talk.cancel()
        await asyncio.gather(talk, return_exceptions=True)
    assert [stream.state for stream in room.streams] == ["closed", "closed"]
    out, err = capsys.readouterr()
    # When the server has written down what the user said, the answer may have begun.
    assert "user       a tone of 440 Hz\n" in out
    assert [line for line in out.splitlines() if line.startswith("assistant  one")] != []
    assert "talk; Ctrl-C ends it\n" in err
    assert "interrupted: 1.0 s of it were heard, 2.0 s more never will be\n" in err
    with wave.open(str(record)) as file:
        samples = array("h", file.readframes(file.getnframes()))
    if sys.byteorder == "big":
        samples.byteswap()
    assert any(samples[0::2])
    assert any(samples[1::2])


async def test_a_device_that_is_not_there_is_a_matter_of_configuration() -> None:
    room = Room()
    room.refuses = PortAudioError("No such device")
    async with RealtimeServer() as server:
        with pytest.raises(ConfigError, match="The speaker cannot be opened"):
            await live(Plan(mic=True, base_url=server.http_url), room)
    assert server.connections == []


async def test_a_device_that_ends_by_itself_ends_the_talk() -> None:
    room = Room()
    async with RealtimeServer() as server:
        talk = asyncio.create_task(live(Plan(mic=True, base_url=server.http_url), room))
        await until(lambda: bool(room.microphones))
        room.microphones[0].unplug()
        (ended,) = await asyncio.gather(talk, return_exceptions=True)
    assert "The microphone has ended by itself" in str(ended)
    assert [stream.state for stream in room.streams] == ["closed", "closed"]


@pytest.mark.slow
async def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "sounddevice.py").write_text("raise ImportError('not here')\n")
    path = f"{tmp_path}{os.pathsep}{SOURCE.parent}"
    done = await run("voice", "--mic", "--base-url", "http://127.0.0.1:9/v1", PYTHONPATH=path)
    assert (done.code, done.out) == (2, "")
    assert 'pip install "turnwire[devices]"' in done.err


SILENT_DEVICES = """
class PortAudioError(Exception):
    pass

class RawOutputStream:
    latency = 0.0
    def __init__(self, **options):
        pass
    def start(self):
        pass
    stop = close = start

RawInputStream = RawOutputStream
"""


@pytest.mark.slow
async def test_ctrl_c_is_how_a_talk_ends(tmp_path: Path) -> None:
    (tmp_path / "sounddevice.py").write_text(SILENT_DEVICES)
    path = f"{tmp_path}{os.pathsep}{SOURCE.parent}"
    process = await start("voice", "--mic", "--record", "talk.wav", cwd=tmp_path, PYTHONPATH=path)
    assert process.stderr is not None
    while b"Ctrl-C ends it" not in await process.stderr.readline():
        assert process.returncode is None
    process.send_signal(signal.SIGINT)
    done = await finish(process)
    assert (done.code, done.out, done.err) == (0, "", "")
    with wave.open(str(tmp_path / "talk.wav")) as file:
        assert file.getnchannels() == 2
