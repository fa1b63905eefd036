"""Tool definitions and tool choice: nested in Chat Completions, flat in the Responses API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from turnwire.events.conversion.plain import JsonObject, copy_object, object_of, plain_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NESTED = ("function", "custom")


class ChatTools(NamedTuple):
    """The tools that Chat Completions can say, and those that it cannot.

    Attributes:
        tools: In chat form.
        unsupported: Unchanged: hosted tools and other types that only the Responses API has.
    """

    tools: list[JsonObject]
    unsupported: list[JsonObject]


def function_tools_from_chat_tools(tools: Iterable[Any]) -> list[JsonObject]:
    """Convert chat tools to Responses tools; tools that are flat already pass unchanged.

    A chat function without ``strict`` is not strict, but a Responses function without it may be:
    so ``strict`` is always written.

    Raises:
        ValueError: Not a list of JSON objects.
    """
    return [_flat(copy_object(tool, f"tools[{index}]")) for index, tool in enumerate(tools)]


def _flat(tool: JsonObject) -> JsonObject:
    kind = tool.get("type")
    if kind not in _NESTED or kind not in tool:
        return tool
    inside = object_of(tool, kind, "tool")
    flat: JsonObject = {"type": kind}
    flat |= {key: value for key, value in inside.items() if value is not None}
    if kind == "function":
        flat.setdefault("parameters", {"type": "object", "properties": {}})
        flat.setdefault("strict", False)
    elif _is_grammar(flat):
        flat["format"] = {"type": "grammar"} | object_of(flat["format"], "grammar", "tool format")
    return flat


def _is_grammar(tool: JsonObject) -> bool:
    shape: Any = tool.get("format")
    return isinstance(shape, dict) and shape.get("type") == "grammar"  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def chat_tools_from_tools(tools: Iterable[Any]) -> ChatTools:
    """Convert Responses tools to chat tools and report those that chat does not have.

    Raises:
        ValueError: Not a list of JSON objects.
    """
    made = ChatTools([], [])
    for index, value in enumerate(tools):
        tool = copy_object(value, f"tools[{index}]")
        match tool.get("type"):
            case "function":
                made.tools.append(_nested_function(tool))
            case "custom":
                made.tools.append(_nested_custom(tool))
            case _:
                made.unsupported.append(tool)
    return made


def _nested_function(tool: JsonObject) -> JsonObject:
    if "function" in tool:
        return tool
    inside = _pick(tool, "name", "description", "parameters")
    if tool.get("strict"):  # false is the default of chat, and not every chat server knows the key
        inside["strict"] = True
    return {"type": "function", "function": inside}


def _nested_custom(tool: JsonObject) -> JsonObject:
    if "custom" in tool:
        return tool
    inside = _pick(tool, "name", "description", "format")
    if _is_grammar(inside):
        grammar = {key: value for key, value in inside["format"].items() if key != "type"}
        inside["format"] = {"type": "grammar", "grammar": grammar}
    return {"type": "custom", "custom": inside}


def _pick(tool: JsonObject, *keys: str) -> JsonObject:
    return {key: tool[key] for key in keys if tool.get(key) is not None}


def tool_choice_from_chat(choice: str | Mapping[str, Any]) -> str | JsonObject:
    """Convert a chat ``tool_choice``; words and unknown types pass unchanged.

    Raises:
        ValueError: Neither a word nor a JSON object of the documented shape.
    """
    if isinstance(choice, str):
        return choice
    loaded = plain_object(choice, "tool_choice")
    match loaded.get("type"):
        case "function" | "custom" as kind if kind in loaded:
            return {"type": kind} | object_of(loaded, kind, "tool_choice")
        case "allowed_tools" if "allowed_tools" in loaded:
            inside = object_of(loaded, "allowed_tools", "tool_choice")
            tools = [tool_choice_from_chat(tool) for tool in inside.get("tools", [])]
            return {"type": "allowed_tools"} | inside | {"tools": tools}
        case _:
            return loaded


def chat_tool_choice(choice: str | Mapping[str, Any]) -> str | JsonObject:
    """Convert a Responses ``tool_choice`` to chat.

    Raises:
        ValueError: A choice that chat does not have, such as a hosted tool.
    """
    if isinstance(choice, str):
        return choice
    loaded = plain_object(choice, "tool_choice")
    match loaded.get("type"):
        case "function" | "custom" as kind if "name" in loaded:
            return {"type": kind, kind: {"name": loaded["name"]}}
        case "allowed_tools" if "tools" in loaded:
            tools = [chat_tool_choice(tool) for tool in loaded["tools"]]
            mode = loaded.get("mode", "auto")
            return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}
        case "function" | "custom" | "allowed_tools":
            raise ValueError("tool_choice: expected `name`, or `tools` for allowed_tools")
        case kind:
            raise ValueError(
                f"tool_choice: type {kind!r} has no counterpart in Chat Completions; expected "
                "auto, none, required, a function, a custom tool or allowed_tools"
            )
