"""Stands between a client and the gateway, passes everything on, and keeps what the gateway said.

It knows nothing of turnwire: bytes in, bytes out, over HTTP and WebSocket.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Json = dict[str, Any]

# They belong to one connection, or aiohttp writes them itself.
_OWN: Final = frozenset(
    {
        "connection", "content-length", "host", "keep-alive", "sec-websocket-accept",
        "sec-websocket-extensions", "sec-websocket-key", "sec-websocket-version",
        "transfer-encoding", "upgrade",
    }
)  # fmt: skip


class Recorder:
    """Keeps what passes.

    Attributes:
        url: Where clients go, without a path.
        sockets: How many sockets there were.
        posts: Paths of all POSTs.
        sent: Messages of clients on all sockets.
        socket_events: What came over WebSocket.
        stream_events: What came as server-sent events.
        responses: What came as JSON.
        failures: Answers over HTTP with an error status.
        together: So many creates are passed on together, each time; else each as it comes.
    """

    def __init__(self, target: str, session: aiohttp.ClientSession) -> None:
        self.url = ""
        self.sockets = 0
        self.posts: list[str] = []
        self.sent: list[Json] = []
        self.socket_events: list[Json] = []
        self.stream_events: list[Json] = []
        self.responses: list[Json] = []
        self.failures: list[tuple[int, str]] = []
        self.together = 1
        self._arrived = 0
        self._all_arrived = asyncio.Event()
        self._target = target
        self._session = session

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on, and what is answered back."""
        url = self._target + request.path_qs
        headers = {name: value for name, value in request.headers.items() if not _is_own(name)}
        if request.headers.get("Upgrade", "").lower() == "websocket":
            try:
                return await self._socket(request, url, headers)
            except aiohttp.WSServerHandshakeError as refusal:
                self.failures.append((refusal.status, "upgrade"))
                return web.Response(status=refusal.status)
        return await self._http(request, url, headers)

    async def _socket(
        self, request: web.Request, url: str, headers: dict[str, str]
    ) -> web.WebSocketResponse:
        async with self._session.ws_connect(
            url, headers=headers, compress=15, max_msg_size=0
        ) as theirs:
            ours = web.WebSocketResponse(max_msg_size=0)
            await ours.prepare(request)
            self.sockets += 1
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump_creates(ours, theirs))
                group.create_task(_pump(theirs, ours, self.socket_events))
            return ours

    async def _pump_creates(self, ours: Any, theirs: Any) -> None:
        async def pass_on(text: str) -> None:
            await self._others()
            await theirs.send_str(text)

        async with asyncio.TaskGroup() as group:
            async for message in ours:
                assert message.type is aiohttp.WSMsgType.TEXT
                self.sent.append(json.loads(message.data))
                if self.together > 1:
                    group.create_task(pass_on(message.data))
                else:
                    await theirs.send_str(message.data)
        await theirs.close(code=ours.close_code or 1000)

    async def _others(self) -> None:
        """Wait until so many creates are here that all of them go on together."""
        self._arrived += 1
        everybody = self._all_arrived
        if self._arrived < self.together:
            await everybody.wait()
            return
        self._arrived, self._all_arrived = 0, asyncio.Event()
        everybody.set()

    async def _http(
        self, request: web.Request, url: str, headers: dict[str, str]
    ) -> web.StreamResponse:
        if request.method == "POST":
            self.posts.append(request.path)
            await self._others()
        body = await request.read()
        async with self._session.request(
            request.method, url, headers=headers, data=body
        ) as answered:
            kept = {name: value for name, value in answered.headers.items() if not _is_own(name)}
            answer = web.StreamResponse(status=answered.status, headers=kept)
            await answer.prepare(request)
            whole = bytearray()
            async for piece in answered.content.iter_any():
                whole += piece
                await answer.write(piece)
        self._keep(request, answered, whole.decode())
        return answer

    def _keep(self, request: web.Request, answered: aiohttp.ClientResponse, text: str) -> None:
        if answered.status >= 400:
            self.failures.append((answered.status, text))
        elif answered.content_type == "text/event-stream":
            for block in text.removesuffix("\n\n").split("\n\n"):
                name, data = block.split("\n")
                event = json.loads(data.removeprefix("data: "))
                assert name == f"event: {event['type']}"
                self.stream_events.append(event)
        elif request.method == "POST":
            self.responses.append(json.loads(text))


@asynccontextmanager
async def recorder(target: str) -> AsyncIterator[Recorder]:
    """Record what a server says.

    Args:
        target: Its address, without a path.
    """
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
        made = Recorder(target, session)
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", made.pass_on)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield made
        finally:
            await runner.cleanup()


async def _pump(source: Any, sink: Any, into: list[Json]) -> None:
    """Pass on what one side says; at its end close the other one alike."""
    async for message in source:
        assert message.type is aiohttp.WSMsgType.TEXT
        into.append(json.loads(message.data))
        await sink.send_str(message.data)
    await sink.close(code=source.close_code or 1000)


def _is_own(name: str) -> bool:
    return name.lower() in _OWN
