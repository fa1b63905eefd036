"""The user's audio on its way to the server: what waits, what was sent, what must survive.

Audio waits as samples and is cut into messages when the socket takes one, so that dropping the
oldest means dropping samples, and short pieces become messages of a sensible length.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from turnwire.core.realtime.journal import Journal

if TYPE_CHECKING:
    from turnwire.core.realtime.settings import RealtimeSettings
    from turnwire.events.realtime import AudioFormat

LEAST_COMMIT_MS: Final = 100.0  # the server takes no shorter turn: facts of its error code
_MILLISECONDS: Final = 1000.0


@dataclass(slots=True)
class Samples:
    """Audio that waits; ``since`` when its first byte came."""

    data: bytearray
    since: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A message that keeps its place in the audio.

    Attributes:
        message: The message.
        commits: Whether it makes an item of the audio before it.
        is_audios: Whether it is about the audio alone, and so goes to another socket with it;
            what else is to be said there, that socket is told anyway.
    """

    message: bytes
    commits: bool = False
    is_audios: bool = False


class NoRoom(Exception):  # a value on its way to the caller
    """Too much waits to be sent already; nothing was taken, and nothing was changed."""


class Uplink:
    """What is to be heard by the server.

    Args:
        settings: The transport's limits.
        audio_format: Of the audio.
    """

    def __init__(self, settings: RealtimeSettings, audio_format: AudioFormat) -> None:
        self._settings = settings
        self._format = audio_format
        self._queue: deque[Samples | Mark] = deque()
        self._half: bytes = b""  # of a sample
        self._waiting_bytes = 0
        self.marks_bytes = 0  # of messages that keep their places in the audio
        self._allowed_bytes = 0  # above the limit, after a gap in which nothing could be sent
        self._short_since: float | None = None  # when what was too short to be sent came
        self._uncommitted_bytes = 0
        self._commits_asked = 0  # and not answered
        self.journal = Journal(audio_format, settings.journal_ms)
        self.live = False
        self.sent_ms = 0.0
        self.dropped_ms = 0.0

    @property
    def audio_format(self) -> AudioFormat:
        """The format of what is sent."""
        return self._format

    def change_format(self, audio_format: AudioFormat) -> float:
        """Take audio in another format from now on.

        Returns:
            Milliseconds in the old format that wait, and are dropped: nobody would understand them.
        """
        if audio_format == self._format:
            return 0.0
        dropped_ms = self._drop(self._waiting_bytes)
        self._half, self._uncommitted_bytes, self._allowed_bytes = b"", 0, 0
        self._format, self.journal = audio_format, self.journal.in_format(audio_format)
        return dropped_ms

    @property
    def backlog_ms(self) -> float:
        """How much audio waits."""
        return self._format.milliseconds(self._waiting_bytes)

    @property
    def uncommitted_ms(self) -> float:
        """How much audio was given since the last commit, sent or not."""
        return self._format.milliseconds(self._uncommitted_bytes)

    @property
    def has_mark(self) -> bool:
        """True while a message waits in its place in the audio."""
        return any(type(one) is Mark for one in self._queue)

    def room_bytes(self) -> int:
        """Return how much may be given without anything being dropped."""
        return max(0, self._limit_bytes() - self._waiting_bytes)

    def _limit_bytes(self) -> int:
        usual = self._settings.backlog_ms if self.live else self._settings.journal_ms
        return self._format.bytes_in(usual) + self._allowed_bytes

    def append(self, audio: bytes, now: float) -> float:
        """Take audio; return how many milliseconds of older audio had to be dropped for it.

        Raises:
            NoRoom: The limit is reached, and the policy is not to drop, or this piece alone is
                longer than anything that is kept; nothing was taken.
        """
        audio = self._half + audio
        odd = len(audio) % self._format.sample_bytes
        excess = self._waiting_bytes + len(audio) - odd - self._limit_bytes()
        longest = self._format.bytes_in(self._settings.journal_ms)
        if excess > 0 and (self._settings.overflow != "drop_oldest" or len(audio) > longest):
            raise NoRoom
        dropped_ms = self._drop(min(excess, self._waiting_bytes)) if excess > 0 else 0.0
        audio, self._half = audio[: len(audio) - odd], audio[len(audio) - odd :]
        last = self._queue[-1] if self._queue else None
        if isinstance(last, Samples):
            last.data += audio
        elif audio:
            self._queue.append(Samples(bytearray(audio), now))
        self._waiting_bytes += len(audio)
        self._uncommitted_bytes += len(audio)
        return dropped_ms

    def _drop(self, size_bytes: int) -> float:
        """Drop the oldest samples; commits among them stay."""
        size_bytes += -size_bytes % self._format.sample_bytes
        kept: deque[Samples | Mark] = deque()
        left, commits = size_bytes, sum(1 for one in self._queue if _commits(one))
        for one in self._queue:
            commits -= _commits(one)
            if isinstance(one, Samples) and left:
                cut = min(left, len(one.data))
                del one.data[:cut]
                left -= cut
                if not commits:
                    self._uncommitted_bytes -= cut
                if not one.data:
                    continue
            kept.append(one)
        self._queue = kept
        dropped = size_bytes - left
        self._waiting_bytes -= dropped
        self._allowed_bytes = min(self._allowed_bytes, self._waiting_bytes)
        dropped_ms = self._format.milliseconds(dropped)
        self.dropped_ms += dropped_ms
        return dropped_ms

    def mark(self, message: bytes, *, commits: bool = False, is_audios: bool = False) -> None:
        """Have a message written behind the audio that waits now.

        A commit drops half a sample that waits for its other half: that would be the next turn's.
        """
        self._queue.append(Mark(message, commits, is_audios))
        self.marks_bytes += len(message)
        if commits:
            self._half, self._uncommitted_bytes = b"", 0
            self._commits_asked += 1

    def committed(self) -> bytes:
        """Note that the server made an item of what it heard; return the audio of it, if known."""
        if self._commits_asked:  # what came after the commit may have been sent already
            self._commits_asked -= 1
        else:
            self._uncommitted_bytes = min(self._uncommitted_bytes, self._waiting_bytes)
        return self.journal.committed()

    def clear(self) -> None:
        """Drop what waits and was not committed, as ``input_audio_buffer.clear`` asks."""
        self._half, self._uncommitted_bytes = b"", 0
        behind: deque[Samples | Mark] = deque()
        while self._queue and not _commits(self._queue[-1]):
            last = self._queue.pop()
            if isinstance(last, Samples):
                self._waiting_bytes -= len(last.data)
            else:
                behind.appendleft(last)
        if not self._queue:  # else all that was sent belongs to a turn that is committed soon
            self.journal.cleared()
        self._queue.extend(behind)
        self._allowed_bytes = min(self._allowed_bytes, self._waiting_bytes)

    def lost(self, now: float) -> None:
        """Nothing can be sent for now: wait for the next socket, with the journal's room."""
        self.live, self._allowed_bytes = False, 0
        self.journal.settle(now)

    def restart(self, now: float, *, detected: bool) -> float:
        """Begin on a new socket with what an old one heard of the user's sentence.

        Args:
            now: The time.
            detected: Whether the server detects speech.

        Returns:
            Milliseconds that are said again.
        """
        waiting = [one for one in self._queue if isinstance(one, Samples) or one.is_audios]
        self._queue.clear()
        size_bytes = 0
        if self.live:  # until now
            self.journal.settle(now)
        for audio, commit in self.journal.take(detected=detected):
            size_bytes += len(audio)
            if audio:
                self._queue.append(Samples(bytearray(audio), now))
            if commit:
                self._queue.append(Mark(commit, commits=True, is_audios=True))
        self._queue.extend(waiting)
        self._commits_asked = sum(1 for one in self._queue if _commits(one))
        self.marks_bytes = sum(len(one.message) for one in self._queue if isinstance(one, Mark))
        self._waiting_bytes += size_bytes
        self._allowed_bytes = self._waiting_bytes
        self.live, self._short_since = True, None
        return self._format.milliseconds(size_bytes)

    def due(self) -> float | None:
        """Return when what was too short to be sent is to be sent nevertheless, or None."""
        if self._short_since is None:
            return None
        return self._short_since + self._settings.chunk_ms[0] / _MILLISECONDS

    def is_due(self, now: float) -> bool:
        """Say, once, that what was too short is to be sent now."""
        due = self.due()
        if due is None or now < due:
            return False
        self._short_since = None
        return True

    def pull(self, now: float) -> bytes | Mark | None:
        """Return the samples or the message to be written next, or None to wait."""
        self._short_since = None
        if not self._queue:
            return None
        first = self._queue[0]
        if isinstance(first, Mark):
            self._queue.popleft()
            self.marks_bytes -= len(first.message)
            if first.commits:
                self.journal.commit_sent(first.message)
            return first
        least, most = (self._format.bytes_in(ms) for ms in self._settings.chunk_ms)
        short = len(first.data) < least and len(self._queue) == 1
        if short and now < first.since + self._settings.chunk_ms[0] / _MILLISECONDS:
            self._short_since = first.since
            return None
        samples = bytes(first.data[:most])
        del first.data[:most]
        first.since = now
        if not first.data:
            self._queue.popleft()
        self._waiting_bytes -= len(samples)
        self._allowed_bytes = min(self._allowed_bytes, self._waiting_bytes)
        self.sent_ms += self._format.milliseconds(len(samples))
        self.journal.sent(samples, now)
        return samples


def _commits(one: Samples | Mark) -> bool:
    return isinstance(one, Mark) and one.commits
