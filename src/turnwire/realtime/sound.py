"""The user's audio, on its way to the session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from turnwire.core.realtime.uplink import NoRoom
from turnwire.errors import ConfigError, QueueFull
from turnwire.realtime.answers import error_of
from turnwire.realtime.wishing import Wishing

if TYPE_CHECKING:
    from turnwire.events.realtime.base64_codec import Buffer


class Sound(Wishing):
    """What is said aloud."""

    _is_muted: bool

    @property
    def muted(self) -> bool:
        """Whether ``send_audio`` drops what it is given."""
        return self._is_muted

    def mute(self, muted: bool = True) -> None:  # noqa: FBT001, FBT002  # the field's own spelling
        """Drop the user's audio from now on, or no longer; what waits to be sent is sent."""
        self._is_muted = muted

    @property
    def backlog_ms(self) -> float:
        """How many milliseconds of audio wait to be sent."""
        return self._machine.backlog_ms

    def send_audio(self, audio: Buffer, *, commit: bool = False) -> None:
        """Send audio of the user's, in the session's input format.

        It is cut and joined into messages of a sensible length.  While a lost session is opened
        anew it waits, up to 30 seconds of it.

        Args:
            audio: Any number of bytes; half a sample waits for its other half.
            commit: Make an item of it, for sessions without turn detection.

        Raises:
            ConnectionLost: The session is closed, or lost for good.
            QueueFull: The backlog is full and ``overflow`` is not ``drop_oldest``, or this piece
                is longer than anything that may wait; nothing was taken.
            ConfigError: The session is a sideband, it is no audio, or too little to commit.
        """
        self._check_open()
        if not self._machine.settings.receives_audio:
            raise ConfigError("a sideband (`call_id`) has no audio; the call itself has")
        samples = _bytes_of(audio)
        if not self._is_muted:
            self._append(samples)
        if commit:
            self.commit()

    def _append(self, audio: bytes) -> None:
        try:
            self._machine.append(audio, self._now())
        except NoRoom:
            settings = self._machine.settings
            audio_format = self._machine.configuration.input_format
            more_ms, limit_ms = audio_format.milliseconds(len(audio)), settings.backlog_ms
            message = (
                f"{self.backlog_ms:.0f} ms of audio wait to be sent, and {more_ms:.0f} ms more do"
                f" not fit: the limit is {limit_ms:g} ms (`backlog_ms`), or"
                f" {settings.journal_ms:g} ms without a socket; use `feed`, which"
                " waits for room, or raise `backlog_ms`"
            )
            limit_bytes = audio_format.bytes_in(limit_ms)
            raise QueueFull(message, limit_bytes=limit_bytes) from None
        self._act()

    async def feed(self, audio: Buffer) -> None:
        """Send audio and wait for room where there is none: for files rather than microphones.

        Cancelling leaves what was taken so far.

        Raises:
            ConnectionLost: The session is closed, or lost for good.
        """
        samples = memoryview(_bytes_of(audio))  # of which the rest is not copied for each piece
        while samples:
            self._check_open()
            whole = self._machine.room_bytes()
            whole -= whole % self._machine.configuration.input_format.sample_bytes
            if whole <= 0:
                await self._inbox.changed.wait()
                continue
            piece, samples = samples[:whole], samples[whole:]
            self.send_audio(bytes(piece))

    def commit(self) -> None:
        """Make an item of the audio since the last commit, for sessions without turn detection.

        Raises:
            ConfigError: It is less than 100 ms, which the server would refuse.
            ConnectionLost: The session is closed, or lost for good.
        """
        self._check_open()
        failure = self._wish(self._machine.commit)
        if failure is not None:
            raise error_of(failure)
        self._act()

    def clear(self) -> None:
        """Forget the audio since the last commit, here and there."""
        self._check_open()
        self._wish(self._machine.clear)
        self._act()


def _bytes_of(audio: Buffer) -> bytes:
    try:
        return audio if isinstance(audio, bytes) else memoryview(audio).tobytes()
    except TypeError:
        raise ConfigError(f"audio is bytes, not {type(audio).__name__}") from None
