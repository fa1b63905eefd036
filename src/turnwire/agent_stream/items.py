"""Messages to input items, message by message."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from turnwire.agent_stream.content import ImageContent, TextContent, ThinkingContent, ToolCall
from turnwire.agent_stream.messages import AssistantMessage, ToolResultMessage, UserMessage
from turnwire.errors import ConfigError
from turnwire.events.conversion import items_from_messages

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from turnwire.agent_stream.content import SaidContent
    from turnwire.agent_stream.messages import Message

Json = dict[str, Any]

_CUT_OFF: Final = ("error", "aborted")
_FAILED_SILENTLY: Final = "The tool failed and said nothing."
# Runners write a call's item behind its id: "call_1|fc_1".
_ITEM_BEHIND: Final = re.compile(r"\|(?:fc|ctc)_.*", re.DOTALL)


def items_of(messages: Sequence[Message]) -> list[list[Json]]:
    """Convert messages to input items; a list for each message.

    Thinking is left out: it is for the server that made it.  Of an answer that was cut off the
    text is kept, and those calls that have a result.

    Raises:
        ConfigError: Something cannot be sent as JSON.
    """
    results = [each for each in messages if isinstance(each, ToolResultMessage)]
    answered = {_call_id(each.tool_call_id) for each in results}
    custom = _custom_calls(messages)
    try:
        return [
            items_from_messages(
                [_plain(message, answered)], first_index=index, custom_call_ids=custom
            )
            for index, message in enumerate(messages)
        ]
    except ValueError as error:
        raise ConfigError(f"the messages cannot be sent: {error}") from error


def items_of_answer(message: AssistantMessage) -> list[Json]:
    """Convert a whole answer, just as :func:`items_of` will once it is handed back."""
    return items_of([message])[0]


def _custom_calls(messages: Iterable[Message]) -> set[str]:
    return {
        _call_id(call.id)
        for message in messages
        if isinstance(message, AssistantMessage)
        for call in message.tool_calls
        if call.custom
    }


def _call_id(given: str) -> str:
    return _ITEM_BEHIND.sub("", given)


def _plain(message: Message, answered: set[str]) -> Json:
    """Return a message as the converter of all dialects reads it."""
    match message:
        case UserMessage(content=content):
            return {"role": "user", "content": _said(content)}
        case AssistantMessage():
            return {"role": "assistant", "content": _blocks(message, answered)}
        case ToolResultMessage():
            output = _said(message.content)
            if not output and message.is_error:
                output = _FAILED_SILENTLY
            call_id = _call_id(message.tool_call_id)
            return {"role": "toolResult", "toolCallId": call_id, "content": output}


def _said(content: str | Sequence[SaidContent]) -> str | list[Json]:
    if isinstance(content, str):
        return content
    texts = [part.text for part in content if isinstance(part, TextContent)]
    if len(texts) == len(content):
        return "".join(texts)
    return [_part(part) for part in content]


def _part(part: SaidContent) -> Json:
    if isinstance(part, ImageContent):
        return {"type": "image", "data": part.data, "mimeType": part.mime_type}
    return {"type": "text", "text": part.text}


def _blocks(message: AssistantMessage, answered: set[str]) -> list[Json]:
    blocks: list[Json] = []
    for part in message.content:
        if isinstance(part, ThinkingContent):
            continue
        if isinstance(part, TextContent):
            blocks.append({"type": "text", "text": part.text})
        elif message.stop_reason not in _CUT_OFF or _call_id(part.id) in answered:
            blocks.append(_call(part))
    return blocks


def _call(call: ToolCall) -> Json:
    call_id = _call_id(call.id)
    if call.custom:
        inside = {"name": call.name, "input": str(call.arguments)}
        return {"type": "custom", "id": call_id, "custom": inside}
    arguments = call.arguments
    return {"type": "toolCall", "id": call_id, "name": call.name, "arguments": arguments}
