"""A small forward proxy: passes plain requests on, and turns every CONNECT away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from types import TracebackType


class ForwardProxy:
    """Runs while the ``async with`` block does.

    Attributes:
        heads: The heads of all requests, as they came.
    """

    def __init__(self, *, silent: bool = False) -> None:
        self.heads: list[str] = []
        self._silent = silent
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def place(self) -> str:
        """Return ``host:port``."""
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            if self._silent:
                await reader.read()
            elif head.startswith("CONNECT "):
                writer.write(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
            else:
                await _pass_on(head, reader, writer)
        finally:
            writer.close()


async def _pass_on(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    method, url, rest = head.split(" ", 2)
    server = urlsplit(url)
    far_reader, far_writer = await asyncio.open_connection(server.hostname, server.port)
    far_writer.write(f"{method} {server.path} {rest}".encode())
    try:
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
    finally:
        far_writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(2**16):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
