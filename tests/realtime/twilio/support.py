"""A phone call to a model, on real sockets: simulated caller, bridge, Realtime server."""

from __future__ import annotations

import asyncio
import base64
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from turnwire import realtime
from turnwire.realtime.twilio import TwilioBridge
from turnwire.testing.realtime import RealtimeServer, TwilioLine, twilio_line

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from turnwire.realtime import RealtimeTransport

Json = dict[str, Any]

LOUD = b"\x00\x80" * 80  # 20 ms of a square wave as loud as µ-law gets
MANUAL = {"turn_detection": None}


class Phone:
    """One call.

    Attributes:
        line: The caller's end.
        rt: The session.
        bridge: Between them.
        served: What the server saw of it.
        ended: How ``run`` ended: None, or its error; not done while it runs.
    """

    def __init__(self, server: RealtimeServer) -> None:
        self.server = server
        self.line: TwilioLine
        self.rt: RealtimeTransport
        self.bridge: TwilioBridge
        self.ended: asyncio.Future[BaseException | None] = (
            asyncio.get_running_loop().create_future()
        )

    @property
    def served(self) -> Any:
        return self.server.sessions[-1]

    @property
    def is_ready(self) -> bool:
        return (
            hasattr(self, "rt") and self.rt.status == "connected" and self.bridge.call is not None
        )

    @property
    def heard(self) -> bytes:
        """All that was played to the caller."""
        return bytes(self.line.call.playing.heard)

    def to_line(self, kind: str) -> list[Json]:
        return [event for _, event in self.line.call.received if event["event"] == kind]

    async def until(self, condition: Callable[[], bool]) -> None:
        await self.line.wait_until(condition)

    async def heard_until(self, ms: float) -> None:
        await self.until(lambda: self.line.call.heard_ms >= ms)

    def appended(self) -> bytes:
        """All audio that the server was sent."""
        events = self.served.received_of("input_audio_buffer.append")
        return b"".join(base64.b64decode(event["audio"]) for event in events)


@asynccontextmanager
async def serving(handler: Callable[[web.Request], Any]) -> AsyncGenerator[str]:
    """Serve a WebSocket; return its URL."""
    app = web.Application()
    app.router.add_get("/", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def phone(
    server: RealtimeServer,
    session: Json | None = None,
    *,
    on: dict[str, Callable[[Any], object]] | None = None,
    bridge: Json | None = None,
    call: Json | None = None,
    **options: Any,
) -> AsyncGenerator[Phone]:
    """Call a model that is served, and hold the line while the block runs."""
    made = Phone(server)

    async def answer(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)

        async def receive() -> str | None:
            message = await socket.receive()
            return message.data if message.type is WSMsgType.TEXT else None

        made.rt = realtime.connect(
            base_url=server.http_url, api_key="k", session=session, **options
        )
        for name, function in (on or {}).items():
            made.rt.on(name, function)
        made.bridge = TwilioBridge(made.rt, receive, socket.send_str, **(bridge or {}))
        try:
            await made.bridge.run()
        except BaseException as error:
            made.ended.set_result(error)
            raise
        else:
            made.ended.set_result(None)
        finally:
            await socket.close()
        return socket

    async with serving(answer) as url, twilio_line(url, **(call or {})) as line:
        made.line = line
        await made.until(lambda: made.is_ready)
        yield made
        line.hang_up()
        await made.ended
