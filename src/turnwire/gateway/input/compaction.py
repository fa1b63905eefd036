"""A chain made short: what the user said stays, and one item stands for everything else.

The item holds a summary that the model wrote.  It is packed, not encrypted: it is for the client
that it comes from, and says nothing that this client has not seen.
Sources: docs/protocol/continuation.md#compaction.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, Final

from turnwire.gateway.json_shapes import Json, is_array
from turnwire.gateway.refusal import RequestRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_PACKED: Final = "turnwire-summary-1."
_ID: Final = "cmp_"  # an item whose id begins so stands for what was compacted

_ASK: Final = (
    "Write a summary of everything above, for somebody who continues this work and sees nothing"
    " of it but the user's messages and your summary. Keep what was decided, what was found out,"
    " names, numbers, paths and code that are still needed, what failed, and what is still to be"
    " done. Answer with the summary alone, and call no tools."
)
_INTRODUCTION: Final = "Summary of what has happened so far:\n\n"


def summarising(body: Json) -> Json:
    """Return the create that lets the model summarise what a compaction names.

    Raises:
        RequestRefused: Nothing is named, or it cannot be summarised here.
    """
    given: Any = body.get("input")
    if given is None and body.get("previous_response_id") is None:
        raise RequestRefused(
            "The parameter `input` is missing. Send the items to compact, or"
            " `previous_response_id`.",
            code="missing_required_parameter",
            param="input",
        )
    items: Any = [] if given is None else given
    if isinstance(items, str):
        items = [{"type": "message", "role": "user", "content": items}]
    if is_array(items):
        items = [*items, {"type": "message", "role": "user", "content": _ASK}]
    kept = {name: value for name, value in body.items() if name in _PASSED_ON}
    return kept | {"input": items, "store": False}


_PASSED_ON: Final = {
    "model", "previous_response_id", "instructions", "prompt_cache_key", "prompt_cache_options",
    "prompt_cache_retention", "reasoning", "safety_identifier", "service_tier", "user",
}  # fmt: skip


def compacted_window(
    items: Iterable[Json], summary: str, new_id: Callable[[str], str]
) -> list[Json]:
    """Return the items that take the place of these: the user's messages, and the summary.

    Args:
        items: Of the whole chain, without what asked for the summary.
        summary: What the model wrote.
        new_id: Makes an id from its prefix.
    """
    window = [
        _whole_message(item, new_id)
        for item in items
        if item["type"] == "message" and item.get("role") == "user" and not _is_summary(item)
    ]
    packed = _PACKED + b64encode(summary.encode()).decode()
    return [*window, {"id": new_id("cmp"), "type": "compaction", "encrypted_content": packed}]


def _is_summary(item: Json) -> bool:
    return str(item.get("id", "")).startswith(_ID)


def _whole_message(item: Json, new_id: Callable[[str], str]) -> Json:
    content: Any = item["content"]
    parts = [{"type": "input_text", "text": content}] if isinstance(content, str) else content
    return {"id": new_id("msg"), **item, "status": "completed", "content": parts}


def with_summaries(items: Sequence[Json], *, foreign: bool) -> list[Json]:
    """Put the message that the model reads in the place of each compaction of this gateway's.

    Args:
        items: Input items that all have a type.
        foreign: True if the upstream understands compactions that were not made here.

    Raises:
        RequestRefused: A compaction that nobody here understands.
    """
    return [
        _read(item, index, foreign=foreign) if item["type"] == "compaction" else item
        for index, item in enumerate(items)
    ]


def _read(item: Json, index: int, *, foreign: bool) -> Json:
    packed: Any = item.get("encrypted_content")
    if not isinstance(packed, str) or not packed.startswith(_PACKED):
        if foreign:
            return item
        raise _unreadable(index)
    try:
        summary = b64decode(packed.removeprefix(_PACKED), validate=True).decode()
    except ValueError:
        raise _unreadable(index) from None
    given: Any = item.get("id")
    return {
        "id": given if isinstance(given, str) and given.startswith(_ID) else _ID + "0",
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": _INTRODUCTION + summary}],
    }


def _unreadable(index: int) -> RequestRefused:
    param = f"input[{index}].encrypted_content"
    return RequestRefused(
        f"`{param}` was not made by this gateway, or has been changed. Send the items that it"
        " stands for instead.",
        code="invalid_encrypted_content",
        param=param,
    )
