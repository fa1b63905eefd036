"""Where the events of a response belong, for servers that leave it out.

llama.cpp's /v1/responses sends no ``output_index`` and no ``content_index``; clients that validate
refuse such events, and others put all items in one place (interop rules R15, R16).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from turnwire.events import Event, decode_event, encode
from turnwire.gateway.json_shapes import Json, object_or_empty

_decode: Final = msgspec.json.Decoder(Json).decode

# A text never looks like this inside of JSON: its quotation marks are escaped.
_THERE: Final = b'"output_index":'
_ADDED: Final = "response.output_item.added"
_SUMMARY: Final = "response.reasoning_summary_"
# The families of events that belong to a part of an item, and the member that says which.
_PART_OF: Final = {
    _SUMMARY: "summary_index",
    "response.content_part.": "content_index",
    "response.output_text.": "content_index",
    "response.reasoning_text.": "content_index",
    "response.refusal.": "content_index",
}
_BEGINS_PART: Final = frozenset({"response.content_part.added", f"{_SUMMARY}part.added"})


class Positions:
    """Counts the items and parts of one response as they come."""

    def __init__(self) -> None:
        self._indexes: dict[Any, int] = {}  # by the ids and call ids of items
        self._items = 0
        self._parts: dict[tuple[int, str], int] = {}

    def placed(self, event: Event) -> Event:
        """Return an event that says where it belongs; the same one if it does already."""
        if _THERE in event.raw or not event.raw:  # nearly every server says it; our own have none
            return event
        members = _decode(event.raw)
        if "output_index" in members or not ("item_id" in members or "item" in members):
            return event
        return decode_event(encode(members | self._position(members)))

    def _position(self, members: Json) -> Json:
        kind, item = members["type"], object_or_empty(members.get("item"))
        names = {members.get("item_id"), item.get("id"), item.get("call_id")} - {None}
        index = next((self._indexes[name] for name in names if name in self._indexes), None)
        if index is None:
            self._items += kind == _ADDED or self._items == 0
            index = self._items - 1
        self._indexes |= dict.fromkeys(names, index)
        for family, name in _PART_OF.items():
            if kind.startswith(family):
                return self._part(kind, index, name) | {"output_index": index} | _whole(members)
        return {"output_index": index}

    def _part(self, kind: str, index: int, name: str) -> Json:
        """Return which part of its item an event is about: the last one that was begun."""
        begun = self._parts.get((index, name), 0) + (kind in _BEGINS_PART)
        self._parts[index, name] = begun
        return {name: max(begun - 1, 0)}


def _whole(members: Json) -> Json:
    """Return the part of an event with what it must have."""
    part = object_or_empty(members.get("part"))
    return {"part": {"annotations": []} | part} if part.get("type") == "output_text" else {}
