"""Reasoning beside the answer's text, under every name that servers have for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from turnwire.gateway.json_shapes import array_or_empty, is_object

if TYPE_CHECKING:
    from turnwire.gateway.upstreams.chat.chunks import Said


def reasoning_in(said: Said) -> str:
    """Return the reasoning of a chunk; servers that send it twice mean it once."""
    for value in (said.reasoning_content, said.reasoning, said.thinking, said.reasoning_details):
        if value and (text := text_in(value)):
            return text
    return ""


def text_in(value: Any) -> str:
    """Return the text in a string, an object, or a list of either."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(map(text_in, array_or_empty(value)))
    if not is_object(value):
        return ""
    members = ("text", "content", "thinking", "summary")
    return next((text for name in members if (text := text_in(value.get(name)))), "")
