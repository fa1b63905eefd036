"""One socket, relayed: every message, ping and goodbye as it comes, in both directions.

Each direction is one task that reads one message, writes it down, and writes it to the other side;
a side that does not read stops the other one from being read, and nothing piles up.
"""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, cast

from aiohttp import ClientWebSocketResponse, WebSocketError, WSMsgType, web

if TYPE_CHECKING:
    from turnwire.recording.journal import Page

MESSAGE_BYTES: Final = 256 * 2**20  # docs/protocol/limits.md#sizes
NO_CODE: Final = 1005  # what a goodbye without a code is called; it never travels
_GOODBYE_SECONDS: Final = 10.0  # for the other side's goodbye, as in the clients that are met

Side = Literal["client", "server"]
Ending = Literal["goodbye", "broken", "lost", "unwritable"]
Socket = web.WebSocketResponse[bool] | ClientWebSocketResponse[bool]


class _Way(NamedTuple):
    sender: Side
    source: Socket
    target: Socket


async def relay_socket(client: Socket, server: Socket, page: Page) -> None:
    """Relay until both sides have said goodbye or one is gone; the caller drops both then."""
    ways: dict[asyncio.Task[Ending], Side] = {
        asyncio.create_task(_relay(_Way("client", client, server), page)): "client",
        asyncio.create_task(_relay(_Way("server", server, client), page)): "server",
    }
    try:
        done, pending = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        # A side that cannot be written to is gone: what it said before is still to be read.
        if {task.result() for task in done} <= {"goodbye", "unwritable"} and pending:
            _, silent = await asyncio.wait(pending, timeout=_GOODBYE_SECONDS)
            for task in silent:
                page.lost(ways[task])
    finally:
        for task in ways:
            task.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _relay(way: _Way, page: Page) -> Ending:
    sender, source, target = way
    try:
        while True:
            message = await source.receive()
            kind, data = message.type, message.data
            if kind is WSMsgType.CLOSE:
                code = data if isinstance(data, int) and data else NO_CODE
                page.close(sender, code, message.extra or "")
                await say_goodbye(target, code, message.extra or "")
                return "goodbye"
            if kind is WSMsgType.ERROR and isinstance(data, WebSocketError):
                # A rule of WebSocket was broken, or a limit: aiohttp has told the one who did.
                reason = f"from the {sender}: {data}"[:100]
                page.close("recorder", data.code, reason)
                await say_goodbye(target, data.code, reason)
                return "broken"
            if kind not in _PASSED:
                page.lost(sender)
                return "lost"
            _write_down(page, sender, kind, cast("bytes", data))
            await target.send_frame(cast("bytes", data), kind)
    except ConnectionError:
        return "unwritable"


_PASSED: Final = frozenset({WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG})


def _write_down(page: Page, sender: Side, kind: WSMsgType, data: bytes) -> None:
    match kind:
        case WSMsgType.PING:
            page.ping(sender, data)
        case WSMsgType.PONG:
            page.pong(sender, data)
        case _:
            page.message(sender, data, binary=kind is WSMsgType.BINARY)


async def say_goodbye(socket: Socket, code: int, reason: str) -> None:
    """Send a close message just so; not by aiohttp's own means, which wait and drop."""
    data = b"" if code == NO_CODE else struct.pack("!H", code) + reason.encode()
    await socket.send_frame(data, WSMsgType.CLOSE)


def without_protocols(request: web.Request) -> web.BaseRequest:
    """Return an upgrade that offers no subprotocol, for when none is chosen.

    aiohttp logs subprotocols that nobody chose, and one of them may hold a key.
    """
    kept = request.headers.copy()
    kept.popall("Sec-WebSocket-Protocol", None)
    return request.clone(headers=kept)
