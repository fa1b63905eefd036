"""Read a configuration file, and find every mistake in it at once.

What was written there is repeated only where it can be no secret: numbers, and words out of a
short list.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, Final, Union, cast, get_args, get_origin, get_type_hints

import msgspec
from msgspec import inspect

from turnwire.errors import ConfigError
from turnwire.gateway.config.schema import fields_of
from turnwire.gateway.config.tables import HASH, VARIABLE, Config
from turnwire.gateway.json_shapes import is_array

_HINTS: Final = {
    "api_key": "keys are not written here: name an environment variable with `api_key_env`",
    "upstreams": "write one `[[upstream]]` for each",
    "keys": "write one `[[key]]` for each",
    "workers": "it stands at the top of the file, before the first `[…]`",
    "timeout": "use `connect_timeout`, `first_output_timeout` and `idle_timeout`",
}
_WRONG: Final = object()  # stands for a value about which a mistake was noted


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something in a configuration that cannot work.

    Attributes:
        field: Where it is, such as ``upstream[0].kind``.
        got: What is there, without anything that may be secret.
        expected: What may be there.
        advice: What to do.
    """

    field: str
    got: str
    expected: str
    advice: str


def read_config(text: str) -> Config | tuple[Mistake, ...]:
    """Return the configuration, or every mistake in the order of the file's fields."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, _, place = str(error).rpartition(" (at ")
        return (
            Mistake(
                place.rstrip(")") or "the file",
                "no TOML",
                "TOML",
                f"mend what is there: {what[:1].lower()}{what[1:]}",
            ),
        )
    return convert_config(table)


def convert_config(table: Mapping[str, Any]) -> Config | tuple[Mistake, ...]:
    """Do what :func:`read_config` does, with what was decoded already."""
    reading = _Reading()
    config = reading.value(table, Config, "")
    return tuple(reading.mistakes) or cast("Config", config)


class _Reading:
    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []

    def value(self, value: Any, kind: Any, place: str) -> Any:
        """Return the value as what it should be, or ``_WRONG``."""
        kind = _without_none(kind)
        if _is_table(kind):
            return self._table(value, kind, place)
        if get_origin(kind) is tuple:
            return self._array(value, get_args(kind)[0], place)
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError:
            expected = expectation(kind)
            return self._wrong(place, _shown(value, kind), expected, "write " + expected)

    def _table(self, value: Any, kind: type, place: str) -> Any:
        if not isinstance(value, Mapping):
            return self._wrong(place, _described(value), "a table", f"write `[{place}]`")
        hints = get_type_hints(kind, include_extras=True)
        given = cast("Mapping[str, Any]", value)
        before = len(self.mistakes)
        self._report_unknown(given.keys() - hints.keys(), tuple(hints), place)
        read = {
            name: self._member(kind, name, given[name], hint, _below(place, name))
            for name, hint in hints.items()
            if name in given
        }
        for field, hint in fields_of(kind):
            if field.required and field.name not in given:
                self._wrong(_below(place, field.name), "nothing", expectation(hint), "add it")
        return _WRONG if len(self.mistakes) > before else kind(**read)

    def _member(self, table: type, name: str, value: Any, kind: Any, place: str) -> Any:
        read = self.value(value, kind, place)
        if read is not _WRONG and is_dataclass(table):
            try:
                table(**{name: read})  # it checks its fields itself
            except ConfigError as error:
                _, _, advice = str(error).rpartition("; ")
                return self._wrong(place, _described(value), advice.removeprefix("give "), advice)
        return read

    def _array(self, value: Any, kind: Any, place: str) -> Any:
        if not is_array(value):
            what = "tables" if _is_table(kind) else "texts"
            how = f"write `[[{place}]]`" if _is_table(kind) else 'write ["…"]'
            return self._wrong(place, _described(value), f"a list of {what}", how)
        read = [self.value(item, kind, f"{place}[{index}]") for index, item in enumerate(value)]
        return _WRONG if _WRONG in read else tuple(read)

    def _report_unknown(self, names: set[str], known: tuple[str, ...], place: str) -> None:
        for name in sorted(names):
            close = get_close_matches(name, known, n=1)
            advice = f"did you mean `{close[0]}`?" if close else _HINTS.get(name, "remove it")
            # Should a key have come to stand where a name belongs, it is not repeated.
            shown = name if len(name) <= max(map(len, known)) + 8 else "(a long name)"
            self._wrong(
                _below(place, shown), "an unknown field", f"one of {_listed(known)}", advice
            )

    def _wrong(self, place: str, got: str, expected: str, advice: str) -> Any:
        self.mistakes.append(Mistake(place, got, expected, advice))
        return _WRONG


def expectation(kind: Any) -> str:
    """Say in words what a field takes."""
    info = inspect.type_info(_without_none(kind))
    match info:
        case inspect.LiteralType(values=values):
            return "one of " + _listed(f'"{each}"' for each in values)
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return "a whole number" + _bounds(info)
        case inspect.FloatType():
            return "a number" + _bounds(info)
        case inspect.StrType(pattern=str(pattern)):
            return _PATTERNS.get(pattern, f"text like {pattern}")
        case inspect.StrType(max_length=int(longest)):
            return f"text of 1 to {longest} characters"
        case inspect.StrType():
            return "text"
        case inspect.VarTupleType(item_type=inspect.StrType()):
            return "a list of texts"
        case inspect.VarTupleType():
            return "a list of tables"
        case _:
            return "a table"


_PATTERNS: Final = {
    HASH: "`sha256:` and 64 hexadecimal digits",
    VARIABLE: "the name of an environment variable",
}


def _bounds(info: inspect.IntType | inspect.FloatType) -> str:
    if info.ge is not None and info.le is not None:
        return f" from {info.ge:g} to {info.le:g}"
    if info.ge is not None:
        return f", {info.ge:g} or more"
    return "" if info.gt is None else f" above {info.gt:g}"


def _without_none(kind: Any) -> Any:
    """Return the type that a field has where it is there: TOML has no null."""
    if get_origin(kind) in (Union, UnionType):
        (kind,) = (each for each in get_args(kind) if each is not NoneType)
    return kind


def _is_table(kind: Any) -> bool:
    if not isinstance(kind, type):
        return False
    table: type[Any] = kind
    return issubclass(table, msgspec.Struct) or is_dataclass(table)


def _shown(value: object, kind: Any) -> str:
    if isinstance(value, str) and isinstance(inspect.type_info(kind), inspect.LiteralType):
        return f'"{value[:20]}"'
    return _described(value)


def _described(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"{value:g}" if isinstance(value, float) else str(value)
        case str():
            return f"a text, {len(value)} long" if value else "an empty text"
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return "a date or a time"


def _below(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _listed(names: Any) -> str:
    return ", ".join(names)
