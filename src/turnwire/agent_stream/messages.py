"""What a stream is given and what it gives back: messages, tools, the context, the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from turnwire.agent_stream.content import AssistantContent, SaidContent, TextContent, ToolCall

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

StopReason: TypeAlias = Literal["stop", "length", "toolUse", "error", "aborted"]


@dataclass(frozen=True, slots=True)
class Cost:
    """Zeros: prices are the runner's business."""

    input: float = 0.0
    output: float = 0.0
    cache_read: float = 0.0
    cache_write: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens; ``input``, ``output``, ``cache_read`` and ``cache_write`` do not overlap.

    Attributes:
        input: Read anew.
        output: Written, reasoning included.
        cache_read: Came from the prompt cache.
        cache_write: Went into it.
        total_tokens: As the server counts.
        reasoning: The part of ``output`` that was reasoning.
        cost: Zeros.
    """

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    total_tokens: int = 0
    reasoning: int = 0
    cost: Cost = Cost()


@dataclass(frozen=True, slots=True)
class UserMessage:
    """What the user said; ``timestamp`` in milliseconds since 1970, as in all messages."""

    content: str | Sequence[SaidContent] = field(repr=False)
    timestamp: int = 0
    role: ClassVar[Literal["user"]] = "user"


@dataclass(frozen=True, slots=True)
class AssistantMessage:
    """What the model answered, or as much of it as came.

    Attributes:
        content: Text, thinking and tool calls, in order.
        stop_reason: ``stop``, ``length``, ``toolUse``, ``error`` or ``aborted``.
        api: As the model's.
        provider: As the model's.
        model: The model's id.
        usage: Zeros until the end.
        timestamp: When it began.
        error_message: What went wrong, or None.
        response_id: The server's id, or None.
    """

    content: Sequence[AssistantContent] = field(default=(), repr=False)
    stop_reason: StopReason = "stop"
    api: str = "openai-responses"
    provider: str = "openai"
    model: str = ""
    usage: Usage = Usage()
    timestamp: int = 0
    error_message: str | None = None
    response_id: str | None = None
    role: ClassVar[Literal["assistant"]] = "assistant"

    @property
    def text(self) -> str:
        """All text, joined."""
        return "".join(part.text for part in self.content if isinstance(part, TextContent))

    @property
    def tool_calls(self) -> list[ToolCall]:
        """All tool calls, in order."""
        return [part for part in self.content if isinstance(part, ToolCall)]


@dataclass(frozen=True, slots=True)
class ToolResultMessage:
    """What a tool returned, or how it failed.

    Attributes:
        tool_call_id: The call's id.
        tool_name: The tool, for people.
        content: Text and images.
        is_error: True if it failed; the model is told by the text.
        timestamp: When.
    """

    tool_call_id: str
    tool_name: str = ""
    content: str | Sequence[SaidContent] = field(default="", repr=False)
    is_error: bool = False
    timestamp: int = 0
    role: ClassVar[Literal["toolResult"]] = "toolResult"


Message: TypeAlias = UserMessage | AssistantMessage | ToolResultMessage


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call.

    Attributes:
        name: Its name.
        description: When to call it.
        parameters: JSON Schema of its arguments.
        strict: Whether the model is held to the schema.
    """

    name: str
    description: str | None = None
    parameters: Mapping[str, Any] | None = field(default=None, repr=False)
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """The whole history, each time.

    Attributes:
        messages: Oldest first.
        system_prompt: Goes out as ``instructions``.
        tools: What the model may call; dicts of any other type of tool go out as they are.
    """

    messages: Sequence[Message | Mapping[str, Any]] = field(repr=False)
    system_prompt: str | None = field(default=None, repr=False)
    tools: Sequence[Tool | Mapping[str, Any]] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Model:
    """Which model.

    Attributes:
        id: The server's name for it.
        api: Copied into messages.
        provider: Copied into messages.
        reasoning: True if it reasons; then encrypted reasoning is asked for where nothing is
            stored, so that it can be handed back after a socket is lost.
    """

    id: str
    api: str = "openai-responses"
    provider: str = "openai"
    reasoning: bool = False
