"""The microphone against a device whose thread and clock are the test's."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from audio.fake_devices import FakeSoundDevice, PortAudioError
from turnwire.audio import PCMU, DeviceError, EchoGuard, Microphone, pcm16
from turnwire.errors import ConfigError

THOUSAND = pcm16(1_000)  # two bytes a millisecond; a piece is 20 ms


def microphone_of(library: FakeSoundDevice, **options: Any) -> Microphone:
    return Microphone(THOUSAND, library=library, clock=library.clock, **options)


async def test_what_is_said_arrives_in_pieces() -> None:
    library = FakeSoundDevice()
    with microphone_of(library) as microphone:
        library.stream.say(b"a" * 40)
        assert await anext(microphone) == b"a" * 40
        waiting = asyncio.ensure_future(anext(microphone))
        await asyncio.to_thread(library.stream.say, b"b" * 30)
        await asyncio.sleep(0)
        assert not waiting.done()
        await asyncio.to_thread(library.stream.say, b"c" * 30)
        assert await waiting == b"b" * 30 + b"c" * 10
    assert [piece async for piece in microphone] == [b"c" * 20]
    assert library.stream.state == "closed"
    wanted = {
        "samplerate": 1_000, "blocksize": 20, "channels": 1, "dtype": "int16", "device": None,
        "latency": "low",
    }  # fmt: skip
    assert wanted.items() <= library.stream.options.items()


async def test_the_oldest_sound_goes_if_nobody_takes_it() -> None:
    library = FakeSoundDevice()
    with microphone_of(library, limit_ms=60) as microphone:
        for letter in b"abcde":
            library.stream.say(bytes([letter]) * 40, overflow=letter == ord("b"))
        assert (microphone.dropped_bytes, microphone.overflows) == (80, 1)
    assert [piece[:1] async for piece in microphone] == [b"c", b"d", b"e"]


@pytest.mark.parametrize("tells_its_end", [True, False])
async def test_closing_wakes_whoever_waits(*, tells_its_end: bool) -> None:
    microphone = microphone_of(FakeSoundDevice(tells_its_end=tells_its_end))
    microphone.start()
    waiting = asyncio.ensure_future(anext(microphone))
    await asyncio.sleep(0)
    microphone.close()
    with pytest.raises(StopAsyncIteration):
        await waiting
    microphone.close()


async def test_a_device_that_ends_by_itself_is_no_end_of_speech() -> None:
    library = FakeSoundDevice()
    with microphone_of(library) as microphone:
        library.stream.say(b"a" * 10)
        waiting = asyncio.ensure_future(anext(microphone))
        await asyncio.sleep(0)
        await asyncio.to_thread(library.stream.unplug)
        assert await waiting == b"a" * 10
        with pytest.raises(DeviceError, match="ended by itself"):
            await anext(microphone)


async def test_a_consumer_that_is_cancelled_loses_nothing() -> None:
    library = FakeSoundDevice()
    with microphone_of(library) as microphone:
        waiting = asyncio.ensure_future(anext(microphone))
        await asyncio.sleep(0)
        library.stream.say(b"a" * 40)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert await anext(microphone) == b"a" * 40


@pytest.mark.parametrize("knows_times", [True, False])
async def test_echo_becomes_silence_and_time_goes_on(*, knows_times: bool) -> None:
    library = FakeSoundDevice()
    guard = EchoGuard(tail_ms=0)
    with microphone_of(library, guard=guard) as microphone:
        guard.sounds(1000.001, 1000.015)
        for letter in b"abc":
            library.stream.say(bytes([letter]) * 40, knows_times=knows_times)
            library.now += 0.020
        assert microphone.muted_bytes == 40
    # The first piece was heard before the sound, the second during it.
    heard = [piece async for piece in microphone]
    assert heard == [b"a" * 40, bytes(40), b"c" * 40]


@pytest.mark.parametrize("error", [PortAudioError("Invalid device"), ValueError("No such")])
async def test_a_device_that_cannot_be_opened_says_which(error: Exception) -> None:
    microphone = microphone_of(FakeSoundDevice(refuses=error), device=7)
    with pytest.raises(DeviceError, match=r"microphone cannot be opened \(7\)"):
        microphone.start()
    assert [piece async for piece in microphone] == []


async def test_a_microphone_can_be_opened_again_but_not_twice() -> None:
    library = FakeSoundDevice()
    microphone = microphone_of(library)
    with microphone, pytest.raises(DeviceError, match="open already"):
        microphone.start()
    with microphone:
        library.stream.say(b"a" * 40)
        assert await anext(microphone) == b"a" * 40


def test_only_pcm16_is_heard() -> None:
    with pytest.raises(ConfigError, match="Resampler"):
        Microphone(PCMU)
