"""A loudspeaker without hardware: it asks for sound in real time, and keeps what it sounded."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.audio.devices.portaudio import Flags, OutputBuffer, SoundDevice, TimeInfo

BLOCK_MS: Final = 256 * 1000 / 24_000  # a usual size of sound cards
_SAMPLE_BYTES: Final = 2


@dataclass(frozen=True, slots=True)
class _Times:
    """What PortAudio tells with a block; its names."""

    inputBufferAdcTime: float  # noqa: N815
    outputBufferDacTime: float  # noqa: N815
    currentTime: float  # noqa: N815


@dataclass(frozen=True, slots=True)
class _Flags:
    input_overflow: bool = False
    output_underflow: bool = False


class Loudspeaker:
    """Stands in for sounddevice and for the ear that listens.

    A block is asked for one block before it sounds, as with two buffers.

    Attributes:
        began: When the first block sounded, in seconds of ``time.monotonic``.
    """

    def __init__(self) -> None:
        self.began = 0.0
        self._sounded: list[bytes] = []

    @property
    def library(self) -> SoundDevice:
        """Itself, as the package that it stands in for."""
        return cast("SoundDevice", self)

    @property
    def sounded(self) -> bytes:
        """All that was heard, silence too, since ``began``."""
        return b"".join(self._sounded)

    PortAudioError: Final = OSError

    def RawOutputStream(self, **options: object) -> _Stream:  # noqa: N802  # sounddevice's own
        """Open the device."""
        fill = cast("Callable[[OutputBuffer, int, TimeInfo, Flags], None]", options["callback"])
        return _Stream(self, fill, cast("int", options["blocksize"]))

    def sound(self, at: float, block: bytes) -> None:
        """Let a block be heard."""
        if not self._sounded:
            self.began = at
        self._sounded.append(block)


class _Stream:
    """The device's thread."""

    def __init__(
        self,
        loudspeaker: Loudspeaker,
        fill: Callable[[OutputBuffer, int, TimeInfo, Flags], None],
        samples: int,
    ) -> None:
        self.latency = BLOCK_MS / 1000
        self._loudspeaker = loudspeaker
        self._fill = fill
        self._samples = samples
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="loudspeaker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def close(self) -> None:
        """Nothing is left to close."""

    def _run(self) -> None:
        began = time.monotonic()
        for number in count():
            due = began + number * self.latency
            if self._stopped.wait(max(0.0, due - time.monotonic())):
                return
            block = bytearray(self._samples * _SAMPLE_BYTES)
            sounds_at = due + self.latency
            times = _Times(0.0, sounds_at, time.monotonic())
            self._fill(memoryview(block), self._samples, times, _Flags())
            self._loudspeaker.sound(sounds_at, bytes(block))
