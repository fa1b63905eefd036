"""Audio: formats, conversion, files, devices; nothing here knows the Realtime protocol.

Everything is bytes of one :class:`AudioFormat`, mono.  :class:`Resampler` and :func:`resample`
need ``turnwire[audio]``, and a :class:`Speaker` or :class:`Microphone` needs
``turnwire[devices]`` once it is opened; the rest needs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from turnwire.audio.devices import (
    DeviceError,
    EchoGuard,
    FlushedAudio,
    FlushedPart,
    Microphone,
    Speaker,
)
from turnwire.audio.formats import pcm16
from turnwire.audio.recorder import Mark, Recorder
from turnwire.audio.ring import Portion, Ring
from turnwire.audio.tones import peaks, rms, tone
from turnwire.audio.wav import WavSource, write_wav
from turnwire.events.realtime.audio_format import PCM16, PCMA, PCMU, AudioFormat

if TYPE_CHECKING:
    from turnwire.audio.resampling import Resampler as Resampler
    from turnwire.audio.resampling import resample as resample

# Without the last two, which need an extra: with them `import *` would fail for whoever has not
# installed that.
__all__ = [
    "PCM16",
    "PCMA",
    "PCMU",
    "AudioFormat",
    "DeviceError",
    "EchoGuard",
    "FlushedAudio",
    "FlushedPart",
    "Mark",
    "Microphone",
    "Portion",
    "Recorder",
    "Ring",
    "Speaker",
    "WavSource",
    "pcm16",
    "peaks",
    "rms",
    "tone",
    "write_wav",
]

if not TYPE_CHECKING:  # for checkers of types a name that does not exist stays an error

    def __getattr__(name: str) -> object:
        """Import what needs an extra when it is first asked for."""
        if name not in {"Resampler", "resample"}:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module("turnwire.audio.resampling"), name)
