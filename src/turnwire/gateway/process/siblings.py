"""A worker's way to the figures of the others: it asks the process that started them all."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from turnwire.gateway.observing.figures import SiblingsUnknown, Whole
from turnwire.gateway.process.messages import Answer, Ask, Told, send, to_worker

if TYPE_CHECKING:
    import socket
    from asyncio import Future, StreamReader, StreamWriter
    from collections.abc import AsyncGenerator

    from turnwire.gateway.server import Gateway

_log = logging.getLogger(__name__)

_PATIENCE: Final = 4.0  # seconds; more than a gathering may take, and the one before it


class WorkerSiblings:
    """See ``Siblings``.

    Args:
        number: Of this worker, from 1.
        count: Of all of them.
    """

    def __init__(self, number: int, count: int) -> None:
        self.number = number
        self.count = count
        self._writer: StreamWriter | None = None
        self._one_at_a_time = asyncio.Lock()
        self._answer: Future[Whole] | None = None
        self._last: Whole | None = None
        self._last_at = 0.0

    @asynccontextmanager
    async def connected(self, gateway: Gateway, connection: socket.socket) -> AsyncGenerator[None]:
        """Answer for this worker, and ask for the others, while the block runs."""
        reader, writer = await asyncio.open_connection(sock=connection)
        self._writer = writer
        listening = asyncio.create_task(self._listen(gateway, reader, writer))
        try:
            yield
        finally:
            self._writer = None
            listening.cancel()
            await asyncio.wait([listening])
            writer.transport.abort()  # nobody waits for what has not been sent

    async def whole(self, *, bars: bool, seconds_old: float = 0.0) -> Whole:
        """Return the figures of all workers.

        Raises:
            SiblingsUnknown: Nobody told in time.
        """
        time = asyncio.get_running_loop().time
        async with self._one_at_a_time:
            if self._last is not None and time() - self._last_at < seconds_old:
                return self._last
            whole = await self._asked(bars=bars)
            if bars:
                self._last, self._last_at = whole, time()
            return whole

    async def _asked(self, *, bars: bool) -> Whole:
        try:
            async with asyncio.timeout(_PATIENCE):
                if self._answer is not None:  # perhaps to somebody who has left since
                    await asyncio.wait([self._answer])
                if self._writer is None:
                    raise _unknown()
                self._answer = asyncio.get_running_loop().create_future()
                send(self._writer, Ask(bars))
                return await asyncio.shield(self._answer)
        except TimeoutError:
            raise _unknown() from None

    async def _listen(self, gateway: Gateway, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            while True:
                match await to_worker(reader):
                    case Answer(whole):
                        if self._answer is not None and not self._answer.done():
                            self._answer.set_result(whole)
                    case tell:
                        send(writer, Told(gateway.figures(bars=tell.bars)))
        except (EOFError, OSError):
            self._writer = None  # whoever started this process is gone; it will drain and end
        except Exception:  # noqa: BLE001  # it goes on serving
            self._writer = None
            _log.exception("this worker no longer says how it is")


def _unknown() -> SiblingsUnknown:
    return SiblingsUnknown(
        "The process that started the workers does not say how they are. Try again; if it stays"
        " so, look into its log and restart the gateway."
    )
