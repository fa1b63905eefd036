"""Other people's packages: imported only where they are used, and missed in plain words."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def needs(extra: str, package: str | None = None, *, module: str | None = None) -> Generator[None]:
    """Import what an extra brings, inside of ``with``, or say how to get it.

    ::

        with needs("livekit", "livekit-agents", module=__name__):
            from livekit.agents import llm

    Checkers of types see a plain import.

    Args:
        extra: The name in ``pip install "turnwire[...]"``.
        package: What it is called in the package index, if other than the extra.
        module: Who needs it, if not the extra's namesake in turnwire.

    Raises:
        ImportError: The package is not there, or has not what is imported of it, and then it is
            most often too old; of the same kind as Python's own, which is its cause.
    """
    try:
        yield
    except ImportError as error:
        reason = missing_extra(error, extra, package, module=module)
        raise reason from error


def missing_extra(
    error: ImportError, extra: str, package: str | None = None, *, module: str | None = None
) -> ImportError:
    """Return the error to raise for an import that failed; arguments as of :func:`needs`."""
    who = module or f"turnwire.{extra}"
    what = package or extra
    install = f'pip install "turnwire[{extra}]"'
    if isinstance(error, ModuleNotFoundError):
        # Not always the package itself: one of its own dependencies may be the one that is missing.
        text = f"{who} needs {what}: {install} (there is no module named {error.name})"
        return ModuleNotFoundError(text, name=error.name, path=error.path)
    text = f"{who} needs another version of {what}: {install} --upgrade ({error})"
    return ImportError(text, name=error.name, path=error.path)
