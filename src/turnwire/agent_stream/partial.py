"""An answer on its way, as it was at some moment, without copying it at every delta."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from turnwire.agent_stream.content import (
    AssistantContent,
    TextContent,
    ThinkingContent,
    ToolCall,
)
from turnwire.agent_stream.messages import AssistantMessage

if TYPE_CHECKING:
    from turnwire.agent_stream.messages import Model

Kind: TypeAlias = Literal["text", "thinking", "toolCall"]


@dataclass(slots=True)
class Block:
    """One part of an answer: pieces as they come, then the whole.

    Attributes:
        kind: What it becomes.
        call: Id, name and kind of a tool call, without its arguments.
        pieces: What has come.
        part: Which part of its item the last piece belonged to.
        whole: The finished part.
        ended: True once its end was told.
    """

    kind: Kind
    call: ToolCall | None = None
    pieces: list[str] = field(default_factory=list[str])
    part: int = 0
    whole: AssistantContent | None = None
    ended: bool = False

    def after(self, count: int) -> AssistantContent:
        """Return the part as it was after so many pieces."""
        text = "".join(self.pieces[:count])
        if self.kind == "text":
            return TextContent(text)
        if self.kind == "thinking":
            return ThinkingContent(text)
        call = self.call or ToolCall("", "", "")
        return ToolCall(call.id, call.name, text, custom=call.custom)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An answer at one moment.

    Attributes:
        model: Who answers.
        timestamp: When it began, in milliseconds.
        blocks: Each block with how many of its pieces had come, or with its whole.
    """

    model: Model
    timestamp: int
    blocks: tuple[tuple[Block, int | AssistantContent], ...] = ()

    def message(self) -> AssistantMessage:
        """Return the message so far; made anew at each use."""
        return AssistantMessage(
            content=tuple(
                block.after(there) if isinstance(there, int) else there
                for block, there in self.blocks
            ),
            api=self.model.api,
            provider=self.model.provider,
            model=self.model.id,
            timestamp=self.timestamp,
        )
