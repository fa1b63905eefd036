"""``POST /v1/responses/compact``: a new window for a chain that has become long.

The model that would go on with the chain summarises it, in a turn like any other.
Sources: docs/protocol/continuation.md#compaction.
"""

from __future__ import annotations

import time
from contextlib import aclosing
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from turnwire.events import encode
from turnwire.gateway.access.keys import CALLER
from turnwire.gateway.access.owner import key_of, owner_of
from turnwire.gateway.downstream.post import read_create
from turnwire.gateway.input.compaction import compacted_window, summarising
from turnwire.gateway.input.items import text_of
from turnwire.gateway.refusal import RequestRefused, refused_by_event
from turnwire.gateway.store.event_log import EventLog
from turnwire.gateway.turns import new_id

if TYPE_CHECKING:
    from turnwire.gateway.context import Prompt
    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.observing import Observer
    from turnwire.gateway.observing.statistics import Statistics
    from turnwire.gateway.turns import Turns


class Compacting:
    """Serves ``/v1/responses/compact``."""

    def __init__(self, turns: Turns, statistics: Statistics, observer: Observer) -> None:
        self._turns = turns
        self._statistics = statistics
        self._observer = observer

    async def compact(self, request: web.Request) -> web.Response:
        """Answer a POST with the new window; nothing is stored.

        Raises:
            RequestRefused: It cannot be compacted, or the model did not say anything.
        """
        create = summarising(await read_create(request, self._statistics))
        log = EventLog(owner_of(request.headers))
        response = await self._run(request, create, log)
        assert log.prompt is not None  # the model was asked
        summary = "\n".join(text_of(item) for item in _messages(response))
        if response["status"] != "completed" or not summary:
            raise RequestRefused(
                "The model wrote no summary. Try again, or send less.",
                status=502,
                kind="server_error",
                code="compaction_failed",
            )
        compaction: Json = {
            "id": new_id("compaction"),
            "object": "response.compaction",
            "created_at": int(time.time()),
            "output": compacted_window(_items(log.prompt), summary, new_id),
            "usage": response["usage"],
        }
        body = encode(compaction)
        self._statistics.bytes_out += len(body)
        return web.Response(body=body, content_type="application/json")

    async def _run(self, request: web.Request, create: Json, log: EventLog) -> Json:
        caller = request[CALLER]
        events = self._turns.events(
            create,
            log,
            default_model=request.query.get("model"),
            watch=self._observer.posted(log.owner, streamed=False, key_name=caller.name),
            allowance=caller.allowance,
            credential=key_of(request.headers),
        )
        event: Json = {}
        async with aclosing(events):
            async for event in events:  # noqa: B007  # only the terminal event counts
                pass
        if event["type"] == "error":
            raise refused_by_event(event)
        response: Json = event["response"]
        return response


def _messages(response: Json) -> list[Json]:
    return [item for item in response["output"] if item["type"] == "message"]


def _items(prompt: Prompt) -> list[Json]:
    """Return the items of the whole chain, without the one that asks for the summary."""
    links = list(prompt.parent.lineage()) if prompt.parent is not None else []
    above = [msgspec.json.decode(item) for link in reversed(links) for item in link.input]
    return [*above, *prompt.items[:-1]]
