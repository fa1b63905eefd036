"""A way to a server that takes time: a TCP proxy that delays bytes and counts them.

What it models: half a round trip each way, and one round trip before a new connection can carry its
first byte (TCP's handshake; TLS would add one or two more).  What it does not model: bandwidth,
TCP's slow start, loss.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from turnwire.cli.demo.counts import ByteCounts

IN_FLIGHT_BYTES: Final = 64 * 2**20
_PIECE_BYTES: Final = 256 * 1024
_END: Final = b""


class DelayLine:
    """Pieces of one direction on their way: in order, each late by the same delay.

    Args:
        delay: Seconds.
        opens_at: When the first piece may enter.
    """

    def __init__(self, delay: float, opens_at: float = 0.0) -> None:
        self._delay = delay
        self._opens_at = opens_at
        self._pieces: deque[tuple[float, bytes]] = deque()
        self.size_bytes = 0

    def put(self, piece: bytes, now: float) -> None:
        """Send a piece on its way."""
        self._pieces.append((max(now, self._opens_at) + self._delay, piece))
        self.size_bytes += len(piece)

    def take_arrived(self, now: float) -> list[bytes]:
        """Return the pieces that have arrived, in order."""
        arrived: list[bytes] = []
        while self._pieces and self._pieces[0][0] <= now:
            arrived.append(self._pieces.popleft()[1])
        self.size_bytes -= sum(map(len, arrived))
        return arrived

    def next_arrival(self) -> float | None:
        """Return when the next piece arrives, or None if nothing is on its way."""
        return self._pieces[0][0] if self._pieces else None


class Link:
    """A port on loopback from which everything goes to another one, slowly.

    Args:
        port: Where it leads to.
        rtt: Seconds for a round trip.
        counts: Where bytes are counted.
    """

    def __init__(self, port: int, *, rtt: float, counts: ByteCounts) -> None:
        self._target = port
        self._rtt = rtt
        self._counts = counts
        self._server: asyncio.Server | None = None
        self._crossings: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None  # `async with` enters before it exits
        self._server.close()
        for crossing in self._crossings:
            crossing.cancel()
        await asyncio.gather(*self._crossings, return_exceptions=True)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        crossing = asyncio.create_task(self._cross(reader, writer))
        self._crossings.add(crossing)
        crossing.add_done_callback(self._crossings.discard)

    async def _cross(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection, both ways, until both ends are through or one breaks."""
        now = asyncio.get_running_loop().time()
        there, back = DelayLine(self._rtt / 2, now + self._rtt), DelayLine(self._rtt / 2)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(_close, writer)
            try:
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            except OSError:
                return  # the client sees a connection that ends
            stack.push_async_callback(_close, far_writer)
            try:
                async with asyncio.TaskGroup() as group:
                    for direction in (
                        _Direction(reader, far_writer, there, self._counts.count_sent),
                        _Direction(far_reader, writer, back, self._counts.count_received),
                    ):
                        group.create_task(direction.fill())
                        group.create_task(direction.empty())
            except* OSError:
                pass  # one end is gone: so is the connection


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


class _Direction:
    """One direction of a connection: a reader, a delay line, a writer."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        line: DelayLine,
        count: Callable[[int], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._line = line
        self._count = count
        self._time = asyncio.get_running_loop().time
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()

    async def fill(self) -> None:
        while True:
            piece = await self._reader.read(_PIECE_BYTES)
            self._count(len(piece))
            self._line.put(piece, self._time())
            self._filled.set()
            if piece == _END:
                return
            while self._line.size_bytes > IN_FLIGHT_BYTES:
                self._emptied.clear()
                await self._emptied.wait()

    async def empty(self) -> None:
        while True:
            for piece in self._line.take_arrived(self._time()):
                if piece == _END:
                    self._writer.write_eof()
                    return
                self._writer.write(piece)
                await self._writer.drain()
            self._emptied.set()
            next_arrival = self._line.next_arrival()
            if next_arrival is None:
                self._filled.clear()
                await self._filled.wait()
            else:
                await asyncio.sleep(next_arrival - self._time())
