"""Several processes on one port: started, restarted when one dies, and drained together.

Each binds the port itself, with ``SO_REUSEPORT``, and the system spreads what comes over them.
This process serves nobody; it holds the port, so that it stays the same while workers come and go.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import signal
import socket
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from turnwire.errors import ConfigError
from turnwire.gateway.access.limits_shared import limit_table
from turnwire.gateway.process.gathering import Gathering
from turnwire.gateway.process.ports import reserved_port
from turnwire.gateway.process.worker import Order, Report, rows_of
from turnwire.gateway.server import url_of

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable, Generator

    from turnwire.gateway.access.limits_shared import LimitTable
    from turnwire.gateway.config.tables import Config

_log = logging.getLogger(__name__)

_FIRST_PAUSE: Final = 0.1  # seconds
_LONGEST_PAUSE: Final = 30.0
# What a worker gets beyond its own deadline, for closing files and sockets.
_GRACE: Final = 10.0
# -P as for the installed command: the current folder is not searched for modules.
_COMMAND: Final = ("-P", "-m", "turnwire.gateway.process.worker")


def restart_pause(failures: int) -> float:
    """Return the seconds to wait before a worker is started again.

    Args:
        failures: How often in a row it ended soon after its start.
    """
    return min(_FIRST_PAUSE * 2.0 ** min(failures, 30), _LONGEST_PAUSE)


async def serve_workers(
    config: Config, *, on_ready: Callable[[str], object], log_level: str = "warning"
) -> int:
    """Serve with ``config.workers`` processes until SIGINT or SIGTERM.

    The signal is passed on to all of them, and each drains; a second one stops them at once.

    Args:
        config: One in which ``mistakes_in`` finds nothing.
        on_ready: Called with the root URL once all of them listen.
        log_level: What they log on stderr.

    Returns:
        How many turns they have served.

    Raises:
        ConfigError: The port cannot be bound or shared, or a worker cannot start.
    """
    with reserved_port(config.server.host, config.server.port) as port:
        server = dataclasses.replace(config.server, port=port)
        url = url_of(server.host, port, tls=config.tls is not None)
        with limit_table(rows_of(config), config.workers) as (table, file):
            order = Order(msgspec.structs.replace(config, server=server), 0, log_level, -1, file)
            return await _Workers(order, table).run(lambda: on_ready(url))


@dataclass(frozen=True, slots=True)
class _Worker:
    """A worker that runs.

    Attributes:
        listening: Takes its figures, and ends soon after it.
    """

    number: int
    listening: asyncio.Task[None]


class _Workers:
    def __init__(self, order: Order, table: LimitTable) -> None:
        self._order = order
        self._config = order.config
        self._table = table
        self._gathering = Gathering(order.config.workers)
        self._running: dict[Process, _Worker] = {}
        self._stopping = asyncio.Event()
        self._turns = 0

    async def run(self, on_ready: Callable[[], object]) -> int:
        with self._passing_signals_on():
            try:
                first = await self._start_all()
                if not self._stopping.is_set():
                    on_ready()
                async with self._gathering.running(), asyncio.TaskGroup() as group:
                    for number, process in enumerate(first, 1):
                        group.create_task(self._keep(number, process))
            finally:
                self._signal(signal.SIGKILL)  # there are none left, unless this failed
        return self._turns

    async def _start_all(self) -> list[Process]:
        starting = [self._start(number) for number in range(1, self._config.workers + 1)]
        started = await asyncio.gather(*starting, return_exceptions=True)
        failed = [each for each in started if isinstance(each, BaseException)]
        if failed:
            self._stop()
            await asyncio.gather(*map(self._end, tuple(self._running)))
            raise failed[0]
        return [each for each in started if not isinstance(each, BaseException)]

    async def _start(self, number: int) -> Process:
        """Start a worker and wait until it listens, or has been stopped before it did.

        Raises:
            ConfigError: It cannot start.
        """
        ours, theirs = socket.socketpair()
        connection = theirs.fileno()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *_COMMAND,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                pass_fds=(connection, self._order.limits),
                start_new_session=True,  # Ctrl-C reaches this process alone, which passes it on
            )
        listening = asyncio.create_task(self._gathering.listen(number, process.pid, ours))
        self._running[process] = _Worker(number, listening)
        if self._stopping.is_set():
            process.terminate()
        assert process.stdin is not None  # a pipe, see above
        order = msgspec.structs.replace(self._order, number=number, connection=connection)
        process.stdin.write(msgspec.json.encode(order) + b"\n")
        report = await _report_of(process)
        if not report.ready and not self._stopping.is_set():
            await self._end(process)
            raise ConfigError(report.failure or f"worker {number} ended before it could serve")
        return process

    async def _keep(self, number: int, process: Process) -> None:
        """Have a worker of this number until all are to stop."""
        time = asyncio.get_running_loop().time
        failures = 0
        while True:
            started = time()
            await self._end(process)
            if time() - started > _LONGEST_PAUSE:
                failures = 0
            reason = f"ended with status {process.returncode}"
            while not await self._stopped_within(restart_pause(failures)):
                failures += 1
                _log.error("worker %d %s; it is started again", number, reason)
                try:
                    process = await self._start(number)
                    break
                except ConfigError as error:
                    reason = f"cannot start: {error}"
            else:
                return

    async def _end(self, process: Process) -> None:
        """Wait for the end of a worker, count its turns, and give back what it held."""
        report = await _report_of(process)
        self._turns += report.turns
        await process.wait()
        worker = self._running.pop(process)
        self._table.free(worker.number)
        await worker.listening

    async def _stopped_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        return self._stopping.is_set()

    @contextmanager
    def _passing_signals_on(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGINT, signal.SIGTERM)
        for number in numbers:
            loop.add_signal_handler(number, self._stop)
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)

    def _stop(self) -> None:
        if not self._stopping.is_set():
            limit = self._config.server.drain_timeout + _GRACE
            asyncio.get_running_loop().call_later(limit, self._signal, signal.SIGKILL)
        self._stopping.set()
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._running:
            with suppress(ProcessLookupError):
                process.send_signal(number)


async def _report_of(process: Process) -> Report:
    """Return the next thing that a worker says; an empty report if it ends instead."""
    assert process.stdout is not None  # a pipe, see `_start`
    line = await process.stdout.readline()
    return msgspec.json.decode(line, type=Report) if line else Report()
