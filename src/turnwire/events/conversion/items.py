"""Chat messages to Responses input items, in order.

Accepts the messages of Chat Completions, old and new, and messages whose content is a list of
blocks (``text``, ``thinking``, ``toolCall``, ``tool_use``, ``tool_result``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple, TypeAlias

from turnwire.events.conversion.answer import ToolCall, ToolKind, function_call_output
from turnwire.events.conversion.parts import part_from_chat
from turnwire.events.conversion.plain import (
    JsonObject,
    json_text,
    object_of,
    objects_of,
    plain_object,
    string_of,
)

# Left out on purpose, and nothing else is. Reasoning is for the server that made it. The rest are
# notes about a message that no model reads; that a tool failed is said by its output's text.
NOT_SENT = frozenset(
    {
        *("reasoning", "reasoning_content", "reasoning_details", "thinking", "thinking_blocks"),
        *("thoughtSignature", "textSignature"),
        *("annotations", "logprobs", "id", "index", "status", "type", "timestamp", "usage"),
        *("api", "provider", "model", "stopReason", "stop_reason"),
        *("isError", "is_error", "toolName", "details"),
    }
)
_REASONING_BLOCKS = ("thinking", "redacted_thinking", "reasoning")


class _Place(NamedTuple):
    """Where a message stands: in this list for errors, in all history for made-up ids."""

    here: int
    in_history: int
    role: str

    def __str__(self) -> str:
        return f"messages[{self.here}] ({self.role})"


class _Calls:
    """The calls so far: an output finds its call's kind here, and its id if it has none."""

    def __init__(self, custom_call_ids: Iterable[str]) -> None:
        self._kinds: dict[str, ToolKind] = dict.fromkeys(custom_call_ids, "custom")
        self._open: dict[str, str] = {}

    def add(self, call: ToolCall) -> None:
        self._kinds[call.call_id] = call.kind
        self._open[call.call_id] = call.name

    def oldest_open(self, name: str | None) -> str | None:
        waiting = (call_id for call_id, called in self._open.items() if name in {None, called})
        return next(waiting, None)

    def answer(self, call_id: str) -> ToolKind:
        self._open.pop(call_id, None)
        return self._kinds.get(call_id, "function")


def items_from_messages(
    messages: Iterable[Any], *, first_index: int = 0, custom_call_ids: Collection[str] = ()
) -> list[JsonObject]:
    """Convert chat messages to input items; the order stays.

    An assistant message becomes a message item for its text and one item for each call, in the
    order of its blocks. Calls without an id get one made of their position, so that the same
    history always gives the same items. Reasoning and notes about a message are left out
    (``NOT_SENT``), and so is an assistant message that says and calls nothing.

    Args:
        messages: Dicts, or objects of the official SDK.
        first_index: How many messages came before, if these are the new ones of a longer history;
            keeps made-up ids apart.
        custom_call_ids: Calls of custom tools that came before; their outputs have another type.

    Raises:
        ValueError: Something that Responses input cannot say, with the message's index and role.
    """
    calls = _Calls(custom_call_ids)
    items: list[JsonObject] = []
    for index, value in enumerate(messages):
        message = plain_object(value, f"messages[{index}]")
        role = string_of(message, "role", f"messages[{index}]")
        place = _Place(index, first_index + index, role)
        convert = _CONVERTERS.get(role)
        if convert is None:
            known = ", ".join(_CONVERTERS)
            raise ValueError(f"{place}: unknown role; expected one of {known}")
        items += convert(message, place, calls)
    return items


def _from_said(message: JsonObject, place: _Place, calls: _Calls) -> list[JsonObject]:
    _refuse_unknown(message, ("content",), place)
    content = message.get("content")
    if isinstance(content, str):
        return [_message(place.role, content)]
    items: list[JsonObject] = []
    parts: list[JsonObject] = []
    for part in objects_of(content, f"{place}: content"):
        if part.get("type") != "tool_result":
            parts.append(part_from_chat(part, str(place)))
            continue
        if parts:
            items.append(_message(place.role, parts))
            parts = []
        _refuse_unknown(part, ("tool_use_id", "content"), place)
        call_id = string_of(part, "tool_use_id", str(place))
        items.append(_output(call_id, part.get("content", ""), place, calls))
    if parts or not items:
        items.append(_message(place.role, parts))
    return items


