"""Python functions as tools: their schemas, and what makes one impossible."""

import decimal
import enum
import fractions
import functools
import re
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypedDict

import msgspec
import pytest

from turnwire.client.json_schema import strict_violations
from turnwire.client.tools import FunctionTool, tool
from turnwire.errors import ConfigError

if TYPE_CHECKING:
    from decimal import Decimal


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Point:
    """A place.

    In metres.
    """

    x: int
    y: int


@dataclass
class Tree:
    value: int
    left: "Tree | None"


@dataclass
class Links:
    next: "Links | None" = None


class Filters(TypedDict):
    color: Color
    limit: int


class Pair(NamedTuple):
    a: int
    b: str


class Closed(msgspec.Struct, forbid_unknown_fields=True):
    name: str


def parameters(function: Callable[..., Any]) -> Any:
    return FunctionTool.from_function(function).parameters


def schema(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties) if required is None else required,
        "additionalProperties": False,
    }


KEY = {"key": {"type": "string"}}
CITY, DAYS = {"city": {"type": "string"}}, {"days": {"type": "integer"}}


# --- schemas -----------------------------------------------------------------------------------


def weather(city: str, days: int) -> str:
    """Tell the weather."""
    return f"{city} {days}"


def test_a_tool_as_it_stands_on_the_wire() -> None:
    assert FunctionTool.from_function(weather).to_dict() == {
        "type": "function",
        "name": "weather",
        "description": "Tell the weather.",
        "parameters": schema(CITY | DAYS),
        "strict": True,
    }


def test_a_function_without_a_docstring_has_no_description() -> None:
    def now() -> None: ...

    assert FunctionTool.from_function(now).to_dict() == {
        "type": "function",
        "name": "now",
        "parameters": schema({}),
        "strict": True,
    }


@pytest.mark.parametrize(
    ("hint", "expected", "strict"),
    [
        (bool, {"type": "boolean"}, True),
        (float, {"type": "number"}, True),
        (str | None, {"anyOf": [{"type": "string"}, {"type": "null"}]}, True),
        (list[int], {"type": "array", "items": {"type": "integer"}}, True),
        (Literal["b", "a"], {"type": "string", "enum": ["a", "b"]}, True),
        (Literal["a", 1], {"type": ["integer", "string"], "enum": [1, "a"]}, True),
        (Color, {"type": "string", "enum": ["blue", "red"]}, True),
        (
            Point,
            schema({"x": {"type": "integer"}, "y": {"type": "integer"}})
            | {"description": "A place.\n\nIn metres."},
            True,
        ),
        (
            list[Filters],
            {
                "type": "array",
                "items": schema(
                    {
                        "color": {"type": "string", "enum": ["blue", "red"]},
                        "limit": {"type": "integer"},
                    }
                ),
            },
            True,
        ),
        (Closed, schema({"name": {"type": "string"}}), True),
        (
            Annotated[int, msgspec.Meta(ge=1, description="How many.")],
            {"type": "integer", "minimum": 1, "description": "How many."},
            True,
        ),
        (Annotated[int, "How many."], {"type": "integer", "description": "How many."}, True),
        (Any, {}, False),
        (list, {"type": "array"}, False),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}, False),
        (list[dict[str, Any]], {"type": "array", "items": {"type": "object"}}, False),
        (bytes, {"type": "string", "contentEncoding": "base64"}, False),
        (
            Pair,
            {
                "type": "array",
                "prefixItems": [{"type": "integer"}, {"type": "string"}],
                "minItems": 2,
                "maxItems": 2,
            },
            False,
        ),
        (
            dict[str, str] | None,
            {
                "anyOf": [
                    {"type": "object", "additionalProperties": {"type": "string"}},
                    {"type": "null"},
                ]
            },
            False,
        ),
        (uuid.UUID, {"type": "string", "format": "uuid"}, True),
        (decimal.Decimal, {"type": "string", "format": "decimal"}, False),
        (Annotated[str, msgspec.Meta(max_length=3)], {"type": "string", "maxLength": 3}, False),
    ],
)
def test_the_schema_of_an_annotation(hint: Any, expected: Any, strict: Any) -> None:
    def look(at: Any) -> None: ...

    look.__annotations__["at"] = hint

    found = FunctionTool.from_function(look)

    assert found.parameters == schema({"at": expected})
    assert found.strict is strict


