"""The ``turnwire`` command.

Its two libraries are an extra: nothing else of turnwire imports them, and without them the command
says what to install.
"""

from __future__ import annotations

import sys
from typing import Final

__all__ = ["main"]

_EXTRA: Final = frozenset({"rich", "typer"})


def main() -> None:
    """Run the command with the arguments of this process, and exit."""
    try:
        from turnwire.cli.app import app  # noqa: PLC0415  # after the check for the extra
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRA:
            raise
        sys.exit(
            f"turnwire: the command needs `{missing}`; install it with"
            " `pip install 'turnwire[cli]'`"
        )
    app(prog_name="turnwire")
