"""The figures of all workers, gathered by the process that started them when one of them asks.

Each is asked anew for every gathering, so that nothing is counted while nobody looks.  What a
worker has last told is kept: its counts stand in for it if it does not answer in time, and stay
when it ends.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from turnwire.gateway.observing.adding import NOTHING, added, counts_of, left_behind
from turnwire.gateway.observing.figures import Figures, Whole
from turnwire.gateway.process.messages import Answer, Ask, Tell, Told, from_worker, send

if TYPE_CHECKING:
    import socket
    from asyncio import StreamReader, StreamWriter
    from collections.abc import AsyncGenerator, Callable

_log = logging.getLogger(__name__)

_PATIENCE: Final = 1.0  # seconds for a worker's answer


class _Line:
    """The connection to one worker."""

    def __init__(self, process: int, writer: StreamWriter) -> None:
        self.process = process
        self.last = NOTHING
        self._writer = writer
        self._telling: asyncio.Future[None] | None = None

    def told(self, figures: Figures) -> None:
        self.last = figures
        if self._telling is not None and not self._telling.done():
            self._telling.set_result(None)

    async def tells(self, *, bars: bool) -> bool:
        """Say whether it has told its figures in time; one that is silent is not asked twice."""
        if self._telling is None or self._telling.done():
            self._telling = asyncio.get_running_loop().create_future()
            send(self._writer, Tell(bars))
        await asyncio.wait([self._telling], timeout=_PATIENCE)
        return self._telling.done() and not self._telling.cancelled()

    def answer(self, whole: Whole) -> None:
        send(self._writer, Answer(whole))

    def ended(self) -> None:
        if self._telling is not None:
            self._telling.cancel()


class Gathering:
    """Adds up what the workers tell.

    Args:
        workers: How many there are to be.
        clock: Returns seconds that never go back.
    """

    def __init__(self, workers: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._workers = workers
        self._clock = clock
        self._started = clock()
        self._lines: dict[int, _Line] = {}
        self._left_behind = NOTHING
        self._asking: dict[_Line, bool] = {}
        self._asked = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Answer those who ask while the block runs."""
        answering = asyncio.create_task(self._answer_all())
        try:
            yield
        finally:
            answering.cancel()
            await asyncio.wait([answering])

    async def listen(self, number: int, process: int, connection: socket.socket) -> None:
        """Take what a worker says until its end; keep its counts then."""
        reader, writer = await asyncio.open_connection(sock=connection)
        line = self._lines[number] = _Line(process, writer)
        try:
            await self._listen(line, reader)
        except (EOFError, OSError):
            pass  # it has ended
        except Exception:  # noqa: BLE001  # only its figures are lost
            _log.exception("worker %d says what cannot be understood", number)
        finally:
            line.ended()
            del self._lines[number]
            self._asking.pop(line, None)
            self._left_behind = left_behind(self._left_behind, line.last)
            writer.transport.abort()

    async def _listen(self, line: _Line, reader: StreamReader) -> None:
        while True:
            match await from_worker(reader):
                case Told(figures):
                    line.told(figures)
                case Ask(bars):
                    self._asking[line] = bars
                    self._asked.set()

    async def _answer_all(self) -> None:
        """Gather for all who have asked, one time after the other."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            asking, self._asking = self._asking, {}
            try:
                whole = await self.whole(bars=any(asking.values()))
            except Exception:  # noqa: BLE001  # the next time it may go well; who has asked gives up by itself
                _log.exception("the figures of the workers cannot be added up")
                continue
            for line in asking.keys() & {*self._lines.values()}:
                line.answer(whole)

    async def whole(self, *, bars: bool) -> Whole:
        """Ask all workers, and add up what they tell."""
        lines = dict(self._lines)
        told = await asyncio.gather(*(line.tells(bars=bars) for line in lines.values()))
        answering: dict[int, int] = {}
        parts: list[Figures] = []
        for (number, line), fresh in zip(lines.items(), told, strict=True):
            if self._lines.get(number) is not line:
                continue  # it ended meanwhile, and has left its counts behind
            if fresh:
                answering[number] = line.process
            parts.append(line.last if fresh else counts_of(line.last))
        figures = added((self._left_behind, *parts))
        return Whole(
            replace(figures, uptime=self._clock() - self._started), self._workers, answering
        )