def test_a_type_that_contains_itself_stays_a_definition() -> None:
    def count(tree: Tree) -> None: ...

    inside = {
        "value": {"type": "integer"},
        "left": {"anyOf": [{"$ref": "#/$defs/Tree"}, {"type": "null"}]},
    }
    assert FunctionTool.from_function(count).to_dict() == {
        "type": "function",
        "name": "count",
        "parameters": schema({"tree": {"$ref": "#/$defs/Tree"}})
        | {"$defs": {"Tree": schema(inside)}},
        "strict": True,
    }


def test_a_definition_can_keep_a_tool_from_being_strict() -> None:
    def count(links: Links) -> None: ...

    def describe(tree: Annotated[Tree, "All of it."]) -> None: ...

    violations = [next(strict_violations(parameters(function))) for function in (count, describe)]

    assert violations == [
        "Links.next: has a default, so the model may leave it out",
        "arguments.tree: a type that contains itself cannot have a description or a default",
    ]


MARKER = object()


def mixed(a, b=1, /, c: Color = Color.RED, *, d: list[str] = [], e: Any = MARKER):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, B006
    return a, b, c, d, e


def test_parameters_without_annotation_take_any_json_and_defaults_are_shown() -> None:
    assert parameters(mixed) == schema(
        {
            "a": {},
            "b": {"default": 1},
            "c": {"type": "string", "enum": ["blue", "red"], "default": "red"},
            "d": {"type": "array", "items": {"type": "string"}, "default": []},
            "e": {},
        },
        required=["a"],
    )


class Box:
    """A box."""

    def open(self, key: "str") -> "Decimal | str":
        """Open it."""
        return key

    async def __call__(self, times: int) -> int:
        """Shake it."""
        return times


@functools.cache
def cached(at: "Color") -> str:
    """Look."""
    return at.value


@functools.wraps(weather)
def wrapped_weather(*args: Any, **kwargs: Any) -> Any:
    return weather(*args, **kwargs)


@pytest.mark.parametrize(
    ("function", "name", "description", "properties"),
    [
        (Box().open, "open", "Open it.", KEY),
        (Box(), "Box", "Shake it.", {"times": {"type": "integer"}}),
        (functools.partial(weather, days=3), "weather", "Tell the weather.", CITY),
        (functools.partial(weather, "Oslo"), "weather", "Tell the weather.", DAYS),
        (functools.partial(Box().open), "open", "Open it.", KEY),
        (wrapped_weather, "weather", "Tell the weather.", CITY | DAYS),
        (cached, "cached", "Look.", {"at": {"type": "string", "enum": ["blue", "red"]}}),
        (len, "len", "Return the number of items in a container.", {"obj": {}}),
    ],
)
def test_all_sorts_of_callables(
    function: Callable[..., Any], name: str, description: str, properties: Any
) -> None:
    found = FunctionTool.from_function(function)

    assert (found.name, found.description, found.parameters) == (
        name,
        description,
        schema(properties),
    )


# --- what cannot be a tool ---------------------------------------------------------------------


def items() -> Iterator[int]:
    yield 1


async def async_items() -> AsyncIterator[int]:
    yield 1


def with_star(*names: str) -> None: ...


def with_stars(**names: str) -> None: ...


def with_fraction(part: fractions.Fraction) -> None: ...


def with_union(where: Point | Tree) -> None: ...


def with_unknown(where: "Decimal") -> None: ...


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        (lambda x: x, "a tool cannot be named '<lambda>': expected 1 to 64 of a-z, A-Z, 0-9,"),
        (with_star, "tool with_star: a model cannot fill `*names: str`; name each parameter"),
        (with_stars, "tool with_stars: a model cannot fill `**names: str`; name each"),
        (
            with_fraction,
            (
                "tool with_fraction: parameter `part` cannot be made from JSON (type "
                "<class 'fractions.Fraction'> is not supported); use str, int,"
            ),
        ),
        (with_union, "tool with_union: parameter `where` cannot be made from JSON (Type unions"),
        (
            with_unknown,
            (
                "tool with_unknown: the annotation of parameter `where` cannot be resolved (name "
                "'Decimal' is not defined); define or import"
            ),
        ),
        (Box.open, "tool open: a method without its object has `self` to fill; pass the"),
        (Box, "tool Box is a class; pass a function"),
        (items, "tool items is a generator; a tool returns one value"),
        (async_items, "tool async_items is a generator; a tool returns one value"),
        (dict().update, "tool update: its signature cannot be read; wrap it in a Python"),  # noqa: C408
    ],
)
def test_what_cannot_be_a_tool_says_what_to_do(
    function: Callable[..., Any], complaint: str
) -> None:
    with pytest.raises(ConfigError, match="^" + re.escape(complaint)):
        FunctionTool.from_function(function)


