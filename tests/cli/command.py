"""Runs the command as users do, in a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from typing import TYPE_CHECKING

from architecture.repository import SOURCE

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from pathlib import Path

EMBEDDED = (
    "no base URL and no key: asking the embedded gateway's scripted model"
    " (set OPENAI_API_KEY, or --base-url, to ask a real one)\n"
)
# -P as for the installed command: the current folder is not searched for modules.
COMMAND = (sys.executable, "-P", "-W", "error", "-m", "turnwire")
_OURS = ("OPENAI_", "COLUMNS", "FORCE_COLOR", "NO_COLOR", "TTY_")


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


def environment(**variables: str) -> dict[str, str]:
    """Return an environment in which nothing of the tester's own is set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    for name in list(kept):
        if name.lower().endswith("_proxy"):
            del kept[name]
    return {**kept, "PYTHONPATH": str(SOURCE.parent), **variables}


async def start(*arguments: str, cwd: Path | None = None, **variables: str) -> Process:
    """Start the command with pipes on all sides."""
    return await start_any(*COMMAND, *arguments, cwd=cwd, **variables)


async def start_any(*command: str, cwd: Path | None = None, **variables: str) -> Process:
    """Start any command with pipes on all sides."""
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        cwd=cwd,
        env=environment(**variables),
        preexec_fn=_heed_ctrl_c,
    )


def _heed_ctrl_c() -> None:
    """Undo what a shell does to whatever runs in the background, these tests included."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


async def run(
    *arguments: str, stdin: bytes = b"", cwd: Path | None = None, **variables: str
) -> Done:
    """Run the command to its end."""
    return await finish(await start(*arguments, cwd=cwd, **variables), stdin)


async def finish(process: Process, stdin: bytes = b"") -> Done:
    """Wait for the end of a command; nothing that it was expected to do shows as a traceback."""
    out, err = await process.communicate(stdin)
    assert process.returncode is not None
    done = Done(process.returncode, out.decode(), err.decode())
    assert "Traceback" not in done.err, done.err
    return done
