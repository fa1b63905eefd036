"""The speaker: what is played, whose it is, and how much of it was heard."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from typing import TYPE_CHECKING, Self

from turnwire.audio.devices.playout import FlushedAudio, Playout
from turnwire.audio.devices.portaudio import begin, opening, sound_device
from turnwire.audio.devices.wakeup import Wakeup
from turnwire.audio.formats import require_pcm16
from turnwire.audio.ring import Portion, Ring, merged
from turnwire.errors import DeviceError, QueueFull
from turnwire.events.realtime.audio_format import PCM16, AudioFormat

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from turnwire.audio.devices.echo import EchoGuard
    from turnwire.audio.devices.portaudio import (
        Device,
        Flags,
        Latency,
        OutputBuffer,
        SoundDevice,
        Stream,
        TimeInfo,
    )


class Speaker:
    """Plays PCM16 and knows what has sounded, not only what was handed over.

    ::

        with Speaker(on_played=ledger_played) as speaker:
            speaker.play(data, key=item_id)
            ...
            flushed = speaker.flush()  # somebody interrupts

    What has sounded is known to a block and the device's latency, as the device tells it.  Its
    methods may be called from any thread.

    Args:
        audio_format: PCM16 of a rate that the device takes; 24 kHz by default.
        device: A number or a part of a name of sounddevice's; None is the system's default.
        limit_ms: How much may wait, in milliseconds: models speak faster than they sound.
        block_ms: How often the device asks for more, in milliseconds.
        latency: What the device aims at: ``low``, ``high``, or seconds.
        on_played: Called with a key and a number of bytes after these have sounded: in the event
            loop in which the speaker was started, or else in the device's thread, where it has to
            be quick and must not raise.
        guard: Told when something sounds.
        clock: Tells the time in seconds, to the guard too.
        library: sounddevice, or what stands in for it.

    Attributes:
        underflows: How often the device ran dry because the program was late.
    """

    def __init__(
        self,
        audio_format: AudioFormat = PCM16,
        *,
        device: Device = None,
        limit_ms: float = 300_000.0,
        block_ms: float = 20.0,
        latency: Latency = "low",
        on_played: Callable[[Hashable, int], None] | None = None,
        guard: EchoGuard | None = None,
        clock: Callable[[], float] = time.monotonic,
        library: SoundDevice | None = None,
    ) -> None:
        require_pcm16(audio_format, "The speaker")
        self.audio_format = audio_format
        self.underflows = 0
        self._device = device
        self._block_ms = block_ms
        self._latency: Latency = latency
        self._on_played = on_played
        self._guard = guard
        self._clock = clock
        self._library = library
        # Everything from here on is shared with the device's thread.
        self._lock = threading.Lock()
        self._ring: Ring[Hashable] = Ring(
            audio_format.bytes_in(limit_ms), unit_bytes=audio_format.sample_bytes
        )
        self._playout = Playout(audio_format)
        self._partial: tuple[Hashable, bytes] = (None, b"")
        self._untold: list[Portion[Hashable]] = []
        self._stream: Stream | None = None
        self._wakeup: Wakeup | None = None
        self._progress = asyncio.Event()
        self._ended = False

    def start(self) -> None:
        """Open the device and begin with silence, or with what waits already.

        Raises:
            DeviceError: It cannot be opened, or is open already.
            ImportError: sounddevice is not installed: ``pip install "turnwire[devices]"``.
        """
        if self._stream is not None:
            raise DeviceError("This speaker is open already; close it first, or make another one.")
        library = self._library or sound_device()
        try:
            self._wakeup = Wakeup(asyncio.get_running_loop(), self._tell)
        except RuntimeError:  # no loop runs here
            self._wakeup = None
        self._ended = False
        with opening(library, "speaker", self._device):
            stream = library.RawOutputStream(
                samplerate=self.audio_format.rate,
                blocksize=self.audio_format.bytes_in(self._block_ms) // self._unit,
                channels=1,
                dtype="int16",
                device=self._device,
                latency=self._latency,
                callback=self._fill,
                finished_callback=self._finish,
            )
            self._stream = begin(stream)

    def play(self, data: bytes, key: Hashable = None) -> None:
        """Add audio at the end of what waits.

        Half a sample at the end waits for its other half, if the next piece has the same key.

        Args:
            data: PCM16.
            key: Whose it is, such as an item id.

        Raises:
            QueueFull: There is no room for all of it; nothing was added.
        """
        with self._lock:
            known, partial = self._partial
            data = partial + data if known == key else data
            whole = len(data) - len(data) % self._unit
            if whole > self._ring.free_bytes:
                raise QueueFull(
                    f"{whole} bytes of audio do not fit behind the {self._ring.size_bytes} that "
                    "wait to be played; play them later, or raise `limit_ms`.",
                    limit_bytes=self._ring.limit_bytes,
                )
            self._partial = key, data[whole:]
            self._ring.put(data[:whole], key)

    def flush(self, *keys: Hashable) -> FlushedAudio:
        """Drop what waits, and say what was heard of it.

        What the device has already sounds on for its latency.

        Args:
            keys: Drop only what was played with one of these; the rest moves up.
        """
        with self._lock:
            self._settle()
            if not keys or self._partial[0] in keys:
                self._partial = (None, b"")
            dropped = self._ring.drop(keys) if keys else self._ring.clear()
            flushed = self._playout.flushed(dropped, keys)
        self._announce()
        return flushed

    @property
    def played_bytes(self) -> int:
        """What has sounded by now: what the device got, less what it still has."""
        with self._lock:
            self._settle()
            return self._playout.played_bytes

    @property
    def queued_bytes(self) -> int:
        """What waits, and what the device has that has not sounded."""
        with self._lock:
            self._settle()
            return self._ring.size_bytes + self._playout.unheard_bytes

    async def wait_played(self) -> None:
        """Wait until everything has sounded, or was flushed; cancelling it changes nothing.

        Call it in the event loop in which the speaker was started.

        Raises:
            DeviceError: The device has ended by itself, or was never started here.
        """
        while True:
            self._progress.clear()
            if not self.queued_bytes:
                return
            if self._ended or self._wakeup is None:
                raise DeviceError(
                    "The speaker does not play, so what waits will never have sounded; "
                    "start it (again) in this event loop, or flush it."
                )
            await self._progress.wait()

    def close(self) -> FlushedAudio:
        """Drop what waits, let the device sound what it has, and close it."""
        flushed = self.flush()
        stream, self._stream = self._stream, None
        if stream is not None:
            unplugged = self._ended
            # Without the lock: the device's thread may be about to take it.
            stream.stop()
            stream.close()
            with self._lock:
                if unplugged:
                    self._playout.forget()
                else:
                    self._untold = merged([*self._untold, *self._playout.settle(math.inf)])
            self._announce()
        return flushed

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _unit(self) -> int:
        return self.audio_format.sample_bytes

    def _fill(self, block: OutputBuffer, samples: int, info: TimeInfo, flags: Flags) -> None:
        """Fill a block: in the device's thread."""
        size = samples * self._unit
        now = self._clock()
        at = now + self._lead(info)
        with self._lock:
            self.underflows += flags.output_underflow
            data, portions = self._ring.take(size)
            self._playout.give(at, portions)
            self._untold = merged([*self._untold, *self._playout.settle(now)])
        block[:] = data.ljust(size, b"\0")
        if self._guard and data:
            self._guard.sounds(at, at + self.audio_format.milliseconds(len(data)) / 1000)
        self._announce()

    def _lead(self, info: TimeInfo) -> float:
        """Return in how many seconds a block sounds.

        Only the difference of the device's times is used: its clock stands still on some systems
        (PortAudio issues 498 and 586), and some say "now" (530), where its latency says more.
        """
        lead = info.outputBufferDacTime - info.currentTime
        return lead if lead > 0 else self._stream.latency if self._stream else 0.0

    def _settle(self) -> None:
        if self._stream is not None and not self._ended:
            self._untold = merged([*self._untold, *self._playout.settle(self._clock())])

    def _finish(self) -> None:
        """Note that the device has ended: in its thread."""
        self._ended = True
        self._announce()

    def _announce(self) -> None:
        if self._wakeup is not None:
            self._wakeup.ring()
        else:
            self._tell()

    def _tell(self) -> None:
        with self._lock:
            told, self._untold = self._untold, []
        if self._on_played is not None:
            for portion in told:
                self._on_played(portion.key, portion.size_bytes)
        if self._wakeup is not None:
            self._progress.set()