@pytest.mark.parametrize("name", ["two words", "x" * 65, "ünder", "a\n", "a.b"])
def test_names_that_the_wire_does_not_take(name: str) -> None:
    with pytest.raises(ConfigError, match="a tool cannot be named"):
        FunctionTool.from_function(weather, name=name)


def test_the_longest_name() -> None:
    assert FunctionTool.from_function(weather, name="x" * 64).name == "x" * 64


# --- docstrings --------------------------------------------------------------------------------

GOOGLE = """Tell the weather.

Looks out of the window.

Args:
    city: Where,
        exactly.
    days (int): How far ahead.

Returns:
    The weather.

Note:
    Windows are slow.

Examples:
    >>> weather("Oslo", 1)
    'rain'
"""
NUMPY = """Tell the weather.

Looks out of the window.

Parameters
----------
city : str
    Where,
    exactly.
days
    How far ahead.

Returns
-------
str
    The weather.
"""
SPHINX = """Tell the weather.

Looks out of the window.

:param city: Where,
    exactly.
:param int days: How far ahead.
:returns: The weather.
"""
MORE = "\n\nNote: Windows are slow.\n\nExamples:\n>>> weather(\"Oslo\", 1)\n'rain'"
STYLES = pytest.mark.parametrize(
    "docstring", [GOOGLE, NUMPY, SPHINX], ids=["google", "numpy", "sphinx"]
)


def documented(text: str) -> FunctionTool:
    def weather(city: str, days: int) -> None: ...

    weather.__doc__ = text
    return FunctionTool.from_function(weather)


@STYLES
def test_the_docstring_describes_the_tool_and_its_parameters(docstring: str) -> None:
    found = documented(docstring)

    more = MORE if docstring is GOOGLE else ""
    assert found.description == "Tell the weather.\n\nLooks out of the window." + more
    described = {
        name: " ".join(member["description"].split())
        for name, member in found.parameters["properties"].items()
    }
    assert described == {"city": "Where, exactly.", "days": "How far ahead."}


@STYLES
def test_without_the_extra_the_whole_docstring_is_the_description(
    docstring: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "griffe", None)

    found = documented(docstring.replace("\n", "\n    "))

    assert found.description == docstring.strip()
    assert found.parameters == schema(CITY | DAYS)


def test_a_docstring_without_sections_is_the_description() -> None:
    assert documented("Note: see above: all is text.").description == (
        "Note: see above: all is text."
    )


def test_an_annotation_says_it_better_than_the_docstring() -> None:
    def weather(city: Annotated[str, msgspec.Meta(description="The town.")], at: Point) -> None:
        """Tell the weather.

        Args:
            city: Something else.
            at: Where in town.
            other: Not a parameter.
        """

    found = parameters(weather)["properties"]

    assert (found["city"]["description"], found["at"]["description"]) == (
        "The town.",
        "Where in town.",
    )


# --- options -----------------------------------------------------------------------------------


def test_the_decorator_marks_and_leaves_the_function_as_it_is() -> None:
    @tool(name="forecast", description="Guess.", strict=False)
    def weather(city: str) -> str:
        """Tell the weather."""
        return city

    @tool
    def plain(city: str) -> str:
        return city

    assert weather("Oslo") == plain("Oslo") == "Oslo"
    assert FunctionTool.from_function(plain).name == "plain"
    assert FunctionTool.from_function(functools.partial(weather)).name == "forecast"
    assert FunctionTool.from_function(weather).to_dict() == {
        "type": "function",
        "name": "forecast",
        "description": "Guess.",
        "parameters": schema(CITY),
        "strict": False,
    }
    assert FunctionTool.from_function(weather, name="mine", strict=True).to_dict() == {
        "type": "function",
        "name": "mine",
        "description": "Guess.",
        "parameters": schema(CITY),
        "strict": True,
    }


def test_the_decorator_works_on_methods() -> None:
    class Shop:
        @tool(name="buy_it")
        def buy(self, key: str) -> str:
            return key

    found = FunctionTool.from_function(Shop().buy)

    assert (found.name, found.parameters) == ("buy_it", schema(KEY))


def test_strict_mode_cannot_be_demanded_of_a_default() -> None:
    def look(at: int = 1) -> None: ...

    with pytest.raises(ConfigError, match=r"look cannot be strict: arguments\.at: has a default"):
        FunctionTool.from_function(look, strict=True)


def test_a_lambda_can_be_given_a_name() -> None:
    assert FunctionTool.from_function(lambda x: x, name="same").name == "same"
