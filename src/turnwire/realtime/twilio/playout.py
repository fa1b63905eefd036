"""What the caller hears: audio on its way to the line, and how much of it has been played.

The line takes all that it is given at once, and plays it in real time.  Marks between the audio
come back when they are reached.  Between two marks the time since the last one says how far it is,
but never beyond the next mark, nor beyond what was sent.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from turnwire.realtime.twilio.conversion import Conversion
from turnwire.realtime.twilio.events import Clear, Mark, Play
from turnwire.realtime.twilio.words import LINE, MESSAGE_BYTES

if TYPE_CHECKING:
    from turnwire.core.realtime.playback import Part
    from turnwire.events.realtime import AudioFormat
    from turnwire.realtime.twilio.events import Outgoing

_PREFIX: Final = "turnwire"
_POLL: Final = 0.02  # s; how soon to look again at a line that is late


class _Piece(NamedTuple):
    """Audio of the model's that may have to be played again; where it ends in what was given."""

    part: Part
    audio: bytes
    audio_format: AudioFormat
    end: int


@dataclass(slots=True)
class _Line:
    """What is known of the line since it was cleared last; bytes of its own format.

    Attributes:
        sent: How much it was given.
        marked: Where the last mark stands.
        reached: Where it was for sure,
        since: and when.
        position: Where it is reckoned to be; it never goes back.
    """

    sent: int = 0
    marked: int = 0
    reached: int = 0
    since: float = 0.0
    position: int = 0


class Playout:
    """A playhead that a remote player's marks move; and what that player is to be sent.

    Times are float seconds of one monotonic clock.

    Args:
        mark_ms: A mark follows each so many milliseconds of audio, at most.
        limit_bytes: How much audio may wait to be heard.

    Attributes:
        marks_sent: How many marks were sent.
        marks_ignored: How many of them came back after they had been cleared, or twice.
        overflowed: True once there was no room for some audio, which is lost.
    """

    def __init__(self, mark_ms: float = 100.0, limit_bytes: int = 16 * 2**20) -> None:
        self._mark_bytes = LINE.bytes_in(mark_ms)
        self._limit_bytes = limit_bytes
        self._generation = 1  # counts what `clear` separates
        self._line = _Line()
        self._pending: deque[tuple[str, int]] = deque()  # marks that were sent, and where
        self._conversion = Conversion()
        self._waiting = bytearray()  # not sent
        self._finished = False
        self._clears = False
        self._before = 0  # bytes of the model's that were played before the last clear
        self._format = LINE
        self._pieces: deque[_Piece] = deque()  # not known to be played, at least their ends
        self._pieces_bytes = 0
        self.marks_sent = 0
        self.marks_ignored = 0
        self.overflowed = False

    # What the model says.

    def play(self, part: Part, audio: bytes, audio_format: AudioFormat | None = None) -> None:
        """Have audio played behind all that came before.

        Args:
            part: Whose it is.
            audio: In the format that it was handed over with, or another one.
            audio_format: That other one.
        """
        if self._pieces_bytes + len(audio) > self._limit_bytes:
            self.overflowed = True
            return
        form = audio_format or self._format
        self._waiting += self._conversion.feed(audio, form)
        self._pieces.append(_Piece(part, audio, form, self._conversion.given))
        self._pieces_bytes += len(audio)
        self._finished = False

    def finish(self) -> None:
        """Nothing more comes for now: send what is too short for a message too."""
        self._waiting += self._conversion.flush()
        self._finished = True

    # What the line is sent, and what it says.

    def pull(self, now: float) -> Outgoing | None:
        """Return what is to be sent next; it counts as sent.  None: nothing is ready."""
        line = self._line
        if self._clears:
            self._clears = False
            return Clear()
        if line.sent - line.marked >= self._mark_bytes:
            line.marked = line.sent
            self.marks_sent += 1
            name = f"{_PREFIX}:{self._generation}:{line.sent}"
            self._pending.append((name, line.sent))
            return Mark(name)
        if len(self._waiting) < (1 if self._finished else MESSAGE_BYTES):
            return None
        if self._position(now) == line.sent:  # it is silent, and begins with this
            line.reached, line.since = line.sent, now
        audio = bytes(self._waiting[:MESSAGE_BYTES])
        del self._waiting[: len(audio)]
        line.sent += len(audio)
        return Play(audio)

    def echoed(self, name: str, now: float) -> bool:
        """Take a mark that came back; False if it is somebody else's."""
        if not name.startswith(f"{_PREFIX}:"):
            return False
        position = next((at for each, at in self._pending if each == name), None)
        if position is None:
            self.marks_ignored += 1
            return True
        while self._pending and self._pending[0][1] <= position:
            self._pending.popleft()
        line = self._line
        line.reached, line.since = position, now
        line.position = max(line.position, position)
        self._forget_played()
        return True

    def _position(self, now: float) -> int:
        """Return how far the line has come."""
        line = self._line
        limit = self._pending[0][1] if self._pending else line.sent
        reckoned = line.reached + LINE.bytes_in((now - line.since) * 1000)
        line.position = max(line.position, min(reckoned, limit))
        return line.position

    def _forget_played(self) -> None:
        played = self._conversion.model_bytes(self._line.position)
        while self._pieces and self._pieces[0].end <= played:
            self._pieces_bytes -= len(self._pieces.popleft().audio)

    # The playhead.

    def handed_over(self, size_bytes: int, audio_format: AudioFormat, now: float) -> None:  # noqa: ARG002
        """Take note of the format of the audio that comes next."""
        self._format = audio_format

    def played_bytes(self, now: float) -> int:
        """Return how much of the model's audio has been played since the start."""
        return self._before + self._conversion.model_bytes(self._position(now))

    def flush(self, now: float, response_id: str | None = None) -> int:
        """Have the line cleared before anything else; return how much was played.

        What others than the response have to say is played again from where it was.
        """
        played = self._conversion.model_bytes(self._position(now))
        others = [
            piece for piece in self._pieces if response_id not in (None, piece.part.response_id)
        ]
        self._clears = self._clears or self._line.sent > 0
        self._generation += 1
        self._line = _Line()
        self._before += played
        self._conversion = Conversion()
        self._pending.clear()
        self._waiting.clear()
        self._pieces.clear()
        self._pieces_bytes = 0
        for piece in others:
            left = min(piece.end - played, len(piece.audio))
            if left > 0:
                self.play(piece.part, piece.audio[-left:], piece.audio_format)
        if self._pieces:
            self.finish()  # perhaps nothing more comes of them
        return self._before

    def next_change(self, now: float) -> float | None:
        """Return when everything will have been played, as far as can be known now."""
        left = self._line.sent - self._position(now) + len(self._waiting)
        if left <= 0:
            return None
        return now + max(left / LINE.bytes_per_second, _POLL)
