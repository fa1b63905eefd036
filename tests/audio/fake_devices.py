"""Devices without hardware: sounddevice's interface, and a clock that the test turns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Info:
    inputBufferAdcTime: float = 0.0  # noqa: N815 - PortAudio's own
    outputBufferDacTime: float = 0.0  # noqa: N815
    currentTime: float = 0.0  # noqa: N815


@dataclass
class Flags:
    input_overflow: bool = False
    output_underflow: bool = False


class PortAudioError(Exception):
    pass


class FakeStream:
    """One device, whose thread is the test."""

    def __init__(self, library: FakeSoundDevice, **options: Any) -> None:
        self.library = library
        self.options = options
        self.callback = options["callback"]
        self.blocksize: int = options["blocksize"]
        self.rate: int = options["samplerate"]
        nominal = library.nominal_latency
        self.latency = library.latency if nominal is None else nominal
        self.state = "open"

    def start(self) -> None:
        if self.library.refuses_to_start:
            raise PortAudioError("Unanticipated host error")
        self.state = "started"

    def stop(self) -> None:
        self.state = "stopped"
        if self.library.tells_its_end:
            self.options["finished_callback"]()

    def close(self) -> None:
        assert self.state != "started"
        self.state = "closed"

    def unplug(self) -> None:
        self.state = "stopped"
        self.options["finished_callback"]()

    def ask(self, *, underflow: bool = False, knows_times: bool = True) -> bytes:
        """Let the speaker fill one block; return it."""
        assert self.state == "started"
        block = bytearray(self.blocksize * 2)
        now = self.library.now
        info = Info(0.0, now + self.library.latency, now) if knows_times else Info()
        view = memoryview(block)  # of one size, as PortAudio's buffer is
        self.callback(view, self.blocksize, info, Flags(output_underflow=underflow))
        return bytes(block)

    def say(self, data: bytes, *, overflow: bool = False, knows_times: bool = True) -> None:
        """Let the microphone hear one block, which has just ended."""
        assert self.state == "started"
        samples = len(data) // 2
        now = self.library.now
        info = Info(now - samples / self.rate, 0.0, now) if knows_times else Info()
        self.callback(memoryview(data), samples, info, Flags(input_overflow=overflow))


@dataclass
class FakeSoundDevice:
    """The module; ``now`` is the devices' clock and the program's."""

    latency: float = 0.0
    nominal_latency: float | None = None  # what a stream says, if that is not so
    now: float = 1000.0
    refuses: Exception | None = None
    refuses_to_start: bool = False
    tells_its_end: bool = True
    streams: list[FakeStream] = field(default_factory=list)
    PortAudioError = PortAudioError

    def clock(self) -> float:
        return self.now

    def RawOutputStream(self, **options: Any) -> FakeStream:  # noqa: N802 - sounddevice's own
        if self.refuses:
            raise self.refuses
        self.streams.append(FakeStream(self, **options))
        return self.streams[-1]

    RawInputStream = RawOutputStream

    @property
    def stream(self) -> FakeStream:
        return self.streams[-1]
