"""Child processes that are pinned to a processor and speak lines of JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).parent


class BenchmarkError(Exception):
    """A measurement that means nothing."""


def can_pin() -> bool:
    """Return whether server and workers can have a processor each."""
    return hasattr(os, "sched_setaffinity") and {0, 1} <= os.sched_getaffinity(0)


class Process:
    """A script of this folder, in this process group."""

    def __init__(self, script: str, *arguments: str, processor: int) -> None:
        self.name = " ".join((script, *arguments[:1]))
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if can_pin():
            os.sched_setaffinity(self._process.pid, {processor})

    def read(self) -> dict[str, Any]:
        """Wait for the next line."""
        assert self._process.stdout is not None  # it is a pipe
        line = self._process.stdout.readline()
        if not line:
            raise BenchmarkError(f"{self.name} ended early; its message is above.")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, command: dict[str, Any]) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        assert self._process.stdin is not None  # it is a pipe
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None  # both are pipes
            pipe.close()
