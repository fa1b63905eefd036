"""A create over HTTP: a stream of server-sent events, or one JSON document.

The same turns as on a socket; only the way out differs.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from turnwire.events import encode
from turnwire.gateway.json_shapes import Json, is_object
from turnwire.gateway.refusal import RequestRefused, refused_by_event

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from turnwire.gateway.settings import Settings
    from turnwire.gateway.statistics import Statistics
    from turnwire.gateway.turns import Turns

_log = logging.getLogger(__name__)


async def read_create(request: web.Request, statistics: Statistics) -> Json:
    """Read the body of a create.

    Raises:
        RequestRefused: Not a JSON object, or a field that exists on sockets only.
    """
    try:
        body = await request.read()
    except web.RequestPayloadError:
        raise RequestRefused("The request body is not in its `Content-Encoding`.") from None
    statistics.bytes_in += len(body)
    try:
        create: Any = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise RequestRefused("The request body must be JSON in UTF-8.") from None
    if not is_object(create):
        raise RequestRefused("The request body must be one JSON object.")
    if create.get("generate") is not None:
        raise RequestRefused(
            "`generate` exists on WebSocket connections only. Leave it out.",
            code="unsupported_parameter",
            param="generate",
        )
    return create


class PostedTurn:
    """Serves one create that came by POST."""

    def __init__(self, turns: Turns, settings: Settings, statistics: Statistics) -> None:
        self._turns = turns
        self._settings = settings
        self._statistics = statistics

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer the request.

        Raises:
            RequestRefused: Before anything was sent.
        """
        create = await read_create(request, self._statistics)
        events = self._turns.events(create, default_model=request.query.get("model"))
        async with aclosing(events):
            if create.get("stream") is True:
                return await self._stream(request, events)
            return await self._document(events)

    async def _document(self, events: AsyncGenerator[Json]) -> web.Response:
        event: Json = {}
        async for event in events:  # noqa: B007  # only the terminal event counts
            pass
        if event["type"] == "error":
            raise refused_by_event(event)
        response: Json = event["response"]
        if response["status"] == "failed":
            error = response["error"]
            raise RequestRefused(
                error["message"], status=500, kind="server_error", code=error["code"]
            )
        body = encode(response)
        self._statistics.bytes_out += len(body)
        return web.Response(body=body, content_type="application/json")

    async def _stream(
        self, request: web.Request, events: AsyncGenerator[Json]
    ) -> web.StreamResponse:
        answer = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        )
        try:
            await self._write(request, answer, events)
        except Exception as error:
            if not answer.prepared:
                raise  # it can still be said with a status
            if not isinstance(error, ConnectionError):
                _log.warning("a stream of events was broken off", exc_info=error)
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError("the stream was broken off") from error
        return answer

    async def _write(
        self, request: web.Request, answer: web.StreamResponse, events: AsyncGenerator[Json]
    ) -> None:
        number = 0
        async for event in events:
            if event["type"] == "error":
                if not answer.prepared:
                    raise refused_by_event(event)
                event = _flat_error(event)  # noqa: PLW2901  # the shape that HTTP streams have
            if not answer.prepared:
                await answer.prepare(request)
            message = b"event: %s\ndata: %s\n\n" % (
                event["type"].encode(),
                encode(event | {"sequence_number": number}),
            )
            number += 1
            self._statistics.bytes_out += len(message)
            async with asyncio.timeout(self._settings.stall_timeout):
                await answer.write(message)
        await answer.write_eof()


def _flat_error(event: Json) -> Json:
    error: Json = event["error"]
    return {
        "type": "error",
        "code": error.get("code"),
        "message": error["message"],
        "param": error.get("param"),
    }
