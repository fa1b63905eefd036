"""The speaker against a device whose thread and clock are the test's."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio.fake_devices import FakeSoundDevice, PortAudioError
from turnwire.audio import (
    PCMU,
    DeviceError,
    EchoGuard,
    FlushedAudio,
    FlushedPart,
    Speaker,
    pcm16,
)
from turnwire.errors import ConfigError, QueueFull

if TYPE_CHECKING:
    from collections.abc import Hashable

THOUSAND = pcm16(1_000)  # two bytes a millisecond; a block is 20 ms


def speaker_of(library: FakeSoundDevice, **options: Any) -> Speaker:
    return Speaker(THOUSAND, library=library, clock=library.clock, **options)


def test_what_is_played_comes_out_and_then_silence() -> None:
    library = FakeSoundDevice()
    with speaker_of(library) as speaker:
        speaker.play(b"ab" * 25)
        assert [library.stream.ask() for _ in range(3)] == [
            b"ab" * 20,
            b"ab" * 5 + bytes(30),
            bytes(40),
        ]
    stream = library.stream
    assert stream.state == "closed"
    wanted = {
        "samplerate": 1_000, "blocksize": 20, "channels": 1, "dtype": "int16", "device": None,
        "latency": "low",
    }  # fmt: skip
    assert wanted.items() <= stream.options.items()


@pytest.mark.parametrize("knows_times", [True, False])
def test_played_is_what_has_sounded_and_not_what_was_handed_over(*, knows_times: bool) -> None:
    library = FakeSoundDevice(latency=0.03125)
    with speaker_of(library) as speaker:
        speaker.play(bytes(80))
        library.stream.ask(knows_times=knows_times)
        assert (speaker.played_bytes, speaker.queued_bytes) == (0, 80)
        library.now += 0.0390625  # 7.8 ms after the first sample sounded
        assert speaker.played_bytes == 14
        library.stream.ask(knows_times=knows_times)
        library.now += 1
        assert (speaker.played_bytes, speaker.queued_bytes) == (80, 0)


def test_what_the_device_says_of_a_block_goes_before_its_general_latency() -> None:
    library = FakeSoundDevice(latency=0.0625, nominal_latency=0.5)
    with speaker_of(library) as speaker:
        speaker.play(bytes(40))
        library.stream.ask()
        library.now += 0.0625
        assert speaker.played_bytes == 0
        library.now += 0.02
        assert speaker.played_bytes == 40


def test_a_flush_says_whose_bytes_were_heard() -> None:
    library = FakeSoundDevice(latency=0.03125)
    with speaker_of(library) as speaker:
        speaker.play(bytes(30), "first")
        speaker.play(bytes(50), "second")
        speaker.play(bytes(10), "third")
        library.stream.ask()
        library.now += 0.03125 + 0.0175
        assert speaker.flush() == FlushedAudio(
            (
                FlushedPart("second", played_bytes=4, in_device_bytes=6, dropped_bytes=40),
                FlushedPart("third", played_bytes=0, in_device_bytes=0, dropped_bytes=10),
            ),
            heard_bytes=40,
        )
        assert library.stream.ask() == bytes(40)
        assert speaker.flush().dropped_bytes == 0
        library.now += 1
        assert speaker.played_bytes == 40


def test_a_flush_of_one_key_leaves_the_rest_which_moves_up() -> None:
    library = FakeSoundDevice()
    with speaker_of(library) as speaker:
        for data, key in ((b"a" * 60, "one"), (b"b" * 20, "two"), (b"c" * 20, "one")):
            speaker.play(data, key)
        speaker.play(b"d", "two")  # half a sample
        library.stream.ask()
        library.now += 1
        assert speaker.flush("two", "three") == FlushedAudio((FlushedPart("two", 0, 0, 20),), 40)
        speaker.play(b"ee", "two")
        assert speaker.queued_bytes == 42
        assert library.stream.ask() == b"a" * 20 + b"c" * 20
        flushed = speaker.flush("one")
        assert flushed == FlushedAudio((FlushedPart("one", 40, 40, 0),), 80)
        assert library.stream.ask() == b"ee".ljust(40, b"\0")


def test_what_does_not_fit_is_refused_whole() -> None:
    speaker = speaker_of(FakeSoundDevice(), limit_ms=50)
    speaker.play(bytes(90))
    with pytest.raises(QueueFull, match="play them later") as raised:
        speaker.play(bytes(12))
    assert raised.value.limit_bytes == 100
    speaker.play(bytes(10))
    assert speaker.queued_bytes == 100


def test_half_a_sample_waits_for_the_rest_of_its_key() -> None:
    library = FakeSoundDevice()
    with speaker_of(library) as speaker:
        speaker.play(b"abc", "one")
        speaker.play(b"de", "one")
        speaker.play(b"fg", "two")
        assert library.stream.ask()[:8] == b"abcdfg\0\0"
        speaker.play(b"h", "two")
        speaker.flush()
        speaker.play(b"ij", "two")
        assert library.stream.ask()[:4] == b"ij\0\0"


def test_a_late_program_is_counted() -> None:
    library = FakeSoundDevice()
    with speaker_of(library) as speaker:
        library.stream.ask()
        library.stream.ask(underflow=True)
        assert speaker.underflows == 1


def test_without_a_loop_the_devices_thread_tells_what_sounded() -> None:
    library = FakeSoundDevice()
    told: list[tuple[Hashable, int, str]] = []

    def on_played(key: Hashable, size_bytes: int) -> None:
        told.append((key, size_bytes, threading.current_thread().name))

    def device() -> None:
        library.stream.ask()
        library.now += 0.020
        library.stream.ask()

    with speaker_of(library, on_played=on_played) as speaker:
        speaker.play(bytes(10), "one")
        speaker.play(bytes(20), "two")
        thread = threading.Thread(target=device, name="device")
        thread.start()
        thread.join()
        assert told == [("one", 10, "device"), ("two", 20, "device")]


async def test_in_a_loop_the_loop_is_told_and_can_wait() -> None:
    library = FakeSoundDevice()
    told: list[tuple[Hashable, int]] = []

    def on_played(key: Hashable, size_bytes: int) -> None:
        assert threading.current_thread() is threading.main_thread()
        told.append((key, size_bytes))

    def device() -> None:
        for _ in range(4):
            library.stream.ask()
            library.now += 0.020

    with speaker_of(library, on_played=on_played) as speaker:
        await speaker.wait_played()
        speaker.play(bytes(80), "one")
        speaker.play(bytes(8), "two")
        waiting = asyncio.create_task(speaker.wait_played())
        await asyncio.to_thread(device)
        await waiting
        assert speaker.queued_bytes == 0
        speaker.flush()
    await asyncio.sleep(0)
    assert {key: sum(size for whose, size in told if whose == key) for key, _ in told} == {
        "one": 80,
        "two": 8,
    }


async def test_a_flush_ends_the_waiting() -> None:
    library = FakeSoundDevice()
    with speaker_of(library) as speaker:
        speaker.play(bytes(80))
        waiting = asyncio.create_task(speaker.wait_played())
        await asyncio.sleep(0)
        speaker.flush()
        await waiting


async def test_waiting_for_a_device_that_ended_says_so() -> None:
    library = FakeSoundDevice()
    with speaker_of(library) as speaker:
        speaker.play(bytes(80))
        waiting = asyncio.create_task(speaker.wait_played())
        await asyncio.sleep(0)
        library.stream.unplug()
        with pytest.raises(DeviceError, match="does not play"):
            await waiting
        assert speaker.played_bytes == 0


async def test_waiting_for_a_speaker_that_was_not_started_says_so() -> None:
    speaker = speaker_of(FakeSoundDevice())
    speaker.play(bytes(80))
    with pytest.raises(DeviceError, match="start it"):
        await speaker.wait_played()


def test_closing_lets_the_device_finish_what_it_has() -> None:
    library = FakeSoundDevice(latency=0.5)
    told: list[tuple[Hashable, int]] = []
    speaker = speaker_of(library, on_played=lambda *what: told.append(what))
    speaker.start()
    speaker.play(bytes(60), "one")
    library.stream.ask()
    assert speaker.close() == FlushedAudio((FlushedPart("one", 0, 40, 20),), 40)
    assert (told, speaker.played_bytes) == ([("one", 40)], 40)
    assert speaker.close() == FlushedAudio((), 40)


def test_what_an_unplugged_device_had_was_never_heard() -> None:
    library = FakeSoundDevice(latency=0.5)
    speaker = speaker_of(library)
    speaker.start()
    speaker.play(bytes(60), "one")
    library.stream.ask()
    library.stream.unplug()
    library.now += 10
    assert speaker.close() == FlushedAudio((FlushedPart("one", 0, 40, 20),), 40)
    with speaker:
        assert (speaker.played_bytes, speaker.queued_bytes) == (0, 0)


def test_a_speaker_can_be_opened_again_but_not_twice() -> None:
    library = FakeSoundDevice()
    speaker = speaker_of(library)
    with speaker, pytest.raises(DeviceError, match="open already"):
        speaker.start()
    speaker.play(b"ab")
    with speaker:
        assert library.stream.ask()[:4] == b"ab\0\0"


@pytest.mark.parametrize("error", [PortAudioError("Invalid sample rate"), ValueError("No such")])
def test_a_device_that_cannot_be_opened_says_which(error: Exception) -> None:
    speaker = speaker_of(FakeSoundDevice(refuses=error), device="Loud")
    with pytest.raises(DeviceError, match=r"speaker cannot be opened \('Loud'\).*sounddevice"):
        speaker.start()
    assert speaker.close() == FlushedAudio((), 0)


def test_a_device_that_does_not_start_is_closed() -> None:
    library = FakeSoundDevice(refuses_to_start=True)
    with pytest.raises(DeviceError, match="the default one"):
        speaker_of(library).start()
    assert library.stream.state == "closed"


def test_only_pcm16_is_played() -> None:
    with pytest.raises(ConfigError, match="Resampler"):
        Speaker(PCMU)


def test_the_guard_is_told_what_sounds_and_nothing_of_silence() -> None:
    library = FakeSoundDevice(latency=0.03125)
    guard = EchoGuard(tail_ms=0)
    with speaker_of(library, guard=guard) as speaker:
        library.stream.ask()
        assert not guard.mutes(0, 2000)
        speaker.play(bytes(20))  # 10 ms
        library.stream.ask()
    assert not guard.mutes(0, 1000.031)
    assert guard.mutes(1000.032, 1000.033)
    assert not guard.mutes(1000.042, 2000)


STEPS = st.lists(
    st.tuples(st.sampled_from(["play", "ask", "wait", "flush"]), st.integers(0, 64)), max_size=30
)


@given(STEPS, st.sampled_from([0.0, 0.03125, 0.125]))
def test_every_byte_is_played_or_dropped_or_still_on_its_way(
    steps: list[tuple[str, int]], latency: float
) -> None:
    library = FakeSoundDevice(latency=latency)
    told: dict[Hashable, int] = {}

    def on_played(key: Hashable, size_bytes: int) -> None:
        told[key] = told.get(key, 0) + size_bytes

    played_before = given_bytes = dropped = 0
    with speaker_of(library, on_played=on_played) as speaker:
        for number, (step, size) in enumerate(steps):
            if step == "play":
                speaker.play(b"ab" * size, number)
                given_bytes += 2 * size
            elif step == "ask":
                library.stream.ask()
                library.now += 0.015625
            elif step == "wait":
                library.now += size / 512
            else:
                flushed = speaker.flush()
                dropped += flushed.dropped_bytes
                for part in flushed.parts:
                    assert part.in_device_bytes + part.dropped_bytes > 0
                    assert part.played_bytes == told.get(part.key, 0)
            played = speaker.played_bytes
            assert played_before <= played
            assert played + speaker.queued_bytes + dropped == given_bytes
            played_before = played
        dropped += speaker.close().dropped_bytes
    assert speaker.played_bytes + dropped == given_bytes
    assert sum(told.values()) == speaker.played_bytes
