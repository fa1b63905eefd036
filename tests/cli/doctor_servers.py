"""Servers that no peer should be: silent ones, ones that speak nonsense, ones that forget."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import WSMsgType, web

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable

    Json = dict[str, Any]
    Replies = Callable[[Json], Iterable[Json]]


@asynccontextmanager
async def saying(data: bytes | None) -> AsyncGenerator[str]:
    """Answer whatever comes with these bytes and the end; with None never answer.

    Yields:
        The base URL.
    """
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            if data is None:
                await reader.read(-1)
            elif await reader.read(1):  # who only connects is not answered
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass  # the doctor has seen enough
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def replying(
    replies: Replies = lambda _: (), *, pongs: bool = True, close: int | None = None
) -> AsyncGenerator[str]:
    """Accept sockets and answer each message with events; or close them with a code at once.

    Yields:
        The base URL.
    """

    async def talk(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(autoping=pongs)
        await socket.prepare(request)
        if close is not None:
            await socket.close(code=close, message=b"go away")
            return socket
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                for event in replies(msgspec.json.decode(message.data)):
                    await socket.send_bytes(b"") if not event else await socket.send_str(
                        msgspec.json.encode(event).decode()
                    )
        return socket

    app = web.Application()
    app.router.add_get("/v1/responses", talk)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


def completed(number: int, *, tokens: int = 0) -> Json:
    """Return the one event that a warm-up needs."""
    usage = {"input_tokens": 5, "output_tokens": tokens, "total_tokens": 5 + tokens}
    response = {"id": f"resp_{number}", "status": "completed", "output": [], "usage": usage}
    return {"type": "response.completed", "response": response}
