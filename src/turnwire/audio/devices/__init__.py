"""A microphone and a speaker through PortAudio: needs ``turnwire[devices]`` when it opens them.

``Playout`` and ``EchoGuard`` are decisions with the time as an argument; ``Speaker`` and
``Microphone`` put them behind the device's thread.
"""

from turnwire.audio.devices.echo import EchoGuard
from turnwire.audio.devices.microphone import Microphone
from turnwire.audio.devices.playout import FlushedAudio, FlushedPart, Playout
from turnwire.audio.devices.speaker import Speaker
from turnwire.errors import DeviceError

__all__ = [
    "DeviceError",
    "EchoGuard",
    "FlushedAudio",
    "FlushedPart",
    "Microphone",
    "Playout",
    "Speaker",
]
