"""Tools and handoffs, as functions of the wire."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from agents import FunctionTool, UserError
from agents.model_settings import MCPToolChoice

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agents import Handoff, Tool

_CHOICES: Final = ("auto", "none", "required")


def session_tools(
    tools: Iterable[Tool] | None, handoffs: Iterable[Handoff[Any, Any]] | None
) -> list[dict[str, Any]]:
    """Return what the model can call; what is not enabled is left out.

    Raises:
        UserError: A tool is no function, or two have one name.
    """
    found = [_function(tool) for tool in tools or () if _is_enabled(tool)]
    for handoff in handoffs or ():
        if _is_enabled(handoff):
            name, about = handoff.tool_name, handoff.tool_description
            found.append(_entry(name, about, handoff.input_json_schema))
    twice = [name for name, count in Counter(each["name"] for each in found).items() if count > 1]
    if twice:
        raise UserError(
            f"tools and handoffs need names of their own; there are several {', '.join(twice)}"
        )
    return found


def tool_choice(choice: object) -> object:
    """Return which tool the model is to call."""
    if isinstance(choice, MCPToolChoice):
        return {"type": "mcp", "server_label": choice.server_label, "name": choice.name}
    if isinstance(choice, str) and choice not in _CHOICES:
        return {"type": "function", "name": choice}
    return choice


def _is_enabled(one: object) -> bool:
    return getattr(one, "is_enabled", True) is not False  # the session has asked the functions


def _function(tool: Tool) -> dict[str, Any]:
    if not isinstance(tool, FunctionTool):
        raise UserError(
            f"{tool.name} is no function tool; a Realtime session of the SDK runs no others"
        )
    return _entry(tool.name, tool.description, tool.params_json_schema)


def _entry(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "name": name, "description": description, "parameters": schema}
