"""The one writer of a client's socket.

As long as the client reads, a plain function writes, once for all that came in one turn of the
loop.  A task is there only while the client is behind, for messages that are compressed, and to
close the socket.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, Literal

from aiohttp import WSMsgType

from turnwire.gateway.downstream.text_messages import text_messages

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.abc import AbstractStreamWriter

    from turnwire.gateway.downstream.outbox import Outbox
    from turnwire.gateway.observing.statistics import Statistics

_log = logging.getLogger(__name__)

_PIECE_BYTES: Final = 2**16  # of one write: as much as asyncio lets wait before it says so


class SocketWriter:
    """Writes from its creation until ``end``.

    Args:
        outbox: What to write; nobody else takes from it.
        socket: Its upgrade was answered.
        stall_timeout: Seconds without any progress before the client is given up.
    """

    __slots__ = (
        "_loop", "_outbox", "_request", "_socket", "_stall_timeout", "_statistics", "_stream",
        "_task", "_woken",
    )  # fmt: skip

    def __init__(
        self,
        outbox: Outbox,
        request: web.Request,
        socket: web.WebSocketResponse[Literal[False]],
        stream: AbstractStreamWriter,
        statistics: Statistics,
        *,
        stall_timeout: float,
    ) -> None:
        self._outbox = outbox
        self._request = request
        self._socket = socket
        self._stream = stream
        self._statistics = statistics
        self._stall_timeout = stall_timeout
        self._loop = asyncio.get_running_loop()
        self._woken = False
        self._task: asyncio.Task[None] | None = None
        outbox.news = self._wake
        self._wake()

    async def end(self) -> None:
        """Write nothing more; but if the socket is being closed, do that."""
        task = self._task
        if self._outbox.close_code is None:
            self._outbox.abandon()
            if task is not None:
                task.cancel()
        if task is not None:
            await asyncio.gather(task, return_exceptions=True)

    def _wake(self) -> None:
        if not self._woken:
            self._woken = True
            self._loop.call_soon(self._write)

    def _write(self) -> None:
        self._woken = False
        if self._task is not None:
            return  # it comes to that
        try:
            self._write_plain()
        except ConnectionError:
            self._outbox.abandon()  # the reader is told, too
        if self._outbox or self._outbox.close_code is not None:
            self._task = self._loop.create_task(self._write_patiently())

    def _write_plain(self) -> None:
        """Write until all is out, or the client is behind."""
        protocol = self._request.protocol
        while not (self._socket.compress or protocol.writing_paused):
            messages = self._outbox.take(_PIECE_BYTES)
            if not messages:
                return
            transport = self._request.transport
            if transport is None or transport.is_closing() or self._socket.closed:
                raise ConnectionResetError
            transport.write(text_messages(messages))
            self._written(messages)

    async def _write_compressed(self) -> None:
        messages = self._outbox.take(_PIECE_BYTES)
        for message in messages:
            await self._socket.send_frame(message, WSMsgType.TEXT)
        self._written(messages)

    def _written(self, messages: list[bytes]) -> None:
        size_bytes = sum(map(len, messages))
        self._outbox.written(size_bytes)
        self._statistics.bytes_out += size_bytes

    async def _write_patiently(self) -> None:
        is_well = False
        try:
            while self._outbox:
                async with asyncio.timeout(self._stall_timeout):
                    await self._stream.drain()
                if self._socket.compress:
                    await self._write_compressed()
                else:
                    self._write_plain()
            if self._outbox.close_code is not None:
                reason = self._outbox.close_reason.encode()
                await self._socket.close(code=self._outbox.close_code, message=reason)
            is_well = True
        except TimeoutError:
            _log.warning("a client read nothing for too long; its socket was dropped")
            if self._request.transport is not None:
                self._request.transport.abort()
        except ConnectionError:
            pass  # the reader is told, too
        finally:
            self._task = None
            if not is_well:
                self._outbox.abandon()
