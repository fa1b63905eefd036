"""The file of a recording: private, and written line by line.

Each line goes to the system in one piece before what it tells of goes on its way: whoever kills
the process loses the line that is being written, and nothing else.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from turnwire.errors import ConfigError
from turnwire.recording.lines import AnyLine, Header, Stopped

if TYPE_CHECKING:
    from collections.abc import Callable

_LAST_LINE_BYTES: Final = 128  # kept free for `Stopped`

FULL: Final = "max_bytes"
UNWRITABLE: Final = "cannot be written"
ASKED: Final = "asked"


class RecordingFile:
    """Appends lines until it is stopped, or full.

    It writes at once and waits for the disk, so that no line can overtake another.

    Args:
        path: Where; nothing may be there.
        header: The first line.
        max_bytes: How large the file may become.
        ended: Called with the reason if it takes no more lines before anybody stopped it.
        clock: Tells the time in seconds, from any start.

    Attributes:
        size_bytes: What was written.
        stopped: Why nothing more is written: ``asked``, ``max_bytes``, ``cannot be written``; None
            while it is.

    Raises:
        ConfigError: It cannot be made.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        header: Header,
        *,
        max_bytes: int,
        ended: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.size_bytes = 0
        self.stopped: str | None = None
        self._max_bytes = max_bytes
        self._ended = ended
        self._clock = clock
        self._started = clock()
        self._descriptor = _create(path)
        if self._write(msgspec.json.encode(header) + b"\n", max_bytes) is not None:
            os.close(self._descriptor)
            Path(path).unlink()
            raise ConfigError(
                f"no room for even the first line in {max_bytes} bytes and on this disk: give more"
            )

    def now(self) -> float:
        """Return the seconds since the start, to the microsecond."""
        return round(self._clock() - self._started, 6)

    def add(self, line: AnyLine) -> None:
        """Append a line; without room for it, it is the end of the recording."""
        if self.stopped is not None:
            return
        data = msgspec.json.encode(line) + b"\n"
        failure = self._write(data, self._max_bytes - _LAST_LINE_BYTES)
        if failure is not None:
            self.stop(failure)
            self._ended(failure)

    def stop(self, reason: str = ASKED) -> None:
        """Say why and close; does nothing the second time."""
        if self.stopped is not None:
            return
        self.stopped = reason
        last = Stopped(at=self.now(), reason=reason)
        self._write(msgspec.json.encode(last) + b"\n", self._max_bytes)
        os.close(self._descriptor)

    def _write(self, data: bytes, limit_bytes: int) -> str | None:
        """Write in one go; else leave nothing, and say why."""
        if self.size_bytes + len(data) > limit_bytes:
            return FULL
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self.size_bytes)
            return UNWRITABLE
        self.size_bytes += len(data)
        return None


def _create(path: str | os.PathLike[str]) -> int:
    """Make a file that nobody else may read.

    Raises:
        ConfigError: There is one, or it cannot be made.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
    try:
        return os.open(path, flags, 0o600)
    except FileExistsError:
        raise ConfigError(
            f"{os.fspath(path)} exists, and a recording overwrites nothing: name another file"
        ) from None
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ConfigError(f"cannot write {os.fspath(path)}: {why}; name another file") from None
