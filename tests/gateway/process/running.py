"""A gateway with workers, in processes of their own."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cli.command import finish, start

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator

    import aiohttp


class Running:
    """A gateway with workers, as users run it."""

    def __init__(self, process: Process, url: str, introduction: str) -> None:
        self.process = process
        self.url = url
        self.introduction = introduction

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(child) for child in children.read_text().split()]


@asynccontextmanager
async def running(*options: str) -> AsyncIterator[Running]:
    process = await start("serve", "--port", "0", *options)
    assert process.stdout is not None
    lines = [await process.stdout.readline()]
    while lines[-1] not in (b"Ctrl-C stops it.\n", b""):
        lines.append(await process.stdout.readline())
    try:
        assert lines[-1], await finish(process)
        text = b"".join(lines).decode()
        yield Running(process, text.split()[3], text)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def post(session: aiohttp.ClientSession, url: str, **body: object) -> dict[str, object]:
    """Create over a connection of its own, so that any worker may get it."""
    async with session.post(
        url + "/responses", json={"model": "m", **body}, headers={"Connection": "close"}
    ) as answer:
        assert answer.status == 200, await answer.text()
        found: dict[str, object] = await answer.json()
        return found
