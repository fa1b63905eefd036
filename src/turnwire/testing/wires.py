"""The ways out of the peer: what a turn needs of them, and POST with what was seen on it.

Performs; decides nothing about turns.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec
from aiohttp import ClientConnectionResetError, web

from turnwire.testing.flag import Flag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from turnwire.testing.log import Log
    from turnwire.testing.steps import Error, Gate, Json

GONE: Final = (ConnectionError, ClientConnectionResetError)  # what a send to a closed socket raises

_LINGER_ZERO: Final = struct.pack("ii", 1, 0)  # makes close() send a reset instead of FIN
_UNKNOWN_STATUS: Final = 500  # for a POST that is refused without a status
_OPENING: Final = frozenset({"response.created", "response.queued", "response.in_progress"})


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

    async def ping(self, count: int = 1) -> None:
        """Send so many pings."""
        ...

    def half_open(self) -> None:
        """Send and read nothing any more, and leave TCP as it is."""
        ...

    def stop_reading(self, until: Gate | float | None = None) -> None:
        """Read nothing until the gate opens, for so many seconds, or ever again."""
        ...

    def withhold_pongs(self) -> None:
        """Answer no ping from here on."""
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
    number = {"sequence_number": sequence_number} if error.numbered else {}
    if error.shape == "flat":
        flat = {"code": error.code, "message": error.message, "param": error.param}
        return {"type": "error", **flat, **number}
    status = "status_code" if error.shape == "status_code" else "status"
    event: Json = {"type": "error", "error": _inside(error), **number}
    if error.status is not None:
        event[status] = error.status
    if error.headers:
        event["headers"] = dict(error.headers)
    return event


def _inside(error: Error) -> Json | str:
    match error.shape:
        case "detail":
            return {"detail": error.message}
        case "text":
            return error.message
        case _:
            return error_body(error)


class Post:
    """One POST as the peer saw it.

    Attributes:
        index: Its place in ``peer.posts``.
        headers: Those of the request.
        body: The JSON object that arrived.
        raw: The same as bytes, decompressed.
        sent: Every event that was sent, or that ``stream: true`` would have shown.
        status: The status that was answered, None before.
        is_open: True until it is answered, or the client has left.
    """

    def __init__(self, index: int, request: web.Request, raw: bytes, body: Json, log: Log) -> None:
        self.index = index
        self.headers: Mapping[str, str] = request.headers
        self.raw = raw
        self.body = body
        self.sent: list[Json] = []
        self.status: int | None = None
        self.is_open = True
        self._request = request
        self._stream: web.StreamResponse | None = None
        self._whole: web.Response | None = None
        self._log = log
        self._name = f"post {index}"
        self._gone = False
        log.add(self._name, "client", "request", raw, request.path)

    async def send(self, event: Json, lane: str | None = None) -> None:  # noqa: ARG002  # no lanes here
        """Send one event, or keep the response of the terminal one as the answer."""
        self.sent.append(event)
        kind: str = event["type"]
        if self.body.get("stream") is True:
            data = msgspec.json.encode(event)
            self._log.add(self._name, "peer", "text", data)
            await self.say(b"event: %b\ndata: %b\n\n" % (kind.encode(), data))
        elif "response" in event and kind not in _OPENING:
            self._whole = json_answer(200, event["response"])

    async def refuse(self, error: Error, lane: str | None = None, sequence_number: int = 0) -> None:
        """Refuse with a status, or with an event once the stream has begun."""
        if self._stream is not None:
            flat = replace(error, shape="flat", numbered=True)
            await self.send(error_event(flat, sequence_number), lane)
            return
        status = _UNKNOWN_STATUS if error.status is None else error.status
        self._whole = json_answer(status, {"error": error_body(error)}, error.headers)

    async def say(self, data: bytes, *, binary: bool = False) -> None:  # noqa: ARG002  # bytes are bytes
        """Write bytes into the stream."""
        if self._stream is None:
            self._stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await self._stream.prepare(self._request)
        if self._gone:
            await Flag().wait()  # until the client gives up and this is cancelled
        await self._stream.write(data)

    async def close(self, code: int = 1000, reason: str = "") -> None:  # noqa: ARG002  # no codes here
        """End the TCP connection: HTTP has no other way to cut a response off."""
        self.drop()

    def drop(self, *, reset: bool = False) -> None:
        """End the TCP connection."""
        self._log.add(self._name, "peer", "lost", note="reset" if reset else "")
        drop_transport(self._request, reset=reset)

    async def ping(self, count: int = 1) -> None:
        """Write comments into the stream, which is how HTTP keeps a connection warm."""
        for _ in range(count):
            self._log.add(self._name, "peer", "ping")
            await self.say(b": ping\n\n")

    def half_open(self) -> None:
        """Write nothing any more."""
        self._gone = True

    def stop_reading(self, until: Gate | float | None = None) -> None:
        """Do nothing: the request was read before its turn began."""

    def withhold_pongs(self) -> None:
        """Do nothing: HTTP has no pings."""

    async def result(self) -> web.StreamResponse:
        """Return the answer to the request once its turn has ended."""
        if self._gone:
            await Flag().wait()
        return self.answered(self._whole or self._stream or web.Response(status=_UNKNOWN_STATUS))

    def answered(self, answer: web.StreamResponse) -> web.StreamResponse:
        """Note the answer's status."""
        self.status = answer.status
        self._log.add(self._name, "peer", "answer", note=str(answer.status))
        return answer

    def __repr__(self) -> str:
        return f"<Post: {len(self.raw)} bytes, {len(self.sent)} events>"


def json_answer(status: int, body: Any, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return an answer of JSON."""
    return web.Response(
        status=status,
        body=msgspec.json.encode(body),
        content_type="application/json",
        headers=headers,
    )
