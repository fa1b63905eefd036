"""What the user said that the server has not made an item of yet.

It is said again on the next socket, so that a sentence spoken across a drop arrives whole.
Positions are bytes since the socket's first, which is what the server's milliseconds count.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from turnwire.events.realtime import AudioFormat

_BEFORE_SPEECH_MS: Final = 1000.0  # padding and delay of a detector that has not spoken up yet
_ON_ITS_WAY: Final = 1.0  # seconds in which what was sent is heard, and told of


class _Turn(NamedTuple):
    """An end of what somebody said, of which the server has not made an item yet.

    Attributes:
        at: Its position.
        commit: The message of this side's that said so; empty if the server found it.
        cleared: Whether it is no turn: what lies between it and the turn before was cleared.
    """

    at: int
    commit: bytes = b""
    cleared: bool = False


class Journal:
    """The tail of what was sent.

    Args:
        audio_format: Of the audio.
        limit_ms: How much is kept.
    """

    def __init__(self, audio_format: AudioFormat, limit_ms: float) -> None:
        self._format = audio_format
        self._limit_bytes = audio_format.bytes_in(limit_ms)
        self._data = bytearray()
        self._end = 0  # position behind the last byte
        self._recent: deque[tuple[float, int]] = deque()  # when, and from where on, it was sent
        self._speech_from: int | None = None  # where the sentence that is being spoken begins
        self._turns: list[_Turn] = []  # in the order in which the server takes them

    @property
    def _start(self) -> int:
        return self._end - len(self._data)

    def sent(self, samples: bytes, now: float) -> None:
        """Note what was sent."""
        self.settle(now)
        self._recent.append((now, self._end))
        self._data += samples
        self._end += len(samples)
        excess = len(self._data) - self._limit_bytes
        if excess > 0:
            del self._data[: excess + -excess % self._format.sample_bytes]

    def settle(self, now: float) -> None:
        """Take what was sent long before for heard; asked for when the socket is left."""
        while self._recent and self._recent[0][0] <= now - _ON_ITS_WAY:
            self._recent.popleft()

    def speech_started(self, audio_start_ms: float) -> None:
        """The server hears somebody, from there on; its figure includes the padding."""
        self._speech_from = self._format.bytes_in(audio_start_ms)

    def speech_stopped(self, audio_end_ms: float) -> None:
        """The server no longer hears anybody; the item follows with ``committed``."""
        insort(self._turns, _Turn(self._format.bytes_in(audio_end_ms)))

    def commit_sent(self, commit: bytes) -> None:
        """A commit of this side's was sent behind what was sent so far."""
        self._turns.append(_Turn(self._end, commit))

    def commit_refused(self) -> None:
        """The server made no item of what this side committed: it was too short."""
        first = next((turn for turn in self._turns if turn.commit), None)
        if first is not None:
            self._turns.remove(first)
            self._skip_cleared()

    def committed(self) -> bytes:
        """The server made an item of it: forget what is in there, and return it."""
        end = self._turns.pop(0).at if self._turns else self._end
        begin = self._speech_from if self._speech_from is not None else self._start
        self._speech_from = None
        begin, end = max(begin, self._start), min(max(end, self._start), self._end)
        said = bytes(self._data[begin - self._start : end - self._start])
        del self._data[: end - self._start]
        self._skip_cleared()
        return said

    def cleared(self) -> None:
        """The buffer was cleared: turns that ended before stay, what came behind them does not."""
        if not self._turns:
            self._speech_from = None  # else it may be where the first of them begins
        self._turns.append(_Turn(self._end, cleared=True))
        self._skip_cleared()

    def _skip_cleared(self) -> None:
        """Forget what was cleared and has no turn before it any more."""
        while self._turns and self._turns[0].cleared:
            end = self._turns.pop(0).at
            del self._data[: max(0, end - self._start)]

    def in_format(self, audio_format: AudioFormat) -> Journal:
        """Return an empty one that goes on at the same time, for audio in another format."""
        limit_ms = self._format.milliseconds(self._limit_bytes)
        journal = Journal(audio_format, limit_ms)
        journal._end = audio_format.bytes_in(self._format.milliseconds(self._end))
        return journal

    def take(self, *, detected: bool) -> list[tuple[bytes, bytes]]:
        """Return what is to be said again, and begin anew: audio, and the commit behind it if any.

        Args:
            detected: Whether the server detects speech; if so, silence is not said again but for
                the little in which speech may have begun: the last second, and what was sent in
                the second before the socket was lost, however long that sounds.
        """
        begin = self._start
        if self._speech_from is not None:
            begin = max(begin, self._speech_from)
        elif detected and not self._turns:
            quiet = self._end - self._format.bytes_in(_BEFORE_SPEECH_MS)
            begin = max(begin, min([quiet, *(start for _, start in self._recent)]))
        again: list[tuple[bytes, bytes]] = []
        ends = [turn for turn in self._turns if turn.commit or turn.cleared]
        for turn in (*ends, _Turn(self._end)):
            at = min(max(turn.at, begin), self._end)
            if not turn.cleared:
                audio = bytes(self._data[begin - self._start : at - self._start])
                again.append((audio, turn.commit))
            begin = at
        self._end, self._speech_from = 0, None
        self._data.clear()
        self._recent.clear()
        self._turns.clear()
        return again
