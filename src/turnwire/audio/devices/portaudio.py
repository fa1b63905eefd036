"""What is used of the package sounddevice, which has no types, and how it is missed."""

from __future__ import annotations

from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Literal, Protocol, cast

from turnwire.errors import DeviceError
from turnwire.extras import needs

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    Device = int | str | None
    Latency = float | Literal["low", "high"]


class TimeInfo(Protocol):
    """When a block sounds or was heard, in seconds of its stream's clock; 0 if nobody knows."""

    @property
    def inputBufferAdcTime(self) -> float: ...  # noqa: N802, D102 - PortAudio's own
    @property
    def outputBufferDacTime(self) -> float: ...  # noqa: N802, D102
    @property
    def currentTime(self) -> float: ...  # noqa: N802, D102


class Flags(Protocol):
    """What went wrong since the last block."""

    @property
    def input_overflow(self) -> bool: ...  # noqa: D102 - PortAudio's own
    @property
    def output_underflow(self) -> bool: ...  # noqa: D102


class OutputBuffer(Protocol):
    """A block to fill: its whole size, at once."""

    def __setitem__(self, key: slice, value: bytes, /) -> None: ...


class Stream(Protocol):
    """A device that is open."""

    @property
    def latency(self) -> float:
        """Seconds between the program and the air."""
        ...

    def start(self) -> None: ...  # noqa: D102 - PortAudio's own
    def stop(self) -> None: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


class SoundDevice(Protocol):
    """The package: what opens devices."""

    @property
    def PortAudioError(self) -> type[Exception]: ...  # noqa: N802, D102 - sounddevice's own

    def RawOutputStream(  # noqa: N802, D102
        self,
        *,
        samplerate: int,
        blocksize: int,
        dtype: str,
        device: Device,
        latency: Latency,
        callback: Callable[[OutputBuffer, int, TimeInfo, Flags], None],
        finished_callback: Callable[[], None],
        **tracks: int,  # `channels`, a word that means something else here
    ) -> Stream: ...

    def RawInputStream(  # noqa: N802, D102
        self,
        *,
        samplerate: int,
        blocksize: int,
        dtype: str,
        device: Device,
        latency: Latency,
        callback: Callable[[bytes, int, TimeInfo, Flags], None],
        finished_callback: Callable[[], None],
        **tracks: int,  # `channels`, a word that means something else here
    ) -> Stream: ...


def sound_device() -> SoundDevice:
    """Import sounddevice.

    Raises:
        ImportError: It is not installed: ``pip install "turnwire[devices]"``.
        DeviceError: The library PortAudio is not installed.
    """
    try:
        with needs("devices", "sounddevice", module="turnwire.audio.devices"):
            module = import_module("sounddevice")
    except OSError as error:
        raise DeviceError(
            f"sounddevice found no PortAudio ({error}); install the library, "
            "which Debian and Ubuntu call libportaudio2."
        ) from error
    return cast("SoundDevice", module)


def begin(stream: Stream) -> Stream:
    """Start a device, or close it if that fails."""
    try:
        stream.start()
    except BaseException:
        stream.close()
        raise
    return stream


@contextmanager
def opening(library: SoundDevice, what: str, device: Device) -> Generator[None]:
    """Say in our words that a device cannot be opened.

    Raises:
        DeviceError: Something inside of ``with`` failed as sounddevice fails.
    """
    try:
        yield
    # ValueError: no device has this name, or several have.
    except (library.PortAudioError, ValueError) as error:
        which = "the default one" if device is None else repr(device)
        raise DeviceError(
            f"The {what} cannot be opened ({which}): {error}; "
            "`python -m sounddevice` lists what there is."
        ) from error
