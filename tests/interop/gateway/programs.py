"""The programs of the test with a real model server: that server, and ``turnwire serve``."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = Path(__file__).parent
_ADDRESS = re.compile(r"http://[\d.]+:\d+")


class LlamaServer:
    """A running server; asks it what it does.

    Attributes:
        url: Its base URL, with ``/v1``.
    """

    def __init__(self, address: str) -> None:
        self.url = f"{address}/v1"
        self._address = address

    async def ask(self, path: str, body: Any = None) -> Any:
        """Return what is answered to a GET, or to a POST of a body."""
        async with (
            aiohttp.ClientSession() as session,
            session.request("GET" if body is None else "POST", self._address + path, json=body)
            as answer,
        ):  # fmt: skip
            assert answer.status == 200, await answer.text()
            is_json = answer.content_type == "application/json"
            return await (answer.json() if is_json else answer.text())

    async def busy(self) -> int:
        """Return how many turns it works at."""
        return sum(slot["is_processing"] for slot in await self.ask("/slots"))

    async def until_busy(self, count: int) -> None:
        """Ask until it works at so many turns."""
        while await self.busy() != count:
            pass

    async def said(self) -> int:
        """Return how many tokens all its turns have said that have ended."""
        (line,) = re.findall(r"^llamacpp:tokens_predicted_total (\d+)", await self.ask("/metrics"),
                             re.MULTILINE)  # fmt: skip
        return int(line)


class Served:
    """A running ``turnwire serve``.

    Attributes:
        url: Its address, without a path.
    """

    def __init__(self, address: str, log: Path) -> None:
        self.url = address
        self._log = log

    def log(self) -> list[str]:
        """Return what it has logged, without times."""
        return [line.split(" ", 2)[2] for line in self._log.read_text("utf-8").splitlines()]


@contextmanager
def llama_server(model: Path, folder: Path) -> Iterator[LlamaServer]:
    """Run llama.cpp's server."""
    with _program([str(_HERE / "llama_server.py"), str(model)], folder / "llama.log") as address:
        yield LlamaServer(address)


@contextmanager
def turnwire_serve(folder: Path, *options: str) -> Iterator[Served]:
    """Run the gateway as a program."""
    log = folder / "serve.log"
    command = ["-m", "turnwire", "serve", "--port", "0", "--log-level", "info", *options]
    with _program(command, log) as address:
        yield Served(address, log)


@contextmanager
def _program(command: list[str], log: Path) -> Iterator[str]:
    """Run a program of Python's that says where it listens."""
    with (
        log.open("wb") as into,
        subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=into,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            found = _ADDRESS.search(line)
            assert found is not None, log.read_text("utf-8")
            yield found[0]
        finally:
            process.terminate()
            process.communicate(timeout=20)
