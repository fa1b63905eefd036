"""What the model answered, as one chat message, and the small items that answer the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from turnwire.events.response import (
    Item,
    Response,
    ResponseCustomToolCall,
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseReasoningItem,
    Usage,
)

if TYPE_CHECKING:
    from turnwire.events.conversion.plain import JsonObject

ToolKind: TypeAlias = Literal["function", "custom"]
StopReason: TypeAlias = Literal[
    "stop", "tool_calls", "length", "content_filter", "incomplete", "error", "cancelled"
]


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that the model wants called.

    Attributes:
        call_id: Names the call; its output carries the same id.
        name: The tool.
        arguments: JSON text as the model wrote it, or the free text of a custom tool.
        kind: ``function`` or ``custom``.
    """

    call_id: str
    name: str
    arguments: str = "{}"
    kind: ToolKind = "function"

    def to_dict(self) -> JsonObject:
        """Return the call as it stands in a chat message's ``tool_calls``."""
        text = "arguments" if self.kind == "function" else "input"
        inside = {"name": self.name, text: self.arguments}
        return {"id": self.call_id, "type": self.kind, self.kind: inside}

    def to_item(self) -> JsonObject:
        """Return the call as an input item."""
        if self.kind == "custom":
            kind, text = "custom_tool_call", "input"
        else:
            kind, text = "function_call", "arguments"
        return {"type": kind, "call_id": self.call_id, "name": self.name, text: self.arguments}


class AssistantMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A response as one assistant message.

    Attributes:
        text: All output text, joined; empty if there is none.
        refusal: All refusals, joined, or None.
        tool_calls: Function and custom tool calls, in order.
        other_items: Output items that a chat message has no place for, such as a web search;
            reasoning is not among them.
        stop_reason: Why the model stopped: Chat's words ``stop``, ``tool_calls``, ``length`` and
            ``content_filter``; ``incomplete`` for any other early end, ``error`` or ``cancelled``.
        usage: Tokens, or None where the server does not say.
        response_id: The response's id.
        model: The model's name, or None.
    """

    text: str = ""
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    other_items: tuple[Item, ...] = ()
    stop_reason: StopReason = "stop"
    usage: Usage | None = None
    response_id: str = ""
    model: str | None = None

    def to_dict(self) -> JsonObject:
        """Return the chat message: role, content, and refusal and tool calls where there are."""
        message: JsonObject = {"role": "assistant", "content": self.text or None}
        if self.refusal is not None:
            message["refusal"] = self.refusal
        if self.tool_calls:
            message["tool_calls"] = [call.to_dict() for call in self.tool_calls]
        return message


def assistant_message(response: Response) -> AssistantMessage:
    """Fold a response into one assistant message; reasoning stays in ``response.output``."""
    texts: list[str] = []
    refusals: list[str] = []
    calls: list[ToolCall] = []
    others: list[Item] = []
    for item in response.output:
        match item:
            case ResponseOutputMessage():
                texts += [part.text for part in item.content if part.text is not None]
                refusals += [part.refusal for part in item.content if part.refusal is not None]
            case ResponseFunctionToolCall(call_id=call_id, name=name, arguments=arguments):
                calls.append(ToolCall(call_id=call_id, name=name, arguments=arguments))
            case ResponseCustomToolCall(call_id=call_id, name=name, input=text):
                calls.append(ToolCall(call_id=call_id, name=name, arguments=text, kind="custom"))
            case ResponseReasoningItem():
                pass
            case _:
                others.append(item)
    return AssistantMessage(
        text="".join(texts),
        refusal="".join(refusals) if refusals else None,
        tool_calls=tuple(calls),
        other_items=tuple(others),
        stop_reason=_stop_reason(response, calls=bool(calls)),
        usage=response.usage,
        response_id=response.id,
        model=response.model,
    )


_EARLY_ENDS: dict[str | None, StopReason] = {
    "max_output_tokens": "length",
    "content_filter": "content_filter",
}


def _stop_reason(response: Response, *, calls: bool) -> StopReason:
    match response.status:
        case "completed" | None:
            return "tool_calls" if calls else "stop"
        case "failed":
            return "error"
        case "cancelled":
            return "cancelled"
        case _:
            # An early end wins over calls: the last one may be cut off.
            details = response.incomplete_details
            return _EARLY_ENDS.get(details.reason if details else None, "incomplete")


def function_call_output(
    call_id: str, output: str | list[dict[str, Any]], *, kind: ToolKind = "function"
) -> JsonObject:
    """Return the input item that answers a call.

    Args:
        call_id: The call's id.
        output: Text, or a list of ``input_text``, ``input_image`` and ``input_file`` parts.
        kind: ``custom`` for a custom tool, whose output is an item of another type.
    """
    name = "function_call_output" if kind == "function" else "custom_tool_call_output"
    return {"type": name, "call_id": call_id, "output": output}


def user_message(text: str) -> JsonObject:
    """Return the input item for what the user said."""
    return {"type": "message", "role": "user", "content": text}
