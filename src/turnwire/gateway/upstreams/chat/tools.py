"""The client's tools as functions of a chat server, and the server's calls as the client's calls.

A chat server knows functions.  A custom tool becomes one that takes a string, the tools of a
namespace become functions of their own; whatever else there is only the response repeats (R8).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from turnwire.gateway.json_shapes import Json, array_or_empty, is_object, object_or_empty

if TYPE_CHECKING:
    from collections.abc import Iterator

# The one argument of the function that stands for a custom tool.
CUSTOM_ARGUMENT: Final = "input"


class Tool(NamedTuple):
    """A tool as the client knows it, under the name that the chat server knows."""

    chat_name: str
    name: str
    kind: Literal["function", "custom"]
    namespace: str | None
    declared: Json


class ToolTable:
    """The tools of one turn that a chat server can be told about.

    Args:
        declared: The create's ``tools``.
    """

    def __init__(self, declared: list[Json]) -> None:
        self._tools = {tool.chat_name: tool for tool in _usable(declared)}

    @property
    def chat_names(self) -> tuple[str, ...]:
        """Every name by which the server may call."""
        return tuple(self._tools)

    def called(self, chat_name: str) -> Tool:
        """Return the tool that the server means; one that nobody declared is a function."""
        tool = self._tools.get(chat_name)
        return tool or Tool(chat_name, chat_name, "function", None, {})

    def chat_tools(self, allowed: frozenset[str] | None) -> list[Json]:
        """Return the body's ``tools``; all of them if ``allowed`` is None."""
        return [
            {"type": "function", "function": _function(tool)}
            for tool in self._tools.values()
            if allowed is None or tool.chat_name in allowed
        ]

    def choice(self, choice: str | Json) -> tuple[str | Json | None, frozenset[str] | None]:
        """Return the body's ``tool_choice``, and the names that are allowed, or None for all.

        A choice of a tool that the server does not know leaves the choice to the model.
        """
        if isinstance(choice, str):
            return choice, None
        if choice.get("type") == "allowed_tools":
            # Chat servers do not know the form: only the allowed ones are sent.
            entries = map(object_or_empty, array_or_empty(choice.get("tools")))
            names = frozenset(name for entry in entries if (name := self._chosen(entry)))
            return str(choice.get("mode", "auto")), names
        name = self._chosen(choice)
        return ({"type": "function", "function": {"name": name}} if name else None), None

    def _chosen(self, choice: Json) -> str | None:
        name = choice.get("name") or object_or_empty(choice.get("function")).get("name")
        namespace = choice.get("namespace")
        for tool in self._tools.values():
            if tool.name == name and namespace in (None, tool.namespace):
                return tool.chat_name
        return None


def chat_name(name: str, namespace: Any) -> str:
    """Return the name by which a chat server knows a tool."""
    if not isinstance(namespace, str) or not namespace:
        return name
    return f"{namespace.removesuffix('__')}__{name}"


def _usable(declared: list[Json], namespace: str | None = None) -> Iterator[Tool]:
    for tool in declared:
        kind: Any = tool.get("type")
        name: Any = tool.get("name")
        if kind == "namespace" and namespace is None and isinstance(name, str):
            inner = [each for each in array_or_empty(tool.get("tools")) if is_object(each)]
            yield from _usable(inner, name)
        elif kind in ("function", "custom") and isinstance(name, str):
            yield Tool(chat_name(name, namespace), name, kind, namespace, tool)


def _function(tool: Tool) -> Json:
    function: Json = {"name": tool.chat_name}
    if isinstance(tool.declared.get("description"), str):
        function["description"] = tool.declared["description"]
    if tool.kind == "custom":
        function["parameters"] = _takes_text(object_or_empty(tool.declared.get("format")))
        return function
    # Some servers fail on a function without parameters.
    function["parameters"] = tool.declared.get("parameters") or {"type": "object", "properties": {}}
    if isinstance(tool.declared.get("strict"), bool):
        function["strict"] = tool.declared["strict"]
    return function


def _takes_text(form: Json) -> Json:
    """Return the schema of a custom tool's one argument; a grammar can only be described."""
    about = "The tool's whole input, as plain text."
    if form.get("type") == "grammar":
        grammar = object_or_empty(form.get("grammar")) or form  # nested in chat completions
        syntax, definition = grammar.get("syntax"), grammar.get("definition")
        about += f" It must follow this {syntax} grammar:\n{definition}"
    return {
        "type": "object",
        "properties": {CUSTOM_ARGUMENT: {"type": "string", "description": about}},
        "required": [CUSTOM_ARGUMENT],
        "additionalProperties": False,
    }
