"""The two ways out of the peer, WebSocket and POST, with what was seen on them.

Performs; decides nothing about turns.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec
from aiohttp import ClientConnectionResetError, WSMsgType, web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from turnwire.testing.steps import Error, Json

GONE: Final = (ConnectionError, ClientConnectionResetError)  # what a send to a closed socket raises

_LINGER_ZERO: Final = struct.pack("ii", 1, 0)  # makes close() send a reset instead of FIN
_UNKNOWN_STATUS: Final = 500  # for a POST that is refused without a status
_OPENING: Final = frozenset({"response.created", "response.queued", "response.in_progress"})

NORMAL: Final = 1000
NO_CODE: Final = 1005  # a close message without a code
ABNORMAL: Final = 1006  # what a close without a closing handshake is called


class Wire(Protocol):
    """Where the events of a turn go."""

    async def send(self, event: Json, lane: str | None) -> None:
        """Send one event."""
        ...

    async def refuse(self, error: Error, lane: str | None, sequence_number: int) -> None:
        """Send an error."""
        ...

    async def say(self, data: bytes, *, binary: bool = False) -> None:
        """Send bytes as they are."""
        ...

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close in good order."""
        ...

    def drop(self, *, reset: bool = False) -> None:
        """End the TCP connection."""
        ...


def drop_transport(request: web.Request, *, reset: bool) -> None:
    """End the TCP connection below a request, with FIN or with a reset."""
    transport = request.transport
    if transport is None:
        return
    if not reset:
        transport.close()
        return
    plain: socket.socket = transport.get_extra_info("socket")
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    transport.abort()


def error_body(error: Error) -> Json:
    """Return the inside of a nested error, without null members."""
    members = {
        "type": error.kind,
        "code": error.code,
        "message": error.message,
        "param": error.param,
    }
    return {name: value for name, value in members.items() if value is not None}


def error_event(error: Error, sequence_number: int) -> Json:
    """Return the ``error`` event in the shape that the script asks for."""
    if error.shape == "flat":
        return {
            "type": "error",
            "code": error.code,
            "message": error.message,
            "param": error.param,
            "sequence_number": sequence_number,
        }
    status = "status_code" if error.shape == "status_code" else "status"
    body = {"detail": error.message} if error.shape == "detail" else error_body(error)
    event: Json = {"type": "error", "error": body}
    if error.status is not None:
        event[status] = error.status
    if error.headers:
        event["headers"] = dict(error.headers)
    return event


class Connection:
    """One WebSocket connection as the peer saw it.

    Attributes:
        index: Its place in ``peer.connections``.
        headers: Those of the handshake.
        query: Parameters of the URL.
        received: Every JSON object that arrived, in order.
        raw: Every message that arrived, as bytes.
        sent: Every event that was sent, in order.
        close_code: The close code that the client sent, 1005 if it sent none, 1006 if it did not
            close; None while open.
    """

    def __init__(self, index: int, request: web.Request, websocket: web.WebSocketResponse) -> None:
        self.index = index
        self.headers: Mapping[str, str] = request.headers
        self.query: Mapping[str, str] = request.query
        self.received: list[Json] = []
        self.raw: list[bytes] = []
        self.sent: list[Json] = []
        self.close_code: int | None = None
        self._request = request
        self._websocket = websocket
        self._closing = False
        self._ended = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """True until the socket is closed, by whomever."""
        return self.close_code is None

    @property
    def creates(self) -> list[Json]:
        """The creates among the received messages."""
        return [event for event in self.received if event.get("type") == "response.create"]

    async def send(self, event: Json, lane: str | None = None) -> None:
        """Send one event, under the lane's name if there is one."""
        if lane is not None:
            event = event | {"stream_id": lane}
        await self.say(msgspec.json.encode(event))
        self.sent.append(event)

    async def refuse(self, error: Error, lane: str | None = None, sequence_number: int = 0) -> None:
        """Send an error."""
        await self.send(error_event(error, sequence_number), lane if error.lane else None)

    async def say(self, data: bytes, *, binary: bool = False) -> None:
        """Send one message of any bytes."""
        if self._closing:
            raise ConnectionResetError("The peer has closed this connection.")
        kind = WSMsgType.BINARY if binary else WSMsgType.TEXT
        await self._websocket.send_frame(data, kind)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with the closing handshake, and wait for the client's half of it."""
        self._closing = True
        # Not the library's close(): that one ends the TCP connection at once while we are reading.
        data = b"" if code == NO_CODE else struct.pack("!H", code) + reason.encode()
        await self._websocket.send_frame(data, WSMsgType.CLOSE)
        await self._ended.wait()

    def drop(self, *, reset: bool = False) -> None:
        """End the TCP connection without a closing handshake."""
        drop_transport(self._request, reset=reset)

    async def read(self, received: Callable[[bytes | None], Awaitable[None]]) -> None:
        """Hand on every message until the socket is closed; None stands for a binary one."""
        try:
            async for message in self._websocket:
                data: bytes | str = message.data
                self.raw.append(data if isinstance(data, bytes) else data.encode())
                await received(self.raw[-1] if message.type is WSMsgType.TEXT else None)
        except GONE:
            pass  # the client vanished while it was being answered
        finally:
            code = self._websocket.close_code
            self.close_code = ABNORMAL if code is None else code or NO_CODE
            self._ended.set()
            if self._closing:
                self.drop()
            else:
                self._closing = True
                await self._websocket.close(code=code or NORMAL)

    def __repr__(self) -> str:
        return f"<Connection {self.index}: {len(self.raw)} messages, close_code={self.close_code}>"


