"""Server-sent events: one answer, written event by event to a client that must keep up."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from turnwire.gateway.config.settings import Settings
    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.observing.statistics import Statistics

_log = logging.getLogger(__name__)


class EventStream:
    """An answer that is begun with ``open`` and grows with each ``write``."""

    def __init__(self, request: web.Request, settings: Settings, statistics: Statistics) -> None:
        self._request = request
        self._settings = settings
        self._statistics = statistics
        self.answer = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        )

    @property
    def opened(self) -> bool:
        """True once the status is sent: what goes wrong now can be said as an event alone."""
        return self.answer.prepared

    async def open(self) -> None:
        """Send the status and the headers, once."""
        if not self.opened:
            await self.answer.prepare(self._request)

    async def write(self, kind: str, data: bytes) -> None:
        """Send an event.

        Raises:
            TimeoutError: The client took nothing for ``stall_timeout``.
            ConnectionError: The client is gone.
        """
        await self.open()
        message = b"event: %s\ndata: %s\n\n" % (kind.encode(), data)
        self._statistics.bytes_out += len(message)
        async with asyncio.timeout(self._settings.stall_timeout):
            await self.answer.write(message)


@asynccontextmanager
async def event_stream(
    request: web.Request, settings: Settings, statistics: Statistics
) -> AsyncGenerator[EventStream]:
    """End the answer after the block; break it off if the block fails after it was opened.

    A client that has gone is nobody to complain to, and no mistake: it goes no further.
    """
    stream = EventStream(request, settings, statistics)
    try:
        yield stream
        await stream.answer.write_eof()
    except Exception as error:
        if not stream.opened:
            raise  # it can still be said with a status
        if not isinstance(error, ConnectionError):
            _log.warning("a stream of events was broken off", exc_info=error)
        if request.transport is not None:
            request.transport.abort()


def flat_error(event: Json) -> Json:
    """Return an ``error`` event in the shape that HTTP streams have."""
    error: Json = event["error"]
    return {
        "type": "error",
        "code": error.get("code"),
        "message": error["message"],
        "param": error.get("param"),
    }
