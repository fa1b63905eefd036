"""Tools and the choice among them, in the flat shape of the Responses API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from turnwire.agent_stream.messages import Tool
from turnwire.errors import ConfigError
from turnwire.events.conversion import function_tools_from_chat_tools, tool_choice_from_chat

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Json = dict[str, Any]


def definitions_of(tools: Iterable[Tool | Mapping[str, Any]]) -> list[Json]:
    """Describe tools for the server.

    Dicts with ``name``, ``description`` and ``parameters`` are functions, whatever else a runner
    keeps in them; dicts with a ``type`` are taken as they are, Chat's nested ones made flat.

    Raises:
        ConfigError: One of them is no tool.
    """
    return [_definition(tool, f"tools[{index}]") for index, tool in enumerate(tools)]


def _definition(tool: Tool | Mapping[str, Any], where: str) -> Json:
    if isinstance(tool, Tool):
        return _function(tool.name, tool.description, tool.parameters, strict=tool.strict)
    if "type" not in tool:
        name, description = tool.get("name"), tool.get("description")
        if not isinstance(name, str) or not name:
            raise ConfigError(f"{where}: expected a `name`, or a `type` for a tool of the server's")
        text = description if isinstance(description, str) else None
        return _function(name, text, tool.get("parameters"), strict=tool.get("strict") is True)
    try:
        return function_tools_from_chat_tools([tool])[0]
    except ValueError as error:
        raise ConfigError(f"{where} cannot be sent: {error}") from error


def _function(
    name: str, description: str | None, parameters: Mapping[str, Any] | None, *, strict: bool
) -> Json:
    definition: Json = {"type": "function", "name": name}
    if description is not None:
        definition["description"] = description
    definition["parameters"] = parameters or {"type": "object", "properties": {}}
    # Always said: without it a server may hold the model to a schema that was not made for it.
    definition["strict"] = strict
    return definition


def choice_of(choice: str | Mapping[str, Any] | None) -> str | Json | None:
    """Return the tool choice, made flat.

    Raises:
        ConfigError: It is neither a word nor an object of a known shape.
    """
    if choice is None:
        return None
    try:
        return tool_choice_from_chat(choice)
    except ValueError as error:
        raise ConfigError(str(error)) from error
