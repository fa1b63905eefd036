"""A create over HTTP: a stream of server-sent events, or one JSON document.

The same turns as on a socket; only the way out differs.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from turnwire.events import encode
from turnwire.gateway.access.keys import CALLER
from turnwire.gateway.access.owner import key_of, owner_of
from turnwire.gateway.downstream import holding
from turnwire.gateway.downstream.event_stream import event_stream, flat_error
from turnwire.gateway.downstream.running import RunningTurn
from turnwire.gateway.interruption import Interruption
from turnwire.gateway.json_shapes import UNREADABLE, Json, is_object
from turnwire.gateway.refusal import RequestRefused, TurnRefused, refused_by_event
from turnwire.gateway.store.event_log import TERMINAL_TYPES, EventLog

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from turnwire.gateway.config.settings import Settings
    from turnwire.gateway.downstream.lingering import Lingering
    from turnwire.gateway.observing import Observer
    from turnwire.gateway.observing.statistics import Statistics
    from turnwire.gateway.turns import Turns


async def read_create(request: web.Request, statistics: Statistics) -> Json:
    """Read the body of a create.

    Raises:
        RequestRefused: Not a JSON object, or a field that exists on sockets only.
    """
    try:
        body = await request.read()
    except web.RequestPayloadError:
        # aiohttp would read on, stumble over the body once more, and never see another request.
        request.content.feed_eof()
        request.protocol.close()
        raise RequestRefused(
            "The request body is not in its `Content-Encoding`.", headers={"Connection": "close"}
        ) from None
    statistics.bytes_in += len(body)
    try:
        create: Any = msgspec.json.decode(body)
    except UNREADABLE:
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

    def __init__(
        self,
        turns: Turns,
        settings: Settings,
        statistics: Statistics,
        lingering: Lingering,
        observer: Observer,
    ) -> None:
        self._turns = turns
        self._settings = settings
        self._statistics = statistics
        self._lingering = lingering
        self._observer = observer

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer the request.

        Raises:
            RequestRefused: Before anything was sent.
        """
        create = await read_create(request, self._statistics)
        events = self._run(request, create)
        async with aclosing(events):
            if create.get("stream") is True:
                return await self._stream(request, events)
            return await self._document(events)

    async def _run(self, request: web.Request, create: Json) -> AsyncGenerator[Json]:
        """Run the turn in a task of its own, which may outlive the request, and yield its events.

        It is at most one event ahead of its reader, unless it is cancelled.
        """
        log, caller = EventLog(owner_of(request.headers)), request[CALLER]
        streamed = create.get("stream") is True
        watch = self._observer.posted(log.owner, streamed=streamed, key_name=caller.name)
        queue, interruption = asyncio.Queue[Json](), Interruption()
        turn = RunningTurn(
            self._turns.events(
                create,
                log,
                default_model=request.query.get("model"),
                watch=watch,
                allowance=caller.allowance,
                interruption=interruption,
                credential=key_of(request.headers),
            ),
            log,
            queue.put_nowait,
            queue.join,
            lingering=self._lingering if streamed else None,
            name="posted turn",
            interruption=interruption,
        )
        shown = False
        event: Json = {"type": ""}
        try:
            for event in await holding.beginning_of(queue, holding.PATIENCE):
                shown = True
                yield event
            while event["type"] not in TERMINAL_TYPES:
                event = await queue.get()
                queue.task_done()
                shown = True
                yield event
        finally:
            # Without the events nobody knows the id by which to fetch it.
            ends = turn.leave(may_linger=shown)
            while not queue.empty():
                queue.get_nowait()
                queue.task_done()  # so that the turn does not wait for room for ever
            if ends:
                await asyncio.wait([turn.task])

    async def _document(self, events: AsyncGenerator[Json]) -> web.Response:
        event: Json = {}
        async for event in events:  # noqa: B007  # only the terminal event counts
            pass
        if event["type"] == "error":
            raise refused_by_event(event)
        response: Json = event["response"]
        if response["status"] == "failed":
            error = response["error"]
            raise TurnRefused(error["message"], status=500, kind="server_error", code=error["code"])
        body = encode(response)
        self._statistics.bytes_out += len(body)
        return web.Response(body=body, content_type="application/json")

    async def _stream(
        self, request: web.Request, events: AsyncGenerator[Json]
    ) -> web.StreamResponse:
        number = 0
        async with event_stream(request, self._settings, self._statistics) as stream:
            async for event in events:
                kind: str = event["type"]
                if kind == "error":
                    if not stream.opened:
                        raise refused_by_event(event)
                    event = flat_error(event)  # noqa: PLW2901  # the shape that HTTP streams have
                await stream.write(kind, encode(event | {"sequence_number": number}))
                number += 1
        return stream.answer
