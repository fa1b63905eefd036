"""How much of the audio has been played: told by the player, or reckoned from a clock.

A playhead counts bytes of one stream: all audio that is played, in the order in which it was handed
over.  What a flush throws away was never part of that stream.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.events.realtime.audio_format import AudioFormat

_ROUNDING: Final = 1e-3  # samples; far more than the error of a difference of two clock readings


class Playhead(Protocol):
    """Knows how much of the audio that was handed over has been played.

    Times are float seconds of one monotonic clock.
    """

    def handed_over(self, size_bytes: int, audio_format: AudioFormat, now: float) -> None:
        """Take note of audio that is to be played after all that came before."""
        ...

    def played_bytes(self, now: float) -> int:
        """Return how much has been played since the start; it never falls between two flushes."""
        ...

    def flush(self, now: float, response_id: str | None = None) -> int:
        """Stop and forget what has not been played.

        Args:
            now: The time.
            response_id: Only this response is to be silent.  What others have to say and nobody has
                heard stays to be played, and is handed over again after this, in its order.

        Returns:
            What had been played, since the start; it may correct what was said before.
        """
        ...

    def next_change(self, now: float) -> float | None:
        """Return when everything will have been played; None if all is, or if nobody knows."""
        ...


class _Span(NamedTuple):
    """Audio of one format that is played without a gap.

    Attributes:
        start: When its first byte is heard.
        size_bytes: How long it is.
        audio_format: How fast it goes.
    """

    start: float
    size_bytes: int
    audio_format: AudioFormat

    @property
    def end(self) -> float:
        return self.start + self.size_bytes / self.audio_format.bytes_per_second

    def played(self, now: float) -> int:
        """Return how many of its bytes have been heard, in whole samples."""
        if now >= self.end:
            return self.size_bytes
        samples = int((now - self.start) * self.audio_format.rate + _ROUNDING)
        return min(max(samples * self.audio_format.sample_bytes, 0), self.size_bytes)


class VirtualClock:
    """Reckons: a chunk starts when it arrives, or when the chunk before it has ended.

    So items follow each other, and where audio comes too late the playhead waits for it.

    Args:
        output_latency_ms: Milliseconds from handing over until a sound can be heard.

    Raises:
        ValueError: The latency is negative.
    """

    def __init__(self, output_latency_ms: float = 0.0) -> None:
        if output_latency_ms < 0:
            raise ValueError("`output_latency_ms` must be zero or more")
        self._latency = output_latency_ms / 1000
        self._spans: deque[_Span] = deque()  # what is not known to be played
        self._before_spans = 0  # bytes

    def handed_over(self, size_bytes: int, audio_format: AudioFormat, now: float) -> None:
        """Take note of audio that is played after all that came before."""
        self._forget_played(now)
        start = now + self._latency
        if self._spans and (last := self._spans[-1]).end > start:
            if last.audio_format == audio_format:
                self._spans[-1] = last._replace(size_bytes=last.size_bytes + size_bytes)
                return
            start = last.end
        self._spans.append(_Span(start, size_bytes, audio_format))

    def played_bytes(self, now: float) -> int:
        """Return how much has been played since the start."""
        self._forget_played(now)
        return self._before_spans + (self._spans[0].played(now) if self._spans else 0)

    def flush(self, now: float, response_id: str | None = None) -> int:  # noqa: ARG002
        """Stop and forget what has not been played; return what has."""
        self._before_spans = self.played_bytes(now)
        self._spans.clear()
        return self._before_spans

    def next_change(self, now: float) -> float | None:
        """Return when everything will have been played, None if it has been."""
        self._forget_played(now)
        return self._spans[-1].end if self._spans else None

    def _forget_played(self, now: float) -> None:
        while self._spans and self._spans[0].end <= now:
            self._before_spans += self._spans.popleft().size_bytes


class Reported:
    """Is told: by the device, the caller, a remote player's marks, or a consumer that pulls.

    Args:
        stop: Stops the player, and returns how many bytes it has really played since the start;
            what a flush threw away does not count.  Without it what was reported last is true.
    """

    def __init__(self, stop: Callable[[], int] | None = None) -> None:
        self._stop = stop
        self._handed_over: int = 0
        self._played: int = 0
        self._flushed_at: int = 0  # what was played before cannot be corrected
        self._flushes = 0

    @property
    def flushes(self) -> int:
        """How often it was flushed; a report that is older than the last flush says so with it."""
        return self._flushes

    def report(self, size_bytes: int, *, flushes: int | None = None) -> None:
        """Say that so much more has been played.

        Args:
            size_bytes: How much more; beyond what was handed over nothing counts.
            flushes: `flushes` when that audio was handed over; a report from before a flush is
                ignored, for what it speaks of has been settled.  None: it is new.

        Raises:
            ValueError: The size is negative.
        """
        if size_bytes < 0:
            raise ValueError("`size_bytes` is how much more was played: zero or more")
        self.report_total(self._played + size_bytes, flushes=flushes)

    def report_total(self, size_bytes: int, *, flushes: int | None = None) -> None:
        """Say how much has been played since the start; less than before is ignored.

        Args:
            size_bytes: How much, without what flushes threw away.
            flushes: As for `report`.
        """
        if flushes is None or flushes == self._flushes:
            self._played = max(self._played, min(size_bytes, self._handed_over))

    def handed_over(self, size_bytes: int, audio_format: AudioFormat, now: float) -> None:  # noqa: ARG002
        """Take note of audio that is to be played after all that came before."""
        self._handed_over += size_bytes

    def played_bytes(self, now: float) -> int:  # noqa: ARG002
        """Return how much has been played since the start."""
        return self._played

    def flush(self, now: float, response_id: str | None = None) -> int:  # noqa: ARG002
        """Stop the player and forget what it has not played; return what it has."""
        if self._stop is not None:
            self._played = min(max(self._stop(), self._flushed_at), self._handed_over)
        self._handed_over = self._flushed_at = self._played
        self._flushes += 1
        return self._played

    def next_change(self, now: float) -> float | None:  # noqa: ARG002
        """Return None: the player's reports are the only news."""
        return None
