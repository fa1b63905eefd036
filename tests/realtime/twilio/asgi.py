"""An ASGI application behind aiohttp's server, for tests: HTTP requests and WebSockets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Asgi = Callable[[Any, Any, Any], Awaitable[None]]


def _scope(kind: str, request: web.Request) -> dict[str, Any]:
    return {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": kind.replace("websocket", "ws"),
        "path": request.path,
        "raw_path": request.path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.raw_headers],
        "server": ("127.0.0.1", 80),
        "subprotocols": [],
    }


async def _request(asgi: Asgi, request: web.Request) -> web.Response:
    said: list[dict[str, Any]] = []
    body = await request.read()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    await asgi(_scope("http", request), receive, send)
    headers = {name.decode(): value.decode() for name, value in said[0]["headers"]}
    return web.Response(body=said[1]["body"], status=said[0]["status"], headers=headers)


async def _websocket(asgi: Asgi, request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    first = [{"type": "websocket.connect"}]

    async def receive() -> dict[str, Any]:
        if first:
            return first.pop()
        message = await socket.receive()
        if message.type is WSMsgType.TEXT:
            return {"type": "websocket.receive", "text": message.data}
        return {"type": "websocket.disconnect", "code": socket.close_code or 1006}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send":
            await socket.send_str(message["text"])
        elif message["type"] == "websocket.close":
            await socket.close(code=message["code"])

    await asgi(_scope("websocket", request), receive, send)
    await socket.close()
    return socket


def served(asgi: Asgi) -> web.Application:
    """Return an application that has an ASGI one answer everything."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await _websocket(asgi, request)
        return await _request(asgi, request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return app
