"""JSON schemas as models and servers like them: without references, closed, strict if possible."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

Json: TypeAlias = dict[str, Any]

# What strict mode takes: https://platform.openai.com/docs/guides/structured-outputs
_STRICT_KEYS = frozenset(
    {
        *("type", "title", "description", "enum", "const", "anyOf", "$ref", "$defs"),
        *("properties", "required", "additionalProperties", "items", "minItems", "maxItems"),
        *("pattern", "format", "multipleOf"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    }
)
_STRICT_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
)
_TYPE_NAMES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}


def simplify(schema: Json, components: dict[str, Json]) -> Json:
    """Put each definition where it is used, and close objects.

    Strict mode takes no description beside a reference, and small servers take no references: only
    types that contain themselves stay in ``$defs``.

    Args:
        schema: The root.
        components: What ``#/$defs/…`` means.
    """
    recursive = {name for name in components if name in _reachable(components[name], components)}
    simple = cast("Json", _simplify(_without_title(schema), components, recursive))
    if recursive:
        simple["$defs"] = {
            name: _simplify(_without_title(components[name]), components, recursive)
            for name in sorted(recursive)
        }
    return simple


def _reachable(node: Any, components: dict[str, Json]) -> set[str]:
    found: set[str] = set()
    waiting = list(_references(node))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _references(components[name])
    return found


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        name = _reference(cast("Json", node))
        if name is not None:
            yield name
        node = list(cast("Json", node).values())
    if isinstance(node, list):
        for inner in cast("list[object]", node):
            yield from _references(inner)


def _reference(node: Json) -> str | None:
    match node.get("$ref"):
        case str() as reference:
            return reference.removeprefix("#/$defs/")
        case _:
            return None


def _simplify(node: Any, components: dict[str, Json], recursive: set[str]) -> Any:
    if isinstance(node, list):
        return [_simplify(inner, components, recursive) for inner in cast("list[object]", node)]
    if not isinstance(node, dict):
        return node
    schema = cast("Json", node)
    name = _reference(schema)
    if name is not None and name not in recursive:
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return _simplify(_without_title(components[name]) | beside, components, recursive)
    simple: Json = {
        key: value if key in _VALUES else _simplify(value, components, recursive)
        for key, value in schema.items()
    }
    if isinstance(simple.get("properties"), dict) and simple.get("type") == "object":
        simple.setdefault("additionalProperties", False)
    if isinstance(simple.get("enum"), list) and "type" not in simple:
        simple = {"type": _type_of(simple["enum"])} | simple
    return simple


_VALUES = frozenset({"default", "enum", "const", "examples", "required"})  # not schemas


def _without_title(schema: Json) -> Json:
    """Drop the class's name, which tells the model nothing, and indent its docstring as usual."""
    tidy = {key: value for key, value in schema.items() if key != "title"}
    if isinstance(tidy.get("description"), str):
        tidy["description"] = inspect.cleandoc(tidy["description"])
    return tidy


def _type_of(values: list[Any]) -> str | list[str]:
    names = sorted({_TYPE_NAMES[type(value)] for value in values})
    return names[0] if len(names) == 1 else names


def strict_violations(schema: Json, path: str = "arguments") -> Iterator[str]:
    """Yield what strict mode would refuse, each as a place and a reason."""
    if "$ref" not in schema:
        yield from _own_violations(schema, path)
        yield from _inner_violations(schema, path)
    elif len(schema) > 1:
        yield f"{path}: a type that contains itself cannot have a description or a default"


def _own_violations(schema: Json, path: str) -> Iterator[str]:
    for key in schema:
        if key not in _STRICT_KEYS:
            yield f"{path}: `{key}` is not supported"
    if not {"type", "anyOf", "const"} & schema.keys():
        yield f"{path}: any JSON value is allowed"
    if schema.get("format", "date") not in _STRICT_FORMATS:
        yield f"{path}: format {schema['format']!r} is not supported"
    if schema.get("type") == "object":
        if schema.get("additionalProperties") is not False:
            yield f"{path}: a dict has no fixed keys"
        for name in schema.get("properties", {}):
            if name not in schema.get("required", ()):
                yield f"{path}.{name}: has a default, so the model may leave it out"
    if schema.get("type") == "array" and "items" not in schema:
        yield f"{path}: the list's members may be anything"


def _inner_violations(schema: Json, path: str) -> Iterator[str]:
    for name, inner in schema.get("properties", {}).items():
        yield from strict_violations(inner, f"{path}.{name}")
    for name, inner in schema.get("$defs", {}).items():
        yield from strict_violations(inner, name)
    if "items" in schema:
        yield from strict_violations(schema["items"], f"{path}[]")
    for inner in schema.get("anyOf", ()):
        yield from strict_violations(inner, path)