class Post:
    """One POST as the peer saw it.

    Attributes:
        headers: Those of the request.
        body: The JSON object that arrived.
        raw: The same as bytes, decompressed.
        sent: Every event that was sent, or would have been if it were not ``stream: true``.
    """

    def __init__(self, request: web.Request, raw: bytes, body: Json) -> None:
        self.headers: Mapping[str, str] = request.headers
        self.raw = raw
        self.body = body
        self.sent: list[Json] = []
        self._request = request
        self._stream: web.StreamResponse | None = None
        self._whole: web.Response | None = None

    async def send(self, event: Json, lane: str | None = None) -> None:  # noqa: ARG002  # no lanes here
        """Send one event, or keep the response of the terminal one as the answer."""
        self.sent.append(event)
        kind: str = event["type"]
        if self.body.get("stream") is True:
            data = msgspec.json.encode(event)
            await self.say(b"event: %b\ndata: %b\n\n" % (kind.encode(), data))
        elif "response" in event and kind not in _OPENING:
            self._whole = _json(200, event["response"])

    async def refuse(self, error: Error, lane: str | None = None, sequence_number: int = 0) -> None:
        """Refuse with a status, or with an event once the stream has begun."""
        if self._stream is not None:
            flat = replace(error, shape="flat")
            await self.send(error_event(flat, sequence_number), lane)
            return
        status = _UNKNOWN_STATUS if error.status is None else error.status
        self._whole = _json(status, {"error": error_body(error)}, error.headers)

    async def say(self, data: bytes, *, binary: bool = False) -> None:  # noqa: ARG002  # bytes are bytes
        """Write bytes into the stream."""
        if self._stream is None:
            self._stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await self._stream.prepare(self._request)
        await self._stream.write(data)

    async def close(self, code: int = 1000, reason: str = "") -> None:  # noqa: ARG002  # no codes here
        """End the TCP connection: HTTP has no other way to cut a response off."""
        self.drop()

    def drop(self, *, reset: bool = False) -> None:
        """End the TCP connection."""
        drop_transport(self._request, reset=reset)

    def result(self) -> web.StreamResponse:
        """Return the answer to the request once its turn has ended."""
        return self._whole or self._stream or web.Response(status=_UNKNOWN_STATUS)

    def __repr__(self) -> str:
        return f"<Post: {len(self.raw)} bytes, {len(self.sent)} events>"


def _json(status: int, body: Any, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        status=status,
        body=msgspec.json.encode(body),
        content_type="application/json",
        headers=headers,
    )
