"""A Python function as a tool: how the model sees it, and how its arguments reach it.

Does not know about calls and their outputs: ``tools`` does.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, overload

import msgspec

from turnwire.client.docstrings import read_docstring
from turnwire.client.json_schema import strict_violations
from turnwire.client.schema import Parameter, read_parameters, schema_of, struct_of
from turnwire.errors import ConfigError

F = TypeVar("F", bound=Callable[..., Any])
Json: TypeAlias = dict[str, Any]

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_OPTIONS = "__turnwire_tool__"


@dataclass(frozen=True, slots=True)
class _Options:
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


@overload
def tool(function: F, /) -> F: ...
@overload
def tool(
    *, name: str | None = None, description: str | None = None, strict: bool | None = None
) -> Callable[[F], F]: ...
def tool(
    function: F | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    strict: bool | None = None,
) -> F | Callable[[F], F]:
    """Mark a function with how the model shall see it; it stays the plain function that it is.

    Args:
        function: The function, when used as ``@tool`` without parentheses.
        name: Instead of the function's name.
        description: Instead of the docstring's.
        strict: Demand or refuse strict mode; by default it is used where the signature allows it.
    """
    options = _Options(name, description, strict)

    def mark(marked: F) -> F:
        setattr(marked, _OPTIONS, options)
        return marked

    return mark if function is None else mark(function)


@dataclass(frozen=True, slots=True, eq=False)
class FunctionTool:
    """A Python function that the model may call.

    Attributes:
        name: What the model calls it by.
        description: What it does, or None.
        parameters: JSON schema of its arguments.
        strict: The server holds the model to the schema. Possible only if each parameter must be
            given and all types are closed: no defaults, no free dicts, no ``Any``.
        function: The function itself.
    """

    name: str
    description: str | None
    parameters: Json
    strict: bool
    function: Callable[..., Any]
    _signature: tuple[Parameter, ...]
    _decode: Callable[[str], Any]

    @classmethod
    def from_function(
        cls,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        strict: bool | None = None,
    ) -> FunctionTool:
        """Read a tool from a function's name, signature and docstring.

        Args:
            function: A function, sync or async, a method of an object, a ``partial``, or an object
                that can be called. Parameters without annotation take any JSON value.
            name: Instead of the function's name.
            description: Instead of the docstring's.
            strict: Demand or refuse strict mode; by default it is used where possible.

        Raises:
            ConfigError: The name, a parameter or its type cannot be offered to a model.
        """
        options = _options(function)
        name = _check_name(name or options.name or _name(function))
        _check_kind(function, name)
        documented = read_docstring(_docstring(function))
        parameters = read_parameters(function, name)
        struct = struct_of(parameters)
        schema = schema_of(struct, parameters, documented.parameters)
        return cls(
            name=name,
            description=description or options.description or documented.description or None,
            parameters=schema,
            strict=_decide_strict(schema, name, options.strict if strict is None else strict),
            function=function,
            _signature=parameters,
            _decode=msgspec.json.Decoder(struct).decode,
        )

    def to_dict(self) -> Json:
        """Return the tool as it stands in ``tools`` on the wire."""
        described = {} if self.description is None else {"description": self.description}
        return {
            "type": "function",
            "name": self.name,
            **described,
            "parameters": self.parameters,
            "strict": self.strict,
        }

    def bind(self, arguments: str) -> tuple[list[Any], Json]:
        """Decode a call's JSON arguments to what the function takes, by position and by name.

        Parameters that the model left out are left out here too: the function's own defaults apply.

        Raises:
            msgspec.DecodeError: The arguments are not JSON; as its subclass ``ValidationError``,
                they do not fit the signature. A type of yours may raise anything else.
        """
        decoded = self._decode(arguments if arguments.strip() else "{}")
        given: list[Any] = []
        named: Json = {}
        for parameter in self._signature:
            value = getattr(decoded, parameter.name)
            if parameter.positional:
                given.append(parameter.default if value is msgspec.UNSET else value)
            elif value is not msgspec.UNSET:
                named[parameter.name] = value
        return given, named

    async def invoke(self, given: list[Any], named: Json) -> Any:
        """Run the function, a sync one in a thread that sees the caller's context variables.

        Cancellation cancels an async function. A sync function that runs in its thread cannot be
        stopped: it runs on, and its result is not waited for.
        """
        if _is_async(self.function):
            return await self.function(*given, **named)
        result = await asyncio.to_thread(_run_sync, self.function, given, named)
        return await result if inspect.isawaitable(result) else result


def _run_sync(function: Callable[..., Any], given: list[Any], named: Json) -> Any:
    try:
        return function(*given, **named)
    except StopIteration as error:  # a future cannot carry it, as a generator cannot
        raise RuntimeError("the function raised StopIteration") from error


def _inner(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function behind a ``partial``."""
    return function.func if isinstance(function, functools.partial) else function


def _options(function: Callable[..., Any]) -> _Options:
    own = getattr(function, _OPTIONS, None) or getattr(_inner(function), _OPTIONS, None)
    return own or _Options()


def _name(function: Callable[..., Any]) -> str:
    inner = _inner(function)
    return getattr(inner, "__name__", type(inner).__name__)


def _docstring(function: Callable[..., Any]) -> str | None:
    inner = _inner(function)
    if inspect.isroutine(inner):
        return inspect.getdoc(inner)
    return type(inner).__call__.__doc__ or type(inner).__doc__


def _is_async(function: Callable[..., Any]) -> bool:
    inner = _inner(function)
    return inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(type(inner).__call__)


def _check_name(name: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise ConfigError(
            f"a tool cannot be named {name!r}: expected 1 to 64 of a-z, A-Z, 0-9, _ and -; "
            "give it a name with `FunctionTool.from_function(function, name=...)`"
        )
    return name


def _check_kind(function: Callable[..., Any], name: str) -> None:
    inner = _inner(function)
    if inspect.isclass(inner):
        raise ConfigError(f"tool {name} is a class; pass a function that makes and uses it")
    if inspect.isgeneratorfunction(inner) or inspect.isasyncgenfunction(inner):
        raise ConfigError(f"tool {name} is a generator; a tool returns one value, such as a list")


def _decide_strict(schema: Json, name: str, wanted: bool | None) -> bool:  # noqa: FBT001  # asked for, refused, or neither
    violation = next(strict_violations(schema), None)
    if wanted and violation is not None:
        raise ConfigError(
            f"tool {name} cannot be strict: {violation}; change its signature or leave `strict` out"
        )
    return violation is None if wanted is None else wanted
