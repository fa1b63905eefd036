"""What messages consist of: text, thinking, images, tool calls.  ``repr`` shows none of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class TextContent:
    """Text of anybody's."""

    text: str = field(repr=False)
    type: ClassVar[Literal["text"]] = "text"


@dataclass(frozen=True, slots=True)
class ThinkingContent:
    """How the model reasoned, as far as the server shows it; never sent back."""

    thinking: str = field(repr=False)
    type: ClassVar[Literal["thinking"]] = "thinking"


@dataclass(frozen=True, slots=True)
class ImageContent:
    """An image.

    Attributes:
        data: Base64.
        mime_type: Such as ``image/png``.
    """

    data: str = field(repr=False)
    mime_type: str = "image/jpeg"
    type: ClassVar[Literal["image"]] = "image"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model wants called.

    Attributes:
        id: Names the call; its result carries the same id.
        name: The tool.
        arguments: An object; text while it is still coming, where the model wrote no JSON object,
            and for a custom tool.
        custom: True if it calls a custom tool, whose input is free text.
    """

    id: str
    name: str
    arguments: Mapping[str, Any] | str = field(repr=False)
    custom: bool = False
    type: ClassVar[Literal["toolCall"]] = "toolCall"


SaidContent: TypeAlias = TextContent | ImageContent
AssistantContent: TypeAlias = TextContent | ThinkingContent | ToolCall
