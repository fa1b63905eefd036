"""Chat-Completions messages to Responses items and back, with tools and the answer.

One import path for the whole subject; the client's tool loop and the gateway both use it.
What the two APIs cannot say to each other raises :class:`ValueError`; what is left out on purpose
is listed at ``NOT_SENT`` in ``items`` and in :func:`messages_from_items`.
"""

from turnwire.events.conversion.answer import (
    AssistantMessage,
    StopReason,
    ToolCall,
    assistant_message,
    function_call_output,
    user_message,
)
from turnwire.events.conversion.items import items_from_messages
from turnwire.events.conversion.messages import messages_from_items
from turnwire.events.conversion.tools import (
    ChatTools,
    chat_tool_choice,
    chat_tools_from_tools,
    function_tools_from_chat_tools,
    tool_choice_from_chat,
)

__all__ = [
    "AssistantMessage",
    "ChatTools",
    "StopReason",
    "ToolCall",
    "assistant_message",
    "chat_tool_choice",
    "chat_tools_from_tools",
    "function_call_output",
    "function_tools_from_chat_tools",
    "items_from_messages",
    "messages_from_items",
    "tool_choice_from_chat",
    "user_message",
]
