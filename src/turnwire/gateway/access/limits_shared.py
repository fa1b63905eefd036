"""What a key may use of several processes together: a table in memory that all of them see.

It is one file without a name, which whoever starts the processes hands to each of them.  Who
changes a row has its lock, which the system takes from a process that dies.  Sockets and running
turns stand in a column for each worker, so that those of one that died can be given back; each
bucket is one number, so that no row is ever half written.
"""

from __future__ import annotations

import fcntl
import mmap
import tempfile
from contextlib import ExitStack, contextmanager
from typing import IO, TYPE_CHECKING, Final

from turnwire.errors import ConfigError
from turnwire.gateway.access.limits import Allowance
from turnwire.gateway.config.tables import Limits

if TYPE_CHECKING:
    from collections.abc import Generator

    from turnwire.gateway.access.limits import OverLimit

_NUMBER: Final = 8  # bytes of one
_BUCKETS: Final = 2  # requests and tokens: when each will be full
_COUNTS: Final = 2  # for each worker: sockets and running turns


class LimitTable:
    """A row for each key.

    Args:
        file: Its descriptor, which has to stay open.
        rows: How many keys.
        workers: How many processes, numbered from 1.
    """

    def __init__(self, file: int, rows: int, workers: int) -> None:
        self._file = file
        self._rows = rows
        self._workers = workers
        self._width = _BUCKETS + _COUNTS * workers
        self._memory = mmap.mmap(file, _size(rows, workers))
        self._numbers = memoryview(self._memory).cast("d")

    def allowance(self, row: int, worker: int, limits: Limits) -> Allowance:
        """Return what is left of the limits of a key, for the process of this number."""
        if limits == Limits():
            return Allowance(limits)  # nothing to be shared
        return _SharedAllowance(limits, self, row, worker)

    def free(self, worker: int) -> None:
        """Give back the sockets and turns of a worker that has ended."""
        for row in range(self._rows):
            with self.held(row):
                self.count(row, worker, 0, 0)

    @contextmanager
    def held(self, row: int) -> Generator[None]:
        """Let no other process at a row; they wait some millionths of a second."""
        fcntl.lockf(self._file, fcntl.LOCK_EX, 1, row)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, row)

    def full_at(self, row: int) -> tuple[float, float]:
        """Return when the buckets of requests and of tokens will be full."""
        start = row * self._width
        return self._numbers[start], self._numbers[start + 1]

    def fill_at(self, row: int, requests: float, tokens: float) -> None:
        """Note when they will be full."""
        start = row * self._width
        self._numbers[start] = requests
        self._numbers[start + 1] = tokens

    def counted(self, row: int) -> tuple[int, int]:
        """Return the sockets and the running turns of all workers."""
        start, end = row * self._width + _BUCKETS, (row + 1) * self._width
        counts = self._numbers[start:end]
        return int(sum(counts[::_COUNTS])), int(sum(counts[1::_COUNTS]))

    def count(self, row: int, worker: int, sockets: int, active_turns: int) -> None:
        """Note the sockets and the running turns of one worker."""
        start = row * self._width + _BUCKETS + _COUNTS * (worker - 1)
        self._numbers[start] = sockets
        self._numbers[start + 1] = active_turns

    def close(self) -> None:
        """Let go of the memory."""
        self._numbers.release()
        self._memory.close()


@contextmanager
def limit_table(rows: int, workers: int) -> Generator[tuple[LimitTable, int]]:
    """Make an empty table, and the descriptor by which other processes share it.

    Nothing of it is left once the last process that has it ends.

    Raises:
        ConfigError: There is no room for it where temporary files are.
    """
    with ExitStack() as open_files:
        try:
            file: IO[bytes] = open_files.enter_context(tempfile.TemporaryFile())
            file.write(bytes(_size(rows, workers)))  # or a full disk would show only in the middle
            file.flush()
        except OSError as error:
            raise ConfigError(
                f"the limits need a temporary file: {error.strerror or error}; make room in"
                f" {tempfile.gettempdir()}, or name another folder in TMPDIR"
            ) from error
        table = LimitTable(file.fileno(), rows, workers)
        try:
            yield table, file.fileno()
        finally:
            table.close()


def _size(rows: int, workers: int) -> int:
    return rows * (_BUCKETS + _COUNTS * workers) * _NUMBER


class _SharedAllowance(Allowance):
    """Decides as for one process, of what the table says, and writes there what became of it.

    Times have to be of the machine's monotonic clock, which all processes have in common.
    """

    def __init__(self, limits: Limits, table: LimitTable, row: int, worker: int) -> None:
        super().__init__(limits)
        self._table = table
        self._row = row
        self._worker = worker
        self._own = (0, 0)

    def open_socket(self) -> OverLimit | None:
        with self._counts():
            return super().open_socket()

    def close_socket(self) -> None:
        with self._counts():
            super().close_socket()

    def begin_turn(self, now: float) -> OverLimit | None:
        with self._counts(), self._buckets(now):
            return super().begin_turn(now)

    def end_turn(self, tokens: int, now: float) -> None:
        with self._counts(), self._buckets(now):
            super().end_turn(tokens, now)

    @contextmanager
    def _counts(self) -> Generator[None]:
        table, row = self._table, self._row
        with table.held(row):
            sockets, turns = self.sockets, self.active_turns = table.counted(row)
            yield
            own_sockets, own_turns = self._own
            self._own = own_sockets + self.sockets - sockets, own_turns + self.active_turns - turns
            table.count(row, self._worker, *self._own)

    @contextmanager
    def _buckets(self, now: float) -> Generator[None]:
        """Only while the row is held."""
        table, row = self._table, self._row
        requests, tokens = table.full_at(row)
        self._requests.fill_at(requests, now)
        self._tokens.fill_at(tokens, now)
        yield
        table.fill_at(row, self._requests.full_at, self._tokens.full_at)
