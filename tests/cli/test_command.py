"""The command as a whole: help that teaches, no extra, any folder."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import turnwire
from cli.command import environment, run
from turnwire.cli.exits import MEANINGS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("command", [[], ["ask"], ["serve"], ["demo"]])
async def test_help_teaches(command: list[str]) -> None:
    done = await run(*command, "--help", COLUMNS="80")
    assert (done.code, done.err) == (0, "")
    assert done.out.count(f"  turnwire {' '.join(command)}".rstrip()) >= 3
    for code, meaning in MEANINGS.items():
        assert f"{code.value:>3}  {meaning}\n" in "".join(
            f"{line.rstrip()}\n" for line in done.out.splitlines()
        )


async def test_without_a_command_it_helps() -> None:
    done = await run(COLUMNS="80")
    assert (done.code, done.err) == (2, "")
    assert "turnwire ask" in done.out


async def test_version_and_any_folder(tmp_path: Path) -> None:
    done = await run("--version", cwd=tmp_path)
    assert (done.code, done.out) == (0, f"turnwire {turnwire.__version__}\n")


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_the_extra_it_says_what_to_install(missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from turnwire.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        f"turnwire: the command needs `{missing}`; install it with `pip install 'turnwire[cli]'`\n",
    )


def test_the_library_never_imports_the_extra() -> None:
    code = (
        "import sys, turnwire, turnwire.gateway, turnwire.cli;"
        "print([name for name in ('typer', 'rich', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