def _from_assistant(message: JsonObject, place: _Place, calls: _Calls) -> list[JsonObject]:
    _refuse_unknown(message, ("content", "refusal", "tool_calls", "function_call"), place)
    items: list[JsonObject] = []
    said: list[JsonObject] = []
    seen: list[str] = []
    for block in _assistant_blocks(message, place):
        match block.get("type"):
            case "text" | "output_text":
                _refuse_unknown(block, ("text",), place)
                text = string_of(block, "text", str(place))
                said.append({"type": "output_text", "text": text})
            case "refusal":
                refusal = string_of(block, "refusal", str(place))
                said.append({"type": "refusal", "refusal": refusal})
            case kind if kind in _REASONING_BLOCKS:
                pass
            case _:
                call = _call(block, f"call_{place.in_history}_{len(seen)}", place)
                if call.call_id in seen:  # some write a call both as a block and in `tool_calls`
                    continue
                seen.append(call.call_id)
                calls.add(call)
                items += [*_flush(said), call.to_item()]
                said = []
    return items + _flush(said)


def _assistant_blocks(message: JsonObject, place: _Place) -> list[JsonObject]:
    content: Any = message.get("content") or []
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    blocks = objects_of(content, f"{place}: content")
    if "refusal" in message:
        blocks.append({"type": "refusal", "refusal": message["refusal"]})
    blocks += objects_of(message.get("tool_calls", []), f"{place}: tool_calls")
    if "function_call" in message:
        blocks.append({"function": message["function_call"]})
    return blocks


def _flush(said: list[JsonObject]) -> list[JsonObject]:
    if any(part["type"] == "refusal" for part in said):
        return [_message("assistant", said)]
    # A string is the one shape of an assistant's text that every server takes.
    text = "".join(part["text"] for part in said)
    return [_message("assistant", text)] if text else []


def _call(block: JsonObject, made_up_id: str, place: _Place) -> ToolCall:
    where = f"{place}: tool call"
    kind: ToolKind = "function"
    match block.get("type"):
        case "custom":
            kind = "custom"
            inside = object_of(block, "custom", where)
            arguments = string_of(inside, "input", where)
        case "function" | None if "function" in block:
            inside = object_of(block, "function", where)
            arguments = json_text(inside.get("arguments"))
        case "toolCall":
            inside = block
            arguments = json_text(block.get("arguments"))
        case "tool_use":
            inside = block
            arguments = json_text(block.get("input"))
        case other:
            raise ValueError(
                f"{place}: a block of type {other!r} has no counterpart in Responses input; "
                "expected text, refusal or a call of a function or custom tool"
            )
    _refuse_unknown(block, ("function", "custom", "name", "arguments", "input"), place)
    return ToolCall(
        # Some servers write an empty id.
        call_id=string_of(block, "id", where) if block.get("id") else made_up_id,
        name=string_of(inside, "name", where),
        arguments=arguments,
        kind=kind,
    )


def _from_tool(message: JsonObject, place: _Place, calls: _Calls) -> list[JsonObject]:
    _refuse_unknown(message, ("content", "name", "tool_call_id", "toolCallId"), place)
    name = message.get("name") if place.role == "function" else None
    key = "toolCallId" if "toolCallId" in message else "tool_call_id"
    call_id = string_of(message, key, str(place)) if message.get(key) else calls.oldest_open(name)
    if call_id is None:
        raise ValueError(f"{place}: no `tool_call_id`, and no call before it waits for an output")
    return [_output(call_id, message.get("content"), place, calls)]


def _output(call_id: str, content: Any, place: _Place, calls: _Calls) -> JsonObject:
    if not isinstance(content, str):
        parts = objects_of(content, f"{place}: content")
        content = [part_from_chat(part, str(place)) for part in parts]
    return function_call_output(call_id, content, kind=calls.answer(call_id))


def _message(role: str, content: str | list[JsonObject]) -> JsonObject:
    return {"type": "message", "role": role, "content": content}


def _refuse_unknown(message: JsonObject, known: tuple[str, ...], place: _Place) -> None:
    for key in message:
        if key not in known and key not in NOT_SENT and key != "role":
            raise ValueError(
                f"{place}: `{key}` has no counterpart in Responses input; remove it, "
                "or write what it says into the content"
            )


_Converter: TypeAlias = Callable[[JsonObject, _Place, _Calls], list[JsonObject]]
_CONVERTERS: dict[str, _Converter] = {
    "system": _from_said,
    "developer": _from_said,
    "user": _from_said,
    "assistant": _from_assistant,
    "tool": _from_tool,
    "function": _from_tool,  # before there was `tool`
    "toolResult": _from_tool,  # block style
}
