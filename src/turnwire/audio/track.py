"""One side of a recording: audio at its time, in memory and then in a temporary file."""

from __future__ import annotations

from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING

from turnwire.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from turnwire.events.realtime.audio_format import AudioFormat

_BLOCK_BYTES = 64 << 10


class Track:
    """Audio of one format on a time line that begins at zero; rules: :class:`Recorder`.

    Args:
        audio_format: The format of all of it.
        slack_ms: Which gap is still jitter, in milliseconds.
        limit_s: How long it may become, in seconds.
        memory_bytes: From which size on it is in a file.
    """

    def __init__(
        self, audio_format: AudioFormat, *, slack_ms: float, limit_s: float, memory_bytes: int
    ) -> None:
        self.audio_format = audio_format
        self.size_bytes = 0
        self._slack_bytes = audio_format.bytes_in(slack_ms)
        self._limit_bytes = audio_format.bytes_in(limit_s * 1000)
        self._partial = b""
        self._file: SpooledTemporaryFile[bytes] = SpooledTemporaryFile(max_size=memory_bytes)  # noqa: SIM115 - close() closes it

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.size_bytes / self.audio_format.bytes_per_second

    def add(self, at: float, data: bytes) -> None:
        """Add audio that begins at ``at`` seconds, or else at the end.

        Half a sample at the end of ``data`` waits for its other half, which begins the next piece.

        Raises:
            ConfigError: It would become longer than its limit; nothing was added.
        """
        data = self._partial + data
        gap = max(0, self._position(at) - self.size_bytes)
        if self.size_bytes and gap < self._slack_bytes:
            gap = 0
        self._check(gap + len(data), at)
        whole = len(data) - len(data) % self.audio_format.sample_bytes
        self._partial = data[whole:]
        for start in range(0, gap, _BLOCK_BYTES):
            self._write(self.audio_format.silence * min(_BLOCK_BYTES, gap - start))
        self._write(data[:whole])

    def cut(self, at: float) -> float:
        """Take away what is behind ``at``; return how many seconds that were."""
        keep = max(0, min(self._position(at), self.size_bytes))
        gone = self.size_bytes - keep
        self._partial = b""
        self.size_bytes = keep  # what comes next is written over the rest
        return gone / self.audio_format.bytes_per_second

    def blocks(self) -> Iterator[bytes]:
        """Yield what there is, from the beginning, in pieces of at most 64 KiB."""
        for start in range(0, self.size_bytes, _BLOCK_BYTES):
            self._file.seek(start)
            yield self._file.read(min(_BLOCK_BYTES, self.size_bytes - start))

    def close(self) -> None:
        """Forget everything."""
        self.size_bytes = 0
        self._file.close()

    def _position(self, at: float) -> int:
        return round(at * self.audio_format.rate) * self.audio_format.sample_bytes

    def _check(self, more_bytes: int, at: float) -> None:
        if self.size_bytes + more_bytes > self._limit_bytes:
            limit = self.audio_format.milliseconds(self._limit_bytes) / 1000
            raise ConfigError(
                f"Audio at {at:.1f} s makes the recording longer than its {limit:.0f} s; raise "
                "`limit_s`, or give the clock's reading at the beginning as `start`."
            )

    def _write(self, data: bytes) -> None:
        self._file.seek(self.size_bytes)
        self._file.write(data)
        self.size_bytes += len(data)
