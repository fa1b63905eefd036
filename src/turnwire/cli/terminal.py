"""The terminal: consoles, and what may be written to one.

Text that a model or a server wrote is never trusted with the terminal: control characters, with
which it could move the cursor or set the clipboard, do not reach it.
"""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Final

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Generator

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tab and newline
_LONGEST_LINE: Final = 500  # characters


class StdoutFailed(Exception):
    """Nothing can be written to stdout: the disk is full, or there is no stdout."""


@contextmanager
def writing() -> Generator[None]:
    """Tell a failure of stdout from every other error of the system.

    Raises:
        StdoutFailed: It cannot be written.
        BrokenPipeError: Whoever read it closed it.
    """
    if sys.stdout is None:  # closed before the process began
        raise StdoutFailed("stdout is closed; let it go somewhere, such as > answer.txt")
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise StdoutFailed(f"stdout cannot be written: {why}; let it go elsewhere") from error


class PlainConsole(Console):
    """A console that leaves a reader who went away to its caller."""

    def on_broken_pipe(self) -> None:
        """Raise what rich would turn into an exit of its own.

        Raises:
            BrokenPipeError: Always.
        """
        raise BrokenPipeError


@cache
def console(*, stderr: bool = False) -> PlainConsole:
    """Return the console on stdout or stderr; it guesses at nothing in what is printed."""
    return PlainConsole(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=True)


def harmless(text: str) -> str:
    """Return a text without control characters, but for tabs and newlines."""
    return _CONTROL.sub("", text)


def one_line(text: str) -> str:
    """Return a text as one harmless line, cut if it is very long."""
    line = " ".join(harmless(text).split())
    return line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 1] + "…"
