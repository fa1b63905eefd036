"""A forward proxy of other people's, in a process of its own: the package `proxy.py`."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

# It runs until its standard input ends, which is also what happens when this process dies.
_PROGRAM = """
import sys
import proxy

with proxy.Proxy(sys.argv[1:]) as running:
    print("port", running.flags.port, flush=True)
    sys.stdin.read()
"""
_SMALL = ("--num-acceptors", "1", "--num-workers", "1", "--hostname", "127.0.0.1", "--port", "0")


class RealProxy:
    """Runs while the ``with`` block does.

    Attributes:
        place: ``host:port``.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        command = (sys.executable, "-c", _PROGRAM, *_SMALL, "--data-dir", str(folder), *options)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.place = f"127.0.0.1:{self.logged('port ').split()[1]}"

    def logged(self, words: str) -> str:
        """Wait for a line of its log with these words."""
        assert self._process.stdout is not None
        read: list[str] = []
        for line in self._process.stdout:
            if words in line:
                return line
            read.append(line)
        raise AssertionError(f"the proxy ended without saying {words!r}: {''.join(read)}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate("")  # ends its input, and waits
