"""From a Python signature to what the model must send: a struct to decode it, and its schema.

Does not know what a tool is or how it runs.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, get_type_hints

import msgspec

from turnwire.client.json_schema import simplify
from turnwire.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Json: TypeAlias = dict[str, Any]
_Kind = inspect.Parameter
_SUPPORTED = (
    "use str, int, float, bool, list, dict, a Literal, an Enum, a dataclass, a TypedDict, "
    "a msgspec.Struct or a union of these"
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a function.

    Attributes:
        name: Its name, on the wire too.
        type: What msgspec decodes it to.
        default: Its default, or ``inspect.Parameter.empty``.
        positional: Can only be given by position.
        note: A plain string in its ``Annotated``, taken as its description.
    """

    name: str
    type: Any
    default: Any
    positional: bool
    note: str | None

    @property
    def required(self) -> bool:
        """The model must give it."""
        return self.default is inspect.Parameter.empty


def read_parameters(function: Callable[..., Any], tool: str) -> tuple[Parameter, ...]:
    """Return the parameters that a call may give; those that a ``partial`` gave are not among them.

    Raises:
        ConfigError: A parameter that JSON arguments cannot fill.
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"tool {tool}: its signature cannot be read; wrap it in a Python function"
        ) from error
    given = _given(function)
    definition = _definition(function)
    return tuple(
        _read_parameter(parameter, definition, tool)
        for parameter in signature.parameters.values()
        if parameter.name not in given
    )


def _given(function: object) -> Mapping[str, Any]:
    return function.keywords if isinstance(function, functools.partial) else {}


def _definition(function: Callable[..., Any]) -> Any:
    """Return what the annotations were written on: behind partials, methods and wrappers."""
    if isinstance(function, functools.partial):
        return _definition(function.func)
    if inspect.ismethod(function):
        return _definition(function.__func__)
    if hasattr(function, "__wrapped__"):
        return _definition(inspect.unwrap(function))
    if inspect.isroutine(function):
        return function
    return _definition(type(function).__call__)


def _read_parameter(parameter: inspect.Parameter, definition: Any, tool: str) -> Parameter:
    name = parameter.name
    if parameter.kind in {_Kind.VAR_POSITIONAL, _Kind.VAR_KEYWORD}:
        raise ConfigError(
            f"tool {tool}: a model cannot fill `{parameter}`; name each parameter, "
            "or take one list or dict"
        )
    bare = parameter.annotation is inspect.Parameter.empty
    if bare and name in {"self", "cls"}:
        raise ConfigError(
            f"tool {tool}: a method without its object has `{name}` to fill; "
            "pass the method of an object, as in `tools=[box.open]`"
        )
    hint = Any if bare else _resolve(parameter, definition, tool)
    return Parameter(
        name=name,
        type=_check(hint, name, tool),
        default=parameter.default,
        positional=parameter.kind is _Kind.POSITIONAL_ONLY,
        note=_note(hint),
    )


def _resolve(parameter: inspect.Parameter, definition: Any, tool: str) -> Any:
    """Evaluate one annotation; those of other parameters and of the result may be unknown here."""

    def carrier() -> None:
        """Hold the annotation where `get_type_hints` looks for it."""

    carrier.__annotations__ = {parameter.name: parameter.annotation}
    names = getattr(definition, "__globals__", {})
    try:
        return get_type_hints(carrier, globalns=names, include_extras=True)[parameter.name]
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
        raise ConfigError(
            f"tool {tool}: the annotation of parameter `{parameter.name}` cannot be resolved "
            f"({error}); define or import what it names at the top of its module, not under "
            "TYPE_CHECKING or in a function"
        ) from error


def _check(hint: Any, name: str, tool: str) -> Any:
    try:
        msgspec.json.schema(hint)
    except (TypeError, ValueError, NameError, AttributeError) as error:
        reason = str(error).splitlines()[-1]
        raise ConfigError(
            f"tool {tool}: parameter `{name}` cannot be made from JSON ({reason}); {_SUPPORTED}"
        ) from error
    return hint


def _note(hint: Any) -> str | None:
    extras = getattr(hint, "__metadata__", ())
    return next((extra for extra in extras if isinstance(extra, str)), None)


def struct_of(parameters: tuple[Parameter, ...]) -> type[msgspec.Struct]:
    """Make the struct that a call's arguments decode to; what was not given is ``UNSET``."""
    fields = [
        (parameter.name, parameter.type)
        if parameter.required
        else (parameter.name, parameter.type, msgspec.UNSET)
        for parameter in parameters
    ]
    return msgspec.defstruct("Arguments", fields, kw_only=True, forbid_unknown_fields=True)


def schema_of(
    struct: type[msgspec.Struct],
    parameters: tuple[Parameter, ...],
    descriptions: Mapping[str, str],
) -> Json:
    """Return the JSON schema of a call's arguments.

    Args:
        struct: Made by :func:`struct_of`.
        parameters: What it was made of.
        descriptions: From the docstring; what an annotation says comes first.
    """
    (root,), components = msgspec.json.schema_components([struct], ref_template="#/$defs/{name}")
    schema = components.pop(root["$ref"].removeprefix("#/$defs/"))
    for parameter in parameters:
        described: Json = schema["properties"][parameter.name]
        text = parameter.note or descriptions.get(parameter.name)
        if text:
            described.setdefault("description", text)
        if not parameter.required:
            _add_default(described, parameter.default)
    return simplify(schema, components)


def _add_default(schema: Json, default: Any) -> None:
    with contextlib.suppress(TypeError):  # a private marker: the function knows what it means
        schema["default"] = msgspec.to_builtins(default)
