"""The format of files and devices: PCM16 of any rate."""

from __future__ import annotations

from turnwire.errors import ConfigError
from turnwire.events.realtime.audio_format import PCM16, AudioFormat


def pcm16(rate: int) -> AudioFormat:
    """Return PCM16 (mono, signed 16 bits, little-endian) of ``rate`` samples a second.

    Raises:
        ConfigError: The rate is not positive.
    """
    if rate <= 0:
        raise ConfigError(f"{rate} is no sample rate; sound has a positive one, such as 24000.")
    return AudioFormat(PCM16.type, rate)


def require_pcm16(audio_format: AudioFormat, who: str) -> None:
    """Refuse what only a :class:`~turnwire.audio.resampling.Resampler` understands.

    Raises:
        ConfigError: It is not PCM16.
    """
    if audio_format.type != PCM16.type:
        raise ConfigError(
            f"{who} takes PCM16, and this is {audio_format.type}; "
            "convert it with turnwire.audio.Resampler."
        )
