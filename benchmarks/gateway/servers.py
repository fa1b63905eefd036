"""The relays that are measured: processes of their own, watched from outside."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from client import KEY
from processes import BenchmarkError, can_pin

if TYPE_CHECKING:
    from collections.abc import Mapping

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src"
MOST_SECONDS = 120.0  # for LiteLLM to start


@dataclass(frozen=True)
class Launch:
    """How a server is started.

    Attributes:
        command: Its arguments.
        environment: Beside the usual one.
        url: Where it listens; None if it says so itself.
    """

    command: list[str]
    environment: Mapping[str, str]
    url: str | None = None


def floor(upstream: str) -> Launch:
    return Launch([sys.executable, str(HERE / "floor.py"), upstream], {})


def turnwire(upstream: str, kind: str = "chat", source: Path = SOURCE) -> Launch:
    command = [sys.executable, "-m", "turnwire", "serve", "--port", "0"]
    return Launch(
        [*command, "--upstream", upstream, "--kind", kind],
        {"PYTHONPATH": str(source), "COLUMNS": "200", "NO_COLOR": "1"},
    )


def litellm(upstream: str, program: Path, folder: Path) -> Launch:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    config = folder / f"litellm-{port}.yaml"
    config.write_text(
        "model_list:\n"
        "  - model_name: bench\n"
        "    litellm_params:\n"
        "      model: lm_studio/bench\n"
        f"      api_base: {upstream}\n"
        "      api_key: unused\n"
        f"general_settings:\n  master_key: {KEY}\n"
    )
    command = [str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    return Launch(
        command,
        # Its list of prices would be fetched from the network.
        {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"},
        f"http://127.0.0.1:{port}/v1",
    )


def litellm_version(program: Path) -> str:
    """Ask the interpreter that the program belongs to."""
    code = "import importlib.metadata as m; print(m.version('litellm'))"
    command = [str(program.with_name("python")), "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


class Server:
    """A relay while it runs, pinned to a processor."""

    def __init__(self, name: str, launch: Launch, processor: int) -> None:
        self.name = name
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # `__exit__` closes it
        self._process = subprocess.Popen(
            launch.command,
            env={**os.environ, **launch.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if launch.url is None else self._log,
            stderr=self._log,
        )
        if can_pin():
            os.sched_setaffinity(self._process.pid, {processor})
        self.url = launch.url or self._announced()
        if launch.url is not None:
            self._wait(f"{launch.url.removesuffix('/v1')}/health/liveliness")

    def _announced(self) -> str:
        assert self._process.stdout is not None  # it is a pipe
        line = self._process.stdout.readline().decode()
        found = re.search(r"http://[\d.]+:\d+/v1", line)
        if found is None:
            raise self._error()
        return found[0]

    def _wait(self, url: str) -> None:
        end = time.monotonic() + MOST_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            try:
                with urllib.request.urlopen(url, timeout=5):
                    return
            except OSError:
                time.sleep(0.2)
        raise self._error()

    def _error(self) -> BenchmarkError:
        self._log.seek(0)
        said = self._log.read().decode(errors="replace")
        return BenchmarkError(f"{self.name} did not start. It said: {said[-2000:]}")

    @property
    def cpu(self) -> float:
        """CPU seconds so far, of all its threads."""
        return time.clock_gettime((~self._process.pid << 3) | 2)

    @property
    def resident_bytes(self) -> int:
        """What it has in memory, shared libraries included."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None  # of every process
        return int(found[1]) * 1024

    def settled_bytes(self) -> int:
        """Wait until its memory changes no more; return it."""
        last, now = -1, self.resident_bytes
        while last != now:
            time.sleep(0.5)
            last, now = now, self.resident_bytes
        return now

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()


def connections_to(port: int) -> int:
    """Count what is connected to a port of this machine."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(line[2].endswith(f":{port:04X}") and line[3] == "01" for line in lines)
