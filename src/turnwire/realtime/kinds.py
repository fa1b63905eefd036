"""Of which types the arguments of a session are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

from turnwire.core.realtime.settings import RealtimeSettings
from turnwire.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

_TEXTS: Final = (
    *("model", "base_url", "call_id", "organization", "project"),
    *("safety_identifier", "proxy"),
)
_MAPPINGS: Final = ("default_headers", "query")
_CHOICES: Final = ("reconnect", "trust_env")


def check_kinds(given: Callable[[str], object]) -> None:
    """Check the types of the arguments, each of which is found by its name.

    Raises:
        ConfigError: One of them is something else; it names the argument and the type alone.
    """
    for name in _TEXTS:
        _check(name, given(name), "a text", ok=isinstance(given(name), str | None))
    key = given("api_key")
    is_key = isinstance(key, str | None) or callable(key)
    _check("api_key", key, "a text, or a function that returns one", ok=is_key)
    for name in _MAPPINGS:
        fields = given(name)
        _check(name, fields, "a mapping of texts", ok=fields is None or _has_texts(fields))
    for name in _CHOICES:
        _check(name, given(name), "True or False", ok=isinstance(given(name), bool))
    settings = given("settings")
    is_settings = isinstance(settings, RealtimeSettings)
    _check("settings", settings, "a RealtimeSettings", ok=is_settings)


def _check(name: str, given: object, expected: str, *, ok: bool) -> None:
    if not ok:
        raise ConfigError(f"`{name}` must be {expected}, not {_kind(given)}")


def _kind(given: object) -> str:
    if isinstance(given, Mapping):  # its values may be secrets, and their types are what is wrong
        kinds = {type(value).__name__ for value in cast("Mapping[object, object]", given).values()}
        return f"{type(cast('object', given)).__name__} of {', '.join(sorted(kinds))}"
    return type(given).__name__


def _has_texts(given: object) -> bool:
    if not isinstance(given, Mapping):
        return False
    fields = cast("Mapping[object, object]", given)
    return all(isinstance(name, str) and isinstance(text, str) for name, text in fields.items())


def check_milliseconds(name: str, given: object) -> None:
    """Check a length of audio.

    Raises:
        ConfigError: It is no finite number above zero.
    """
    if isinstance(given, bool) or not isinstance(given, int | float):
        kind = type(given).__name__
        raise ConfigError(f"`{name}` must be a number of milliseconds, not {kind}")
    if not (math.isfinite(given) and given > 0):
        raise ConfigError(f"`{name}` must be a number of milliseconds above 0, not {given}")
