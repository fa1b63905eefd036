"""Gives a function of options the options' own parameters, and words for a wrong one."""

from __future__ import annotations

import difflib
import functools
import inspect
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from turnwire.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_OF_THE_SESSION: Final = frozenset(
    {
        *("audio", "include", "input_format", "instructions", "max_output_tokens"),
        *("noise_reduction", "output_format", "output_modalities", "prompt", "speed"),
        *("tool_choice", "tools", "tracing", "transcription", "truncation"),
        *("turn_detection", "voice"),
    }
)

P = ParamSpec("P")
O = TypeVar("O")  # noqa: E741  # options
R = TypeVar("R")


def taking(options: Callable[P, O]) -> Callable[[Callable[[O], R]], Callable[P, R]]:
    """Let a function of options take their parameters, by name; checkers of types see them too."""
    signature = inspect.signature(options)

    def decorate(function: Callable[[O], R]) -> Callable[P, R]:
        @functools.wraps(function)
        def taken(*args: P.args, **given: P.kwargs) -> R:
            if args:
                raise ConfigError(f"`{function.__name__}` takes its arguments by name")
            _check_names(given, signature.parameters)
            return function(options(*args, **given))

        returned = inspect.signature(function).return_annotation
        taken.__signature__ = signature.replace(return_annotation=returned)  # type: ignore[attr-defined]
        return taken

    return decorate


def _check_names(given: Iterable[str], known: Iterable[str]) -> None:
    names = list(known)
    for name in given:
        if name in _OF_THE_SESSION:
            raise ConfigError(f'`{name}` is what the session is to be: session={{"{name}": …}}')
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean `{close[0]}`?" if close else f"they are {', '.join(names)}"
            raise ConfigError(f"`{name}` is not an option of a session; {hint}")
