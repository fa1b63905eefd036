"""Input items: made whole, checked against the calls that wait for an output, and without repeats.

Knows the shapes of items and which output answers which call.  Does not know where the chain is
kept.  Sources: docs/protocol/continuation.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

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

# What a model may want of its client, what the client answers, and the member of either that names
# the one call: docs/protocol/continuation.md#client-tool-calls.
_CLIENT_CALLS: Final = (
    ("function_call",        "call_id", "function_call_output",    "call_id"),
    ("custom_tool_call",     "call_id", "custom_tool_call_output", "call_id"),
    ("computer_call",        "call_id", "computer_call_output",    "call_id"),
    ("shell_call",           "call_id", "shell_call_output",       "call_id"),
    ("apply_patch_call",     "call_id", "apply_patch_call_output", "call_id"),
    ("tool_search_call",     "call_id", "tool_search_output",      "call_id"),
    ("mcp_approval_request", "id",      "mcp_approval_response",   "approval_request_id"),
)  # fmt: skip
_NAME_IN_CALL: Final = {kind: name for kind, name, _, _ in _CLIENT_CALLS}
_CALL_AND_NAME: Final = {answer: (kind, name) for kind, _, answer, name in _CLIENT_CALLS}


class Call(NamedTuple):
    """A call that the client answers: what kind of item it is, and its name."""

    kind: str
    call_id: str


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


def _call_of(item: Json) -> Call | None:
    """Return the call that this item is, if it is one that the client answers."""
    kind: str = item["type"]
    if kind == "tool_search_call" and item.get("execution") != "client":
        return None  # the server's own
    return _named(kind, item, _NAME_IN_CALL.get(kind))


def _answered_by(item: Json) -> Call | None:
    """Return the call that this item answers, if it answers one."""
    kind, member = _CALL_AND_NAME.get(item["type"], ("", None))
    return _named(kind, item, member)


def _named(kind: str, item: Json, member: str | None) -> Call | None:
    name: Any = item.get(member) if member else None
    return Call(kind, name) if isinstance(name, str) else None


def unanswered(items: Iterable[Json]) -> tuple[Call, ...]:
    """Return those of the model's calls that wait for the client, in order."""
    calls: dict[Call, None] = {}
    for item in items:
        call = _call_of(item)
        if call is not None:
            calls[call] = None
        answered = _answered_by(item)
        if answered is not None:
            calls.pop(answered, None)
    return tuple(calls)


def check_answers(pending: Iterable[Call], items: Sequence[Json]) -> None:
    """Check that each call has an answer, and each answer a call, before the model is asked.

    Args:
        pending: Calls of the chain that wait.
        items: What the create adds.

    Raises:
        RequestRefused: With the first one that has none (a failed turn, which evicts:
            docs/protocol/continuation.md#eviction).
    """
    calls = dict.fromkeys(pending)
    for item in items:
        call = _call_of(item)
        if call is not None:
            calls[call] = None
        answered = _answered_by(item)
        if answered is None:
            continue
        if answered in calls:
            del calls[answered]
        elif answered.kind != "tool_search_call":  # servers search, too
            raise RequestRefused(
                f"No call waits for the output with call_id {answered.call_id[:64]!r}: it was"
                " never made in this chain, or is answered already. Send the call before its"
                " output.",
                param="input",
            )
    for kind, call_id in calls:  # the first one will do
        answer = next(answer for call, _, answer, _ in _CLIENT_CALLS if call == kind)
        raise RequestRefused(
            f"No tool output found for {kind.replace('_', ' ')} {call_id[:64]}. Send its {answer}"
            " in `input`.",
            param="input",
        )


def without_repeats(items: Sequence[Json], output: Sequence[Json]) -> list[Json]:
    """Leave out what the parent's output already holds (interop rule R12).

    Some clients send the model's own items again, beside ``previous_response_id``.

    Raises:
        RequestRefused: A reference to an item that the parent's output does not hold.
    """
    ids = {item["id"] for item in output if isinstance(item.get("id"), str)}
    calls = {
        item["call_id"]
        for item in output
        if item["type"].endswith("_call") and isinstance(item.get("call_id"), str)
    }
    texts = {_words_of(item) for item in output if item["type"] in {"message", "reasoning"}}
    for index, item in enumerate(items):
        if item["type"] == "item_reference" and item["id"] not in ids:
            raise _bad_item(index, "id", "names no item of the previous response")
    return [item for item in items if not _repeats(item, ids, calls, texts)]


def _repeats(
    item: Json,
    ids: AbstractSet[str],
    calls: AbstractSet[str],
    texts: AbstractSet[tuple[str, str]],
) -> bool:
    kind: str = item["type"]
    if kind.endswith("_output"):
        return False  # new by nature; whether a call waits for it is another question
    if item.get("id") in ids:
        return True
    if kind.endswith("_call"):
        return item.get("call_id") in calls
    spoken = kind == "reasoning" or (kind == "message" and item.get("role") == "assistant")
    return spoken and _words_of(item) in texts


def _words_of(item: Json) -> tuple[str, str]:
    """Return what an item of the model says, and of which kind that is, whatever its id."""
    parts = [*array_or_empty(item.get("content")), *array_or_empty(item.get("summary"))]
    refusals = (object_or_empty(part).get("refusal") for part in parts)
    refusal = "".join(text for text in refusals if isinstance(text, str))
    texts = text_of({"content": item.get("content")}) + text_of({"content": item.get("summary")})
    sealed: Any = item.get("encrypted_content")  # all that some reasoning shows
    return item["type"], "\n".join((texts, refusal, sealed if isinstance(sealed, str) else ""))


def text_of(item: Json) -> str:
    """Return the text of a message or of a tool's output; parts without text count for nothing."""
    content: Any = item.get("content", item.get("output"))
    if isinstance(content, str):
        return content
    texts = (object_or_empty(part).get("text") for part in array_or_empty(content))
    return "".join(text for text in texts if isinstance(text, str))
