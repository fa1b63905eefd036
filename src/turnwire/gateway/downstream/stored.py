"""Stored responses over HTTP: fetched whole, fetched event by event, deleted.

Sources: docs/protocol/http.md#fetching-a-response.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

from turnwire.events import encode
from turnwire.gateway.access.owner import owner_of
from turnwire.gateway.downstream.event_stream import EventStream, event_stream, flat_error
from turnwire.gateway.output.retold import retold
from turnwire.gateway.refusal import RequestRefused
from turnwire.gateway.store.event_log import EventLog, EventsGone, Gone

if TYPE_CHECKING:
    from turnwire.gateway.config.settings import Settings
    from turnwire.gateway.downstream.lingering import Lingering
    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.observing.statistics import Statistics
    from turnwire.gateway.store import Store
    from turnwire.gateway.store.event_log import EventLogs

_YES_OR_NO: Final = {"true": True, "1": True, "false": False, "0": False}

_GONE: Final[dict[Gone, str]] = {
    "dropped": "The events of this response are not kept here. Fetch it without `stream`.",
    "stopped": "This response was stopped before its end, and nothing of it is kept. Create it"
    " again.",
    "deleted": "This response was deleted.",
}


def not_here() -> RequestRefused:
    """Return what is said of a response that was not stored, was deleted, or is another key's."""
    return RequestRefused(
        "No response with this id is stored here.", status=404, param="response_id"
    )


class StoredResponses:
    """Serves ``/v1/responses/{id}``."""

    def __init__(
        self,
        store: Store,
        logs: EventLogs,
        lingering: Lingering,
        settings: Settings,
        statistics: Statistics,
    ) -> None:
        self._store = store
        self._logs = logs
        self._lingering = lingering
        self._settings = settings
        self._statistics = statistics

    async def retrieve(self, request: web.Request) -> web.StreamResponse:
        """Answer a GET: the response as it is now, or its events.

        Raises:
            RequestRefused: Before anything was sent.
        """
        streamed = _wants_stream(request.query.get("stream", "false"))
        after = _number_before(request.query.get("starting_after", "-1"))
        response, log = await self._find(request)
        if streamed:
            if log is None and after < 0:
                return await self._retell(request, msgspec.json.decode(response))
            return await self._stream(request, log, after)
        if log is not None:
            with self._lingering.wanted(log):
                pass  # to ask how far it is says that it is wanted
        self._statistics.bytes_out += len(response)
        return web.Response(body=response, content_type="application/json")

    async def delete(self, request: web.Request) -> web.Response:
        """Forget a response; what runs for nobody else is stopped.

        Raises:
            RequestRefused: It is not here.
        """
        _, log = await self._find(request)
        response_id = request.match_info["id"]
        if log is not None:
            self._logs.forget(log, "deleted")
            self._lingering.cancel(log)
        await self._store.delete(response_id, owner_of(request.headers))
        body = {"id": response_id, "object": "response", "deleted": True}
        return web.Response(body=encode(body), content_type="application/json")

    async def _find(self, request: web.Request) -> tuple[bytes, EventLog | None]:
        """Return a response as it is now, and its log if there is one.

        Raises:
            RequestRefused: It is not here, or somebody else's.
        """
        response_id = request.match_info["id"]
        owner = owner_of(request.headers)
        log = self._logs.get(response_id)
        if log is not None and log.running and log.owner == owner:
            return encode(log.response), log
        context = await self._store.get(response_id, owner)
        if context is None:
            raise not_here()
        return context.response, log

    async def _stream(
        self, request: web.Request, log: EventLog | None, after: int
    ) -> web.StreamResponse:
        if log is None or log.gone is not None:
            raise RequestRefused(_GONE["dropped"], code="events_not_kept", param="stream")
        events = log.follow(after)
        async with event_stream(request, self._settings, self._statistics) as stream:
            await stream.open()  # there may be nothing to say for a long time
            with self._lingering.wanted(log):
                async with aclosing(events):
                    try:
                        async for kind, data in events:
                            await _write(stream, kind, data)
                    except EventsGone as gone:
                        refusal = RequestRefused(_GONE[gone.reason], code="events_not_kept")
                        await stream.write("error", encode(flat_error(refusal.event())))
        return stream.answer

    async def _retell(self, request: web.Request, response: Json) -> web.StreamResponse:
        async with event_stream(request, self._settings, self._statistics) as stream:
            for number, event in enumerate(retold(response)):
                await stream.write(event["type"], encode(event | {"sequence_number": number}))
        return stream.answer


async def _write(stream: EventStream, kind: str, data: bytes) -> None:
    if kind == "error":
        event: Json = msgspec.json.decode(data)
        number = {"sequence_number": event["sequence_number"]}
        data = encode(flat_error(event) | number)
    await stream.write(kind, data)


def _wants_stream(value: str) -> bool:
    wanted = _YES_OR_NO.get(value.lower())
    if wanted is None:
        raise RequestRefused(
            "`stream` must be `true` or `false`.", code="invalid_value", param="stream"
        )
    return wanted


def _number_before(value: str) -> int:
    try:
        return max(int(value), -1)
    except ValueError:
        raise RequestRefused(
            "`starting_after` must be the `sequence_number` of an event.",
            code="invalid_type",
            param="starting_after",
        ) from None
