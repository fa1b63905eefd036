"""Responses to assistant messages: content, usage, stop reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from turnwire.agent_stream.content import (
    AssistantContent,
    TextContent,
    ThinkingContent,
    ToolCall,
)
from turnwire.agent_stream.messages import AssistantMessage, Usage
from turnwire.errors import TurnError
from turnwire.events import (
    Item,
    ResponseCustomToolCall,
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseReasoningItem,
)

if TYPE_CHECKING:
    from turnwire.agent_stream.messages import Model, StopReason
    from turnwire.events import Response
    from turnwire.events import Usage as ServerUsage

_HALF: Final = ("in_progress", "incomplete")


def message_of(response: Response, model: Model, timestamp: int) -> AssistantMessage:
    """Return the message that a response is; its half calls are left out, nobody could run them.

    Raises:
        TurnError: The server stopped the answer for another reason than its length.
    """
    cut = response.status == "incomplete"
    content = [content_of(item, cut=cut) for item in response.output]
    kept = tuple(part for part in content if part is not None)
    return AssistantMessage(
        content=kept,
        stop_reason=_stop_reason(response, calls=any(isinstance(each, ToolCall) for each in kept)),
        api=model.api,
        provider=model.provider,
        model=model.id,
        usage=usage_of(response.usage),
        timestamp=timestamp,
        response_id=response.id or None,
    )


def content_of(item: Item, *, cut: bool = False) -> AssistantContent | None:
    """Return what an output item shows, or None if it shows nothing or is half a call.

    Args:
        item: The item.
        cut: True if the response was cut off, so that arguments which are no JSON are half.
    """
    match item:
        case ResponseOutputMessage(content=parts):
            text = "".join(part.text or part.refusal or "" for part in parts)
            return TextContent(text) if text else None
        case ResponseReasoningItem(summary=summary, content=parts):
            thinking = "\n\n".join(part.text for part in summary)
            thinking = thinking or "".join(part.text or "" for part in parts or ())
            return ThinkingContent(thinking) if thinking else None
        case ResponseFunctionToolCall():
            arguments = _arguments(item.arguments)
            half = item.status in _HALF or (cut and isinstance(arguments, str))
            return None if half else ToolCall(item.call_id, item.name, arguments)
        case ResponseCustomToolCall():
            half = item.status in _HALF
            return None if half else ToolCall(item.call_id, item.name, item.input, custom=True)
        case _:  # hosted tools and what is not known yet: the server's own affair
            return None


def _arguments(text: str) -> dict[str, Any] | str:
    """Return the arguments as an object; as they came if they are none."""
    if not text:
        return {}
    try:
        arguments: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
    return cast("dict[str, Any]", arguments) if isinstance(arguments, dict) else text


def _stop_reason(response: Response, *, calls: bool) -> StopReason:
    if response.status != "incomplete":
        return "toolUse" if calls else "stop"
    reason = response.incomplete_details.reason if response.incomplete_details else None
    if reason in (None, "max_output_tokens", "max_tokens"):
        return "length"
    raise TurnError(f"the server stopped the answer: {reason}", code=reason, delivery="terminal")


def usage_of(usage: ServerUsage | None) -> Usage:
    """Return tokens as runners count them: what came from the cache is not in ``input``."""
    if usage is None:
        return Usage()
    read = usage.input_tokens_details
    written = usage.output_tokens_details
    cached = read.cached_tokens if read else 0
    to_cache = read.cache_write_tokens if read else 0
    return Usage(
        input=max(0, usage.input_tokens - cached - to_cache),
        output=usage.output_tokens,
        cache_read=cached,
        cache_write=to_cache,
        total_tokens=usage.total_tokens or usage.input_tokens + usage.output_tokens,
        reasoning=written.reasoning_tokens if written else 0,
    )
