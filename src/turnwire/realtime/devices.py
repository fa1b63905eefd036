"""A loudspeaker as the playhead of a session: what was heard is what the device has played."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from turnwire.errors import ConfigError

if TYPE_CHECKING:
    from turnwire.audio.devices import Speaker
    from turnwire.events.realtime import AudioFormat
    from turnwire.realtime.transport import RealtimeTransport

_SOON: Final = 0.01  # seconds: about a block, if the device should have ended by now


class SpeakerPlayhead:
    """Plays a session's audio on a speaker, and knows by the speaker what was heard.

    ::

        with Speaker() as speaker:
            playhead = SpeakerPlayhead(speaker)
            async with connect(playback=playhead) as rt:
                playing = asyncio.create_task(playhead.play(rt))
                ...

    An interruption drops what waits, at once and in the same step in which the transport decides.
    What the device has already sounds on for its latency and nobody can take it back, so that the
    server is told that it was heard.

    Args:
        speaker: For this session alone: it counts all that it plays.
    """

    def __init__(self, speaker: Speaker) -> None:
        self._speaker = speaker
        self._handed_over = 0  # bytes of the session's audio, without what flushes threw away
        self._settled = 0  # what of it was heard, or is certain to be, as of the last flush

    async def play(self, rt: RealtimeTransport) -> None:
        """Play what comes, until the session is closed; begin before anything can come.

        Cancelling stops it; what the speaker has by then it still plays.

        Raises:
            ConfigError: Some audio came before, or it is of another format than the speaker's.
            QueueFull: More than the speaker's ``limit_ms`` waits to be played.
            ConnectionLost: The session is lost for good.
        """
        if self._handed_over:
            raise ConfigError(
                "audio came before `play` was called, and nobody heard it; call `play` before"
                " anything asks for a response"
            )
        async for piece in rt.audio():
            # From taking a piece to playing it there is no wait, in which it could be interrupted.
            if rt.output_format != self._speaker.audio_format:
                raise ConfigError(
                    f"the session speaks {rt.output_format}, and the speaker takes"
                    f" {self._speaker.audio_format}; make them the same with `output_format`"
                )
            self._speaker.play(piece.data, key=piece.response_id)

    def handed_over(self, size_bytes: int, audio_format: AudioFormat, now: float) -> None:  # noqa: ARG002
        """Take note of audio that is to be played after all that came before."""
        self._handed_over += size_bytes

    def played_bytes(self, now: float) -> int:  # noqa: ARG002
        """Return how much has sounded since the start."""
        return max(self._settled, self._speaker.played_bytes)

    def flush(self, now: float, response_id: str | None = None) -> int:  # noqa: ARG002
        """Silence the speaker, or one response on it; return what was heard.

        What the device has already nobody can take back, so it counts as heard.
        """
        keys = () if response_id is None else (response_id,)
        self._settled = self._handed_over = self._speaker.flush(*keys).heard_bytes
        return self._settled

    def next_change(self, now: float) -> float | None:
        """Return when everything will have been played, as far as can be said."""
        unplayed = self._handed_over - self.played_bytes(now)
        if unplayed <= 0:
            return None
        return now + max(unplayed / self._speaker.audio_format.bytes_per_second, _SOON)
