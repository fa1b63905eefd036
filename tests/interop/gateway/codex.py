"""Runs Codex CLI once, without anybody to ask, at a provider of its configuration.

Its home is a folder of the test's own, and nothing of the machine's own Codex is looked at.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from pathlib import Path

VERSION: Final = "0.169.0"

# As in docs/howto/codex.md, without what only calls home.
_CONFIGURATION: Final = """
model = "{model}"
model_provider = "turnwire"
check_for_update_on_startup = false

[analytics]
enabled = false

[model_providers.turnwire]
name = "turnwire"
base_url = "{base_url}"
wire_api = "responses"
supports_websockets = true
"""


@dataclass(slots=True)
class Ran:
    """What a run came to.

    Attributes:
        status: Exit status of the program.
        items: What it did and said, in order, as ``--json`` shows it: what was finished only.
        errors: What it complained of, but that it does not know the model.
    """

    status: int | None
    items: list[dict[str, Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def said(self) -> list[str]:
        """The model's answers."""
        return [item["text"] for item in self.items if item["type"] == "agent_message"]

    @property
    def outputs(self) -> list[tuple[str, int]]:
        """Output and exit status of each command, sorted: those of one turn have no order."""
        return sorted(
            (item["aggregated_output"], item["exit_code"])
            for item in self.items
            if item["type"] == "command_execution"
        )


class Codex:
    """Codex CLI with a home and a folder to work in.

    Attributes:
        work: Where its commands run.
    """

    def __init__(self, folder: Path, base_url: str, model: str = "words") -> None:
        found = shutil.which("codex")
        if found is None:
            pytest.fail(
                f"this test needs Codex: npm install --global @openai/codex@{VERSION}",
                pytrace=False,
            )
        self._program = found
        self._home = folder / "home"
        self.work = folder / "work"
        self._home.mkdir()
        self.work.mkdir()
        configuration = _CONFIGURATION.format(base_url=base_url, model=model)
        (self._home / "config.toml").write_text(configuration, "utf-8")

    async def run(self, prompt: str, *how: str) -> Ran:
        """Do what a prompt says; ``how`` is ``resume --last``, for instance."""
        options = ("--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox")
        process = await asyncio.create_subprocess_exec(
            self._program, "exec", *how, *options, "-",
            cwd=self.work,
            env={**os.environ, "CODEX_HOME": str(self._home)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            written, _ = await process.communicate(prompt.encode())
        except BaseException:
            process.kill()
            await process.wait()
            raise
        return _read(process.returncode, written.decode())


def _read(status: int | None, written: str) -> Ran:
    ran = Ran(status)
    for line in written.splitlines():
        event = json.loads(line)
        if event["type"] == "error":
            ran.errors.append(event["message"])
        elif event["type"] == "item.completed" and event["item"]["type"] == "error":
            message: str = event["item"]["message"]
            if not message.startswith("Model metadata"):
                ran.errors.append(message)
        elif event["type"] == "item.completed":
            ran.items.append(event["item"])
    return ran
