"""``POST /v1/responses/{id}/cancel``: ends a turn that runs, whoever listens to it.

Sources: docs/protocol/http.md#cancelling-a-response.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from turnwire.gateway.access.owner import owner_of
from turnwire.gateway.downstream.stored import not_here
from turnwire.gateway.refusal import RequestRefused

if TYPE_CHECKING:
    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.store import Store
    from turnwire.gateway.store.event_log import EventLogs


class Cancelling:
    """Serves ``/v1/responses/{id}/cancel``."""

    def __init__(self, store: Store, logs: EventLogs) -> None:
        self._store = store
        self._logs = logs

    async def cancel(self, request: web.Request) -> web.Response:
        """Answer a POST with the response as it is when the turn has ended.

        Whoever listens gets its terminal event, ``response.incomplete`` with the status
        ``cancelled``.  To cancel a response again changes nothing.

        Raises:
            RequestRefused: It is not here, or has ended by itself.
        """
        response_id, owner = request.match_info["id"], owner_of(request.headers)
        log = self._logs.get(response_id)
        if log is not None and log.running and log.owner == owner:
            log.cancel()
            await log.ended()
        context = await self._store.get(response_id, owner)
        if context is None:
            raise not_here()
        response: Json = msgspec.json.decode(context.response)
        if response["status"] != "cancelled":
            raise RequestRefused(f"Cannot cancel a response that is {response['status']}.")
        return web.Response(body=context.response, content_type="application/json")
