"""``GET /v1/responses/{id}/input_items``: what the model was given for a response, in pages.

Sources: docs/protocol/http.md#input-items.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
from aiohttp import web

from turnwire.events import encode
from turnwire.gateway.access.owner import owner_of
from turnwire.gateway.downstream.stored import not_here
from turnwire.gateway.refusal import RequestRefused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from turnwire.gateway.context import Context
    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.store import Store
    from turnwire.gateway.store.event_log import EventLogs

_MOST: Final = 100
_USUAL: Final = 20
_PREFIXES: Final = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fco",
    "reasoning": "rs",
    "compaction": "cmp",
}
# Kinds that clients may send without their status, and that are listed with it.
_WITH_STATUS: Final = frozenset(
    {
        "message", "function_call", "function_call_output", "computer_call_output",
        "custom_tool_call", "custom_tool_call_output", "shell_call_output",
        "apply_patch_call_output",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Page:
    """Which items are asked for.

    Attributes:
        after: The id of the item before the first one, or None.
        limit: How many items at most.
        order: ``asc`` begins with the oldest item.
    """

    after: str | None = None
    limit: int = _USUAL
    order: Literal["asc", "desc"] = "desc"


class InputItems:
    """Serves ``/v1/responses/{id}/input_items``."""

    def __init__(self, store: Store, logs: EventLogs) -> None:
        self._store = store
        self._logs = logs

    async def list_items(self, request: web.Request) -> web.Response:
        """Answer a GET with a page; ``include`` asks for nothing that is not there anyway.

        Raises:
            RequestRefused: It is not here, failed, or the page cannot be found.
        """
        wanted = page_of(request.query)
        items = await self._items(request.match_info["id"], owner_of(request.headers))
        return web.Response(body=encode(listing(items, wanted)), content_type="application/json")

    async def _items(self, response_id: str, owner: str) -> list[Json]:
        log = self._logs.get(response_id)
        if log is not None and log.owner == owner and log.prompt is not None:
            prompt = log.prompt
            return [*_chain(prompt.parent), *_listed(response_id, prompt.encoded)]
        context = await self._store.get(response_id, owner)
        if context is None:
            raise not_here()
        if context.dead_end:
            raise RequestRefused(
                "This response failed or was cancelled, and its input is not kept.",
                code="input_items_not_kept",
                param="response_id",
            )
        return [*_chain(context.parent), *_listed(response_id, context.input)]


def _chain(context: Context | None) -> Iterator[Json]:
    """Yield the items of a chain, oldest first: the model was given earlier turns, too."""
    links = list(context.lineage()) if context is not None else []
    for link in reversed(links):
        yield from _listed(link.response_id, (*link.input, *link.output))


def _listed(response_id: str, items: tuple[bytes, ...]) -> Iterator[Json]:
    for index, item in enumerate(items):
        yield listed(msgspec.json.decode(item), f"{response_id}:{index}")


def listed(item: Json, place: str) -> Json:
    """Return an item with all that clients expect of a listed one: an id, a status, parts.

    Args:
        item: As it was sent.
        place: What no other item has; the id comes from it, so that it is always the same.
    """
    kind: str = item["type"]
    more: Json = {}
    if not isinstance(item.get("id"), str):
        digest = blake2b(place.encode(), digest_size=16).hexdigest()
        more["id"] = f"{_PREFIXES.get(kind, 'item')}_{digest}"
    if kind in _WITH_STATUS and item.get("status") is None:
        more["status"] = "completed"
    content: Any = item.get("content")
    if kind == "message" and isinstance(content, str):
        part: Json = {"type": "input_text", "text": content}
        if item.get("role") == "assistant":
            part = {"type": "output_text", "text": content, "annotations": []}
        more["content"] = [part]
    return item | more


def page_of(query: Mapping[str, str]) -> Page:
    """Read which items are asked for.

    Raises:
        RequestRefused: Not a number, not an order.
    """
    try:
        limit = int(query.get("limit", _USUAL))
    except ValueError:
        limit = 0
    if not 1 <= limit <= _MOST:
        raise _wrong("limit", f"must be a number from 1 to {_MOST}")
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise _wrong("order", "must be `asc` or `desc`")
    return Page(query.get("after"), limit, "asc" if order == "asc" else "desc")


def listing(items: list[Json], wanted: Page) -> Json:
    """Return a page of items, in the form of a list.

    Raises:
        RequestRefused: No item has the id that is to come before it.
    """
    items = list(reversed(items)) if wanted.order == "desc" else items
    start = 0
    if wanted.after is not None:
        places = [index for index, item in enumerate(items) if item["id"] == wanted.after]
        if not places:
            raise _wrong("after", "must be the `id` of an item in this list")
        start = places[0] + 1
    page = items[start : start + wanted.limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": start + wanted.limit < len(items),
    }


def _wrong(name: str, complaint: str) -> RequestRefused:
    return RequestRefused(f"`{name}` {complaint}.", code="invalid_value", param=name)
