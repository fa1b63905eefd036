"""A cable between a client and a gateway that can be cut: every byte passes, until then."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass
class Cable:
    """What passes; ``cut`` drops all that is under way, and what is dialled later passes again."""

    base_url: str = ""
    dials: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def cut(self) -> None:
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(2**16):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def cable(url: str) -> AsyncIterator[Cable]:
    """Lay a cable to a gateway."""
    there = urlsplit(url)
    laid = Cable()
    tasks: set[asyncio.Task[None]] = set()

    async def plug(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        laid.dials += 1
        out_reader, out_writer = await asyncio.open_connection(there.hostname, there.port)
        laid.writers += [writer, out_writer]
        for way in (pump(reader, out_writer), pump(out_reader, writer)):
            task = asyncio.create_task(way)
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(plug, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    laid.base_url = f"http://127.0.0.1:{port}{there.path}"
    try:
        yield laid
    finally:
        laid.cut()
        server.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
