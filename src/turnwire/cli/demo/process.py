"""Starts the far side as a process of its own, so that the client's CPU time is the client's."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from turnwire.cli.demo.counts import ByteCounts
from turnwire.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Generator

_STOP_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class FarSide:
    """A gateway behind a slow link.

    Attributes:
        base_url: Where the near end of the link is.
        counts: What has crossed it.
    """

    base_url: str
    counts: ByteCounts


@contextmanager
def far_side(rtt: float) -> Generator[FarSide]:
    """Run a gateway behind a link with a round trip of so many seconds, while the block runs.

    Raises:
        ConfigError: The process did not start.
    """
    with tempfile.TemporaryDirectory(prefix="turnwire-") as folder:
        path = Path(folder) / "counts"
        with (
            ByteCounts.create(path) as counts,
            subprocess.Popen(  # noqa: S603  # our own module and two values of our own
                # -P: a module of the current folder must not take the place of a real one.
                [sys.executable, "-P", "-m", "turnwire.cli.demo.far_side", str(rtt), str(path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
                text=True,
            ) as process,
        ):
            assert process.stdin is not None  # a pipe was asked for
            assert process.stdout is not None  # a pipe was asked for
            try:
                port = process.stdout.readline().strip()
                if not port:
                    raise ConfigError("the demonstration's gateway did not start; see above")
                yield FarSide(f"http://127.0.0.1:{port}/v1", counts)
            finally:
                process.stdin.close()
                try:
                    process.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
