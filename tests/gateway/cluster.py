"""Gateways as processes of their own, on one Redis, behind HAProxy with the deployed file."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import pytest

from architecture.repository import ROOT
from gateway.store.redis_server import RedisServer

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncGenerator
    from pathlib import Path

CONFIGURATION = ROOT / "deploy" / "haproxy.cfg"
INTRODUCTION = "turnwire gateway on "


class Cluster:
    """What is behind the balancer.

    Attributes:
        url: Where the balancer listens.
        gateways: The processes, by the address on which each listens itself.
    """

    def __init__(self, url: str, gateways: dict[str, Process]) -> None:
        self.url = url
        self.gateways = gateways


@asynccontextmanager
async def cluster(folder: Path, gateways: int = 3) -> AsyncGenerator[Cluster]:
    """Run it while the block does; nothing of it outlives the block."""
    redis = RedisServer(folder)
    redis.start()
    async with AsyncExitStack() as stack:
        stack.callback(redis.stop)
        running: dict[str, Process] = {}
        for _ in range(gateways):
            process = await _gateway(redis.url)
            stack.push_async_callback(_end, process)
            running[await _address(process)] = process
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            stack.push_async_callback(_end, await _balancer(listener, [*running]))
        await _answers(url)
        yield Cluster(url, running)


async def _gateway(redis_url: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "turnwire", "serve", "--port", "0", "--redis", redis_url),
        *("--log-level", "error"),
        stdout=asyncio.subprocess.PIPE,
    )


async def _address(process: Process) -> str:
    assert process.stdout is not None  # a pipe, see above
    line = (await process.stdout.readline()).decode()
    assert line.startswith(INTRODUCTION), line
    return line.split()[3].removeprefix("http://").removesuffix("/v1")


async def _balancer(listener: socket.socket, gateways: list[str]) -> Process:
    program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.fail("this test needs HAProxy: apt-get install -y haproxy", pytrace=False)
    addresses = {f"GATEWAY{number}": address for number, address in enumerate(gateways, 1)}
    return await asyncio.create_subprocess_exec(
        program,
        *("-db", "-q", "-f", str(CONFIGURATION)),
        # It takes over a socket that listens already, so that nobody has to guess a free port.
        env={**os.environ, **addresses, "LISTEN": f"fd@{listener.fileno()}"},
        pass_fds=[listener.fileno()],
        stderr=asyncio.subprocess.DEVNULL,  # says that a gateway is down, as it should
    )


async def _answers(url: str) -> None:
    """Wait for the first answer; there is none if the balancer does not like its configuration."""
    async with (
        asyncio.timeout(10),
        aiohttp.ClientSession() as session,
        session.get(url + "/healthz") as answer,
    ):
        assert answer.status == 200


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.communicate()
