"""Responses input items to chat messages, for servers that speak Chat Completions alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from turnwire.events.conversion.answer import ToolCall, user_message
from turnwire.events.conversion.parts import part_to_chat
from turnwire.events.conversion.plain import (
    JsonObject,
    json_text,
    objects_of,
    plain_object,
    string_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


def messages_from_items(
    items: str | Iterable[Any], instructions: str | None = None
) -> list[JsonObject]:
    """Convert input items to chat messages; the order stays.

    An assistant's text and the calls after it become one message. Text between calls and their
    outputs, which Chat cannot say, joins the message that holds the calls. Clients that send
    again what the server holds already are understood: the same call, the same output of a call,
    and the same assistant text within one answer appear once.

    Left out: reasoning, ids and status of items, annotations, and fields that are not known, since
    chat servers refuse what they do not know.

    Args:
        items: The ``input`` of a turn, after everything that came before it in the chain.
        instructions: Become a system message in front.

    Raises:
        ValueError: Something that a chat message cannot say, with the item's index and type.
    """
    history = _History()
    if instructions:
        history.say("system", instructions)
    if isinstance(items, str):
        items = [user_message(items)]
    for index, value in enumerate(items):
        item = plain_object(value, f"input[{index}]")
        kind = item.get("type", "message" if "role" in item else None)
        _add(history, item, kind, f"input[{index}] ({kind})")
    return history.messages


def _add(history: _History, item: JsonObject, kind: Any, where: str) -> None:
    match kind:
        case "message":
            _add_message(history, item, where)
        case "function_call":
            call = ToolCall(
                call_id=string_of(item, "call_id", where),
                name=string_of(item, "name", where),
                arguments=json_text(item.get("arguments")),
            )
            history.call(call, where)
        case "custom_tool_call":
            call = ToolCall(
                call_id=string_of(item, "call_id", where),
                name=string_of(item, "name", where),
                arguments=string_of(item, "input", where),
                kind="custom",
            )
            history.call(call, where)
        case "function_call_output" | "custom_tool_call_output":
            output = _content(item.get("output"), where)
            history.output(string_of(item, "call_id", where), output, where)
        case "reasoning":
            pass
        case _:
            raise ValueError(
                f"{where}: an item of this type has no counterpart in a chat message; expected "
                "messages, function and custom tool calls, and their outputs"
            )


def _add_message(history: _History, item: JsonObject, where: str) -> None:
    match item.get("role"):
        case "assistant":
            history.answer(*_spoken(item.get("content", []), where))
        case "user" | "system" | "developer" as role:
            history.say(role, _content(item.get("content"), where))
        case role:
            raise ValueError(
                f"{where}: unknown role {role!r}; expected user, assistant, system or developer"
            )


def _content(content: Any, where: str) -> str | list[JsonObject]:
    if isinstance(content, str):
        return content
    return [part_to_chat(part, where) for part in objects_of(content, where)]


def _spoken(content: Any, where: str) -> tuple[str, str]:
    """Return the text and the refusal of an assistant's content."""
    if isinstance(content, str):
        return content, ""
    text = refusal = ""
    for part in objects_of(content, where):
        match part.get("type"):
            case "output_text" | "input_text" | "text":
                text += string_of(part, "text", where)
            case "refusal":
                refusal += string_of(part, "refusal", where)
            case kind:
                raise ValueError(
                    f"{where}: a part of type {kind!r} has no counterpart in an assistant's chat "
                    "message; expected output_text or refusal"
                )
    return text, refusal


class _History:
    """Messages so far, and the assistant's answer that is still open at their end."""

    def __init__(self) -> None:
        self.messages: list[JsonObject] = []
        self._answer: JsonObject | None = None
        self._spoken: set[tuple[str, str]] = set()
        self._calls: dict[str, ToolCall] = {}
        self._outputs: dict[str, str | list[JsonObject]] = {}

    def say(self, role: str, content: str | list[JsonObject]) -> None:
        self._close_answer()
        self.messages.append({"role": role, "content": content})

    def answer(self, text: str, refusal: str) -> None:
        spoken = (text, refusal)
        if spoken == ("", "") or spoken in self._spoken:
            return
        self._spoken.add(spoken)
        message = self._answer
        if message is None or "tool_calls" not in message:
            message = self._open_answer()
        _append(message, "content", text)
        _append(message, "refusal", refusal)

    def call(self, call: ToolCall, where: str) -> None:
        known = self._calls.setdefault(call.call_id, call)
        if known is not call:
            if not _same_call(known, call):
                raise ValueError(f"{where}: another call has the same `call_id`")
            return
        message = self._answer or self._open_answer()
        message.setdefault("tool_calls", []).append(call.to_dict())

    def output(self, call_id: str, content: str | list[JsonObject], where: str) -> None:
        if call_id in self._outputs:
            if self._outputs[call_id] != content:
                raise ValueError(f"{where}: the call has another output already")
            return
        self._outputs[call_id] = content
        self._close_answer()
        self.messages.append({"role": "tool", "tool_call_id": call_id, "content": content})

    def _open_answer(self) -> JsonObject:
        self._answer = {"role": "assistant", "content": None}
        self.messages.append(self._answer)
        return self._answer

    def _close_answer(self) -> None:
        self._answer = None
        self._spoken.clear()


def _append(message: JsonObject, key: str, text: str) -> None:
    if text:
        before = message.get(key)
        message[key] = f"{before}\n\n{text}" if before else text


def _same_call(one: ToolCall, other: ToolCall) -> bool:
    """Compare by value: a client may have written the arguments anew."""
    if (one.name, one.kind) != (other.name, other.kind):
        return False
    if one.arguments == other.arguments:
        return True
    try:
        decoded: list[Any] = [msgspec.json.decode(call.arguments) for call in (one, other)]
    except (msgspec.DecodeError, RecursionError):
        return False
    return bool(decoded[0] == decoded[1])
