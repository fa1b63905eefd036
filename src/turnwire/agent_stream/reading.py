"""Plain dicts to messages: the shapes of pi-ai, with keys in camelCase or snake_case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from turnwire.agent_stream.content import (
    AssistantContent,
    ImageContent,
    SaidContent,
    TextContent,
    ThinkingContent,
    ToolCall,
)
from turnwire.agent_stream.messages import (
    AssistantMessage,
    Context,
    Message,
    Model,
    ToolResultMessage,
    UserMessage,
)
from turnwire.errors import ConfigError

if TYPE_CHECKING:
    from turnwire.agent_stream.messages import StopReason, Tool

Json = Mapping[str, Any]

_STOP_REASONS: Final[tuple[StopReason, ...]] = ("stop", "length", "toolUse", "error", "aborted")


def read_model(given: str | Model | Json) -> Model:
    """Return the model.

    Raises:
        ConfigError: It has no id.
    """
    if isinstance(given, Model):
        return given
    if isinstance(given, str):
        return Model(given)
    fields = _object(given, "`model`")
    usual = Model("")
    return Model(
        id=_text(fields, "`model`", "id"),
        api=_text(fields, "`model`", "api", default=usual.api),
        provider=_text(fields, "`model`", "provider", default=usual.provider),
        reasoning=bool(fields.get("reasoning")),
    )


def read_context(given: Context | Json) -> Context:
    """Return the context, with messages as they were given.

    Raises:
        ConfigError: It is none.
    """
    if not isinstance(given, Context):
        fields = _object(given, "`context`")
        messages = _member(fields, "messages")
        prompt = _text(fields, "`context`", "systemPrompt", default="") or None
        tools: Sequence[Tool | Json] = _list(_member(fields, "tools") or (), "`tools`")
        return Context(_list(messages, "`messages`"), prompt, tools)
    return given


def read_messages(given: Sequence[Message | Json]) -> list[Message]:
    """Return messages, dicts among them read.

    Raises:
        ConfigError: One of them is no message.
    """
    return [read_message(each, f"messages[{at}]") for at, each in enumerate(given)]


def read_message(given: Message | Json, where: str) -> Message:
    """Return one message.

    Args:
        given: A message, or a dict with its ``role``.
        where: Names it in errors.

    Raises:
        ConfigError: It is none.
    """
    if isinstance(given, UserMessage | AssistantMessage | ToolResultMessage):
        return given
    fields = _object(given, where)
    content = _member(fields, "content")
    match fields.get("role"):
        case "user":
            return UserMessage(_said(content, where))
        case "assistant":
            return AssistantMessage(_answered(content, where), _stop_reason(fields))
        case "toolResult" | "tool_result":
            return ToolResultMessage(
                tool_call_id=_text(fields, where, "toolCallId"),
                tool_name=_text(fields, where, "toolName", default=""),
                content=_said(content, where),
                is_error=bool(_member(fields, "isError")),
            )
        case role:
            raise ConfigError(f"{where}: `role` is {role!r}; expected user, assistant, toolResult")


def _said(content: object, where: str) -> str | Sequence[SaidContent]:
    if isinstance(content, str):
        return content
    return [_part(part, f"{where}.content[{at}]") for at, part in enumerate(_list(content, where))]


def _part(given: object, where: str) -> SaidContent:
    if isinstance(given, TextContent | ImageContent):
        return given
    fields = _object(given, where)
    match fields.get("type"):
        case "text":
            return TextContent(_text(fields, where, "text"))
        case "image":
            mime_type = _text(fields, where, "mimeType", default=ImageContent("").mime_type)
            return ImageContent(_text(fields, where, "data"), mime_type)
        case kind:
            raise ConfigError(f"{where}: a part of type {kind!r}; expected text or image")


def _answered(content: object, where: str) -> Sequence[AssistantContent]:
    if isinstance(content, str):
        return (TextContent(content),) if content else ()
    return [_block(each, f"{where}.content[{at}]") for at, each in enumerate(_list(content, where))]


def _block(given: object, where: str) -> AssistantContent:
    if isinstance(given, TextContent | ThinkingContent | ToolCall):
        return given
    fields = _object(given, where)
    match fields.get("type"):
        case "text":
            return TextContent(_text(fields, where, "text"))
        case "thinking":
            return ThinkingContent(_text(fields, where, "thinking", default=""))
        case "toolCall":
            arguments = fields.get("arguments")
            if not isinstance(arguments, str):
                arguments = _object(arguments or {}, f"{where}.arguments")
            call_id, name = _text(fields, where, "id"), _text(fields, where, "name")
            return ToolCall(call_id, name, arguments, custom=fields.get("custom") is True)
        case kind:
            raise ConfigError(f"{where}: {kind!r}; expected text, thinking or toolCall")


def _stop_reason(fields: Json) -> StopReason:
    given = _member(fields, "stopReason")
    for reason in _STOP_REASONS:
        if reason == given:
            return reason
    return "stop"


def _member(fields: Json, name: str) -> Any:
    """Return a member by its camelCase name, or by the same in snake_case."""
    return fields[name] if name in fields else fields.get(snake_case(name))


def snake_case(name: str) -> str:
    """Write a camelCase name as Python does."""
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in name)


def camel_case(name: str) -> str:
    """Write a snake_case name as TypeScript does."""
    first, *others = name.split("_")
    return first + "".join(each.capitalize() for each in others)


def _text(fields: Json, where: str, name: str, *, default: str | None = None) -> str:
    text = _member(fields, name)
    if text is None and default is not None:
        return default
    if not isinstance(text, str):
        raise ConfigError(f"{where}: `{name}` must be text, not {type(text).__name__}")
    return text


def _object(value: object, where: str) -> Json:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} must be a dict, not {type(value).__name__}")
    return cast("Json", value)


def _list(value: object, where: str) -> Sequence[Any]:
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise ConfigError(f"{where} must be a list, not {type(value).__name__}")
    return value  # pyright: ignore[reportUnknownVariableType]  # each is looked at by itself
