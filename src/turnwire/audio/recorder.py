"""Both sides of a call on one time line, as a stereo wav file."""

from __future__ import annotations

import os
import wave
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Self

from turnwire.audio.formats import pcm16
from turnwire.audio.tones import samples_of, samples_to_bytes
from turnwire.audio.track import Track
from turnwire.events.realtime.audio_format import PCM16, AudioFormat

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SAMPLE_BYTES = 2


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at a moment of the recording.

    Attributes:
        at: Seconds since the beginning of the recording.
        name: What it was, in your words.
    """

    at: float
    name: str


class Recorder:
    """What the user said and what the user heard, each at its time.

    Times are seconds of any clock that does not jump; ``start`` is its reading at the beginning.
    Each side is a track of its own:

    * What begins later than the track ends has silence before it.
    * What begins earlier follows what is there: audio that arrives faster than it sounds queues
      up, as it does at a speaker.  A track is never mixed with itself.
    * A difference below ``slack_ms`` is none, so that jitter does not tear speech apart.
    * What was before ``start`` begins at ``start``.

    Up to ``memory_bytes`` a track are kept in memory, the rest in a temporary file that goes with
    the recorder: use it in a ``with`` block, or :meth:`close` it.

    Args:
        user: The format of what the user says.
        assistant: The format of what is played to the user.
        start: The clock's reading at the beginning, in seconds.
        slack_ms: Which gap is still jitter, in milliseconds.
        limit_s: How long a recording may become, in seconds.
        memory_bytes: From which size on a track is in a file, in bytes.

    Attributes:
        user, assistant: The tracks.
        marks: What happened, in the order in which it was told.
    """

    def __init__(
        self,
        user: AudioFormat = PCM16,
        assistant: AudioFormat = PCM16,
        *,
        start: float = 0.0,
        slack_ms: float = 40.0,
        limit_s: float = 4 * 3600.0,
        memory_bytes: int = 8 << 20,
    ) -> None:
        self.start = start
        self.marks: list[Mark] = []
        self.user = Track(user, slack_ms=slack_ms, limit_s=limit_s, memory_bytes=memory_bytes)
        self.assistant = Track(
            assistant, slack_ms=slack_ms, limit_s=limit_s, memory_bytes=memory_bytes
        )

    @property
    def seconds(self) -> float:
        """How long the recording is: its longer side."""
        return max(self.user.seconds, self.assistant.seconds)

    def heard_from_user(self, at: float, data: bytes) -> None:
        """Add what the user said, beginning at ``at``.

        Raises:
            ConfigError: The recording would become longer than ``limit_s``.
        """
        self.user.add(at - self.start, data)

    def played_to_user(self, at: float, data: bytes) -> None:
        """Add what begins to play at ``at``, or once what is there has been played.

        Raises:
            ConfigError: The recording would become longer than ``limit_s``.
        """
        self.assistant.add(at - self.start, data)

    def cut(self, at: float, name: str = "cut") -> float:
        """Take away what was not played by ``at``, because somebody interrupted, and mark it.

        Returns:
            How much that was, in seconds.
        """
        self.mark(at, name)
        return self.assistant.cut(at - self.start)

    def mark(self, at: float, name: str) -> None:
        """Remember that something happened at ``at``; see :attr:`marks`."""
        self.marks.append(Mark(max(0.0, at - self.start), name))

    def write(self, path: str | os.PathLike[str], *, rate: int = PCM16.rate) -> None:
        """Write what there is by now: stereo PCM16, the user left, the assistant right.

        The shorter side ends with silence.  It can be called again later.

        Args:
            path: The file; one that exists is replaced.
            rate: Samples a second of the file; sides in another format need ``turnwire[audio]``.
        """
        with wave.open(os.fspath(path), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(_SAMPLE_BYTES)
            file.setframerate(rate)
            for left, right in self.blocks(rate):
                file.writeframesraw(_interleaved(left, right))

    def blocks(self, rate: int = PCM16.rate) -> Iterator[tuple[bytes, bytes]]:
        """Yield both sides second by second as PCM16 of ``rate``, equally long.

        Nothing may be added meanwhile.
        """
        second = rate * _SAMPLE_BYTES
        sides = (
            _pieces(_converted(track, pcm16(rate)), second) for track in (self.user, self.assistant)
        )
        for left, right in zip_longest(*sides, fillvalue=b""):
            longer = max(len(left), len(right))
            yield left.ljust(longer, b"\0"), right.ljust(longer, b"\0")

    def close(self) -> None:
        """Remove the temporary files; there is nothing to write any more."""
        self.user.close()
        self.assistant.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _converted(track: Track, target: AudioFormat) -> Iterator[bytes]:
    if track.audio_format == target:
        yield from track.blocks()
        return
    # Here, because only this needs the extra.
    from turnwire.audio.resampling import Resampler  # noqa: PLC0415

    resampler = Resampler(track.audio_format, target)
    for block in track.blocks():
        yield resampler.feed(block)
    yield resampler.flush()


def _pieces(blocks: Iterable[bytes], size_bytes: int) -> Iterator[bytes]:
    """Cut a stream into pieces of one size; the last is what remains."""
    waiting = b""
    for block in blocks:
        waiting += block
        while len(waiting) >= size_bytes:
            yield waiting[:size_bytes]
            waiting = waiting[size_bytes:]
    if waiting:
        yield waiting


def _interleaved(left: bytes, right: bytes) -> bytes:
    both = samples_of(left + right)  # as long as what comes out
    both[0::2], both[1::2] = samples_of(left), samples_of(right)
    return samples_to_bytes(both)
