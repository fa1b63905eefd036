"""Arguments that are no parameters of a turn: checked where they are given, before any I/O."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, TypeVar

from turnwire.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from turnwire.events import Event

W = TypeVar("W", bound=object)


def checked_word(name: str, given: W, words: Sequence[str]) -> W:
    """Return one of a few words.

    Raises:
        ConfigError: It is none of them.
    """
    if given not in words:
        *others, last = (repr(word) for word in words)
        raise ConfigError(f"`{name}` must be {', '.join(others)} or {last}, not {given!r}")
    return given


def checked_limit(name: str, seconds: object) -> float | None:
    """Return a limit in seconds, or None for none.

    Raises:
        ConfigError: It is no finite number above zero.
    """
    return None if seconds is None else checked_seconds(name, seconds)


def checked_seconds(name: str, seconds: object) -> float:
    """Return a duration; objects such as ``httpx.Timeout`` are none.

    Raises:
        ConfigError: It is no finite number above zero.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise ConfigError(f"`{name}` must be a number of seconds, not {type(seconds).__name__}")
    if not (math.isfinite(seconds) and seconds > 0):
        raise ConfigError(f"`{name}` must be a number of seconds above 0, not {seconds}")
    return seconds


def checked_count(name: str, count: object, *, least: int = 1) -> int:
    """Return a number of things or of bytes.

    Raises:
        ConfigError: It is no whole number, or too small.
    """
    if isinstance(count, bool) or not isinstance(count, int):
        raise ConfigError(f"`{name}` must be a whole number, not {type(count).__name__}")
    if count < least:
        raise ConfigError(f"`{name}` must be at least {least}, not {count}")
    return count


def checked_choice(name: str, choice: object) -> bool | None:
    """Return True, False, or None for "find out".

    Raises:
        ConfigError: It is something else.
    """
    if choice is not None and not isinstance(choice, bool):
        raise ConfigError(f"`{name}` must be True, False or None, not {type(choice).__name__}")
    return choice


def checked_listener(listener: Callable[[Event], object]) -> Callable[[Event], object]:
    """Return a function that will be called with events.

    Raises:
        ConfigError: It cannot be called, or would have to be awaited.
    """
    given: object = listener
    if not callable(given):
        raise ConfigError(f"`on_event` must be a function, not {type(given).__name__}")
    if inspect.iscoroutinefunction(given) or inspect.iscoroutinefunction(type(given).__call__):
        raise ConfigError(
            "`on_event` must be a plain function, nobody would await an async one: have it put"
            " events into an `asyncio.Queue`, or iterate the turn"
        )
    return listener
