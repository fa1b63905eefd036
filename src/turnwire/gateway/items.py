"""Input items: made whole, checked against the calls that wait for an output, and without repeats.

Knows the shapes of items and which output answers which call.  Does not know where the chain is
kept.  Sources: docs/protocol/continuation.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from turnwire.gateway.json_shapes import Json, array_or_empty, object_or_empty
from turnwire.gateway.refusal import RequestRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet


# Strings that an item of this type cannot be without.
_STRINGS: Final[dict[str, tuple[str, ...]]] = {
    "function_call": ("call_id", "name", "arguments"),
    "function_call_output": ("call_id",),
    "custom_tool_call": ("call_id", "name", "input"),
    "custom_tool_call_output": ("call_id",),
    "item_reference": ("id",),
}


def whole_items(given: str | Sequence[Json]) -> list[Json]:
    """Return the input as a list of items that all have a type.

    Raises:
        RequestRefused: An item without the fields that its type needs.
    """
    if isinstance(given, str):
        part = {"type": "input_text", "text": given}
        return [{"type": "message", "role": "user", "content": [part]}]
    return [_whole(item, index) for index, item in enumerate(given)]


def _whole(item: Json, index: int) -> Json:
    kind: Any = item.get("type", "message")
    if not isinstance(kind, str):
        raise _bad_item(index, "type", "must be a string")
    if kind == "message":
        if not isinstance(item.get("role"), str):
            raise _bad_item(index, "role", "must be a string; an item without `type` is a message")
        if not isinstance(item.get("content"), str | list):
            raise _bad_item(index, "content", "must be a string or a list of parts")
    for name in _STRINGS.get(kind, ()):
        if not isinstance(item.get(name), str):
            raise _bad_item(index, name, "must be a string")
    if kind == "function_call_output" and not isinstance(item.get("output"), str | list):
        raise _bad_item(index, "output", "must be a string or a list of parts")
    return item if "type" in item else {"type": kind, **item}


def _bad_item(index: int, name: str, complaint: str) -> RequestRefused:
    param = f"input[{index}].{name}"
    return RequestRefused(f"`{param}` {complaint}.", code="invalid_type", param=param)


def call_ids(items: Iterable[Json]) -> frozenset[str]:
    """Return the ids of the calls among these items."""
    return frozenset(
        item["call_id"]
        for item in items
        if item["type"].endswith("_call") and isinstance(item.get("call_id"), str)
    )


def answered_call_ids(items: Iterable[Json]) -> list[str]:
    """Return the ids of the calls that these items answer, in order."""
    return [
        item["call_id"]
        for item in items
        if item["type"].endswith("_output") and isinstance(item.get("call_id"), str)
    ]


def still_pending(pending: AbstractSet[str], items: Sequence[Json]) -> frozenset[str]:
    """Return the calls that wait for an output after these items.

    Raises:
        RequestRefused: An output that answers no call of the chain (a failed turn, which evicts:
            docs/protocol/continuation.md#eviction).
    """
    open_calls = set(pending | call_ids(items))
    for call_id in answered_call_ids(items):
        if call_id not in open_calls:
            raise RequestRefused(
                f"No call waits for the output with call_id {call_id[:64]!r}: it was never made in"
                " this chain, or is answered already. Send the call before its output.",
                param="input",
            )
        open_calls.remove(call_id)
    return frozenset(open_calls)


def without_repeats(
    items: Sequence[Json], output: Sequence[Json], known_calls: AbstractSet[str]
) -> list[Json]:
    """Leave out what the parent's output already holds (interop rule R12).

    Some clients send the model's own items again, beside ``previous_response_id``.

    Raises:
        RequestRefused: A reference to an item that the parent's output does not hold.
    """
    ids = {item["id"] for item in output if isinstance(item.get("id"), str)}
    calls = known_calls | call_ids(output)
    texts = {text_of(item) for item in output if item["type"] == "message"}
    for index, item in enumerate(items):
        if item["type"] == "item_reference" and item["id"] not in ids:
            raise _bad_item(index, "id", "names no item of the previous response")
    return [item for item in items if not _repeats(item, ids, calls, texts)]


def _repeats(
    item: Json, ids: AbstractSet[str], calls: AbstractSet[str], texts: AbstractSet[str]
) -> bool:
    kind: str = item["type"]
    if kind.endswith("_output"):
        return False  # new by nature; whether a call waits for it is another question
    if item.get("id") in ids:
        return True
    if kind.endswith("_call"):
        return item.get("call_id") in calls
    return kind == "message" and item.get("role") == "assistant" and text_of(item) in texts


def text_of(item: Json) -> str:
    """Return the text of a message or of a tool's output; parts without text count for nothing."""
    content: Any = item.get("content", item.get("output"))
    if isinstance(content, str):
        return content
    texts = (object_or_empty(part).get("text") for part in array_or_empty(content))
    return "".join(text for text in texts if isinstance(text, str))
