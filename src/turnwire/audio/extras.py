"""The optional packages behind the audio tools, missed in plain words."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def needs(extra: str, package: str, *, module: str) -> Generator[None]:
    """Import what an extra brings, inside of ``with``, or say how to get it.

    Args:
        extra: The name in ``pip install "turnwire[...]"``.
        package: What it is called in the package index.
        module: Who needs it.

    Raises:
        ImportError: The package is not there, or cannot be imported; Python's own is its cause.
    """
    try:
        yield
    except ImportError as error:
        text = f'{module} needs {package}: pip install "turnwire[{extra}]" ({error})'
        raise type(error)(text, name=error.name, path=error.path) from error
