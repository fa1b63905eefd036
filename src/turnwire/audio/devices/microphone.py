"""The microphone: pieces of sound for an event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Self

from turnwire.audio.devices.portaudio import begin, opening, sound_device
from turnwire.audio.devices.wakeup import Wakeup
from turnwire.audio.formats import require_pcm16
from turnwire.audio.ring import Ring
from turnwire.errors import DeviceError
from turnwire.events.realtime.audio_format import PCM16, AudioFormat

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.audio.devices.echo import EchoGuard
    from turnwire.audio.devices.portaudio import (
        Device,
        Flags,
        Latency,
        SoundDevice,
        Stream,
        TimeInfo,
    )


class Microphone:
    """An asynchronous iterator over what is heard.

    ::

        with Microphone() as microphone:
            async for chunk in microphone:
                rt.send_audio(chunk)

    Somebody who speaks cannot be asked to wait: if nobody takes the pieces, the oldest sound is
    dropped and counted.  One consumer; open it, take from it and close it in one event loop.

    Args:
        audio_format: PCM16 of a rate that the device takes; 24 kHz by default.
        chunk_ms: How long each piece is, in milliseconds.
        limit_ms: How much may wait, in milliseconds.
        device: A number or a part of a name of sounddevice's; None is the system's default.
        latency: What the device aims at: ``low``, ``high``, or seconds.
        guard: What it calls echo becomes silence, so that time goes on.
        clock: The guard's clock, in seconds: the speaker's.
        library: sounddevice, or what stands in for it.

    Attributes:
        dropped_bytes: What was dropped because nobody took it.
        muted_bytes: What the guard made silence.
        overflows: How often the device lost sound because the program was late.
    """

    def __init__(
        self,
        audio_format: AudioFormat = PCM16,
        *,
        chunk_ms: float = 20.0,
        limit_ms: float = 1000.0,
        device: Device = None,
        latency: Latency = "low",
        guard: EchoGuard | None = None,
        clock: Callable[[], float] = time.monotonic,
        library: SoundDevice | None = None,
    ) -> None:
        require_pcm16(audio_format, "The microphone")
        self.audio_format = audio_format
        self.dropped_bytes = 0
        self.muted_bytes = 0
        self.overflows = 0
        self._chunk_bytes = audio_format.bytes_in(chunk_ms)
        self._device = device
        self._latency: Latency = latency
        self._guard = guard
        self._clock = clock
        self._library = library
        self._lock = threading.Lock()  # around the ring, which the device's thread fills
        self._ring: Ring[None] = Ring(
            max(self._chunk_bytes, audio_format.bytes_in(limit_ms)),
            unit_bytes=audio_format.sample_bytes,
        )
        self._arrived = asyncio.Event()
        self._stream: Stream | None = None
        self._wakeup: Wakeup | None = None
        self._ended = False
        self._closed = False

    def start(self) -> None:
        """Open the device; sound is kept from here on.

        Raises:
            DeviceError: It cannot be opened, or is open already.
            ImportError: sounddevice is not installed: ``pip install "turnwire[devices]"``.
            RuntimeError: No event loop runs here.
        """
        if self._stream is not None:
            raise DeviceError(
                "This microphone is open already; close it first, or make another one."
            )
        library = self._library or sound_device()
        self._wakeup = Wakeup(asyncio.get_running_loop(), self._arrived.set)
        self._ended = self._closed = False
        with opening(library, "microphone", self._device):
            stream = library.RawInputStream(
                samplerate=self.audio_format.rate,
                blocksize=self._chunk_bytes // self.audio_format.sample_bytes,
                channels=1,
                dtype="int16",
                device=self._device,
                latency=self._latency,
                callback=self._hear,
                finished_callback=self._finish,
            )
            self._stream = begin(stream)

    def close(self) -> None:
        """Close the device; an iteration ends after what was heard by now."""
        self._closed = True
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.stop()
            stream.close()
        self._arrived.set()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece; the last one may be shorter.

        Cancelling it loses nothing.

        Raises:
            StopAsyncIteration: The microphone was closed, and everything was taken.
            DeviceError: The device has ended by itself, and everything was taken.
        """
        while True:
            self._arrived.clear()
            over = self._closed or self._ended or self._stream is None
            with self._lock:
                enough = self._ring.size_bytes >= (1 if over else self._chunk_bytes)
                data, _ = self._ring.take(self._chunk_bytes if enough else 0)
            if data:
                return data
            if self._ended and not self._closed:
                raise DeviceError(
                    "The microphone has ended by itself, as if unplugged; open it again."
                )
            if over:
                raise StopAsyncIteration
            await self._arrived.wait()

    def _hear(self, block: bytes, samples: int, info: TimeInfo, flags: Flags) -> None:
        """Keep a block: in the device's thread."""
        data = bytes(block)
        if self._guard and self._guard.mutes(*self._span(samples, info)):
            self.muted_bytes += len(data)
            data = bytes(len(data))
        with self._lock:
            self.overflows += flags.input_overflow
            self.dropped_bytes += sum(portion.size_bytes for portion in self._ring.push(data, None))
        if self._wakeup is not None:
            self._wakeup.ring()

    def _span(self, samples: int, info: TimeInfo) -> tuple[float, float]:
        """Return when a block was heard, by the guard's clock."""
        seconds = samples / self.audio_format.rate
        # Where the system does not say when it was: just now.
        known = 0.0 < info.inputBufferAdcTime <= info.currentTime
        ago = info.currentTime - info.inputBufferAdcTime if known else seconds
        start = self._clock() - ago
        return start, start + seconds

    def _finish(self) -> None:
        """Note that the device has ended: in its thread."""
        self._ended = True
        if self._wakeup is not None:
            self._wakeup.ring()
