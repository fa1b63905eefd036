"""The events of output items that an upstream has shown in its last event alone.

Some servers stream nothing, and what is fetched from a store may come in one piece; clients act on
the events of the items (interop rule R16).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from turnwire.gateway.json_shapes import Json, array_or_empty, object_or_empty

if TYPE_CHECKING:
    from collections.abc import Iterator

# Kinds of parts and of calls: the family of their events, the member that is streamed, and what
# else these events have.
_PARTS: Final[dict[str, tuple[str, str, Json]]] = {
    "output_text": ("response.output_text", "text", {"logprobs": []}),
    "refusal": ("response.refusal", "refusal", {}),
}
_CALLS: Final = {
    "function_call": ("response.function_call_arguments", "arguments"),
    "custom_tool_call": ("response.custom_tool_call_input", "input"),
}


def whole_item_events(item: Json, index: int) -> list[Json]:
    """Return all events of an item, in order: it is added, it grows in one piece, it is done.

    Of kinds that are not known only that they are added and done.
    """
    return [_added(item, index), *_growth(item, index), item_done(item, index)]


def item_done(item: Json, index: int) -> Json:
    """Return the event that ends an item."""
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def call_done(item: Json, index: int) -> Json:
    """Return the event that says that what a call is given is whole.

    Args:
        item: A call whose kind ``is_call`` knows.
        index: Its place in the output.
    """
    family, member = _CALLS[item["type"]]
    done: Json = {"type": f"{family}.done", "item_id": item.get("id", ""), "output_index": index}
    if item["type"] == "function_call":
        done["name"] = item.get("name", "")
    return done | {member: item.get(member, "")}


def is_call(item: Json) -> bool:
    """Say whether an item is a call whose arguments or input have events of their own."""
    return item.get("type") in _CALLS


def _added(item: Json, index: int) -> Json:
    kind = item.get("type")
    empty: Json = {"status": "in_progress"} if "status" in item else {}
    if kind == "message":
        empty["content"] = []
    elif kind in _CALLS:
        empty[_CALLS[kind][1]] = ""
    return {"type": "response.output_item.added", "output_index": index, "item": item | empty}


def _growth(item: Json, index: int) -> Iterator[Json]:
    kind = item.get("type")
    place: Json = {"item_id": item.get("id", ""), "output_index": index}
    if kind == "message":
        for number, part in enumerate(array_or_empty(item.get("content"))):
            yield from _part_events(object_or_empty(part), place | {"content_index": number})
    elif kind in _CALLS:
        family, member = _CALLS[kind]
        yield {"type": f"{family}.delta", **place, "delta": item.get(member, "")}
        yield call_done(item, index)


def _part_events(part: Json, place: Json) -> Iterator[Json]:
    family, member, more = _PARTS.get(str(part.get("type")), ("", "", {}))
    empty = {member: ""} if member else {}
    yield {"type": "response.content_part.added", **place, "part": part | empty}
    if member:
        text = part.get(member, "")
        yield {"type": f"{family}.delta", **place, "delta": text, **more}
        yield {"type": f"{family}.done", **place, member: text, **more}
    yield {"type": "response.content_part.done", **place, "part": part}
