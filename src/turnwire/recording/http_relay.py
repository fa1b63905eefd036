"""One HTTP exchange, relayed: the request whole, the answer piece by piece as it comes."""

from __future__ import annotations

import asyncio
import io
import re
from typing import TYPE_CHECKING, Final

import aiohttp
import msgspec
from aiohttp import web

from turnwire.io.describing import describe_dial
from turnwire.io.proxy import passage
from turnwire.recording.upstream import end_to_end, location_here

if TYPE_CHECKING:
    from collections.abc import Mapping

    from turnwire.recording.journal import Page
    from turnwire.recording.upstream import Upstream

_RECORD_BYTES: Final = 256 * 2**20  # of a body, or of one event of a stream
_BETWEEN_EVENTS: Final = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_BAD_GATEWAY: Final = 502
_CANNOT_REACH: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
    aiohttp.WSServerHandshakeError,
)


class ClientGone(ConnectionResetError):
    """The client left; or it has to be left, as the server left."""


async def relay_http(
    request: web.Request, session: aiohttp.ClientSession, upstream: Upstream, page: Page
) -> web.StreamResponse:
    """Relay one exchange; a cancellation means that the client is gone.

    Raises:
        ClientGone: The client has not got a whole answer.
    """
    try:
        body = await request.read()
        page.http(request.method, request.raw_path, request.headers.items(), body)
        return await _relay(request, session, upstream, page, body)
    except asyncio.CancelledError:
        page.lost("client")
        raise


async def _relay(
    request: web.Request,
    session: aiohttp.ClientSession,
    upstream: Upstream,
    page: Page,
    body: bytes,
) -> web.StreamResponse:
    try:
        async with session.request(
            request.method,
            upstream.url(request.raw_path),
            data=io.BytesIO(body) if body else None,
            allow_redirects=False,
            **passage(upstream.proxy, upstream.headers(request.headers)),
        ) as response:
            return await _relay_answer(request, response, upstream, page)
    except ClientGone:
        raise
    except _CANNOT_REACH as error:
        answer = unreachable(error, upstream)
        page.answer(answer.status, answer.headers.items(), "recorder")
        page.body(body_of(answer))
        page.end()
        return answer
    except (aiohttp.ClientError, OSError) as error:
        page.lost("server")
        drop(request)
        raise ClientGone("the server ended the connection") from error


async def _relay_answer(
    request: web.Request, response: aiohttp.ClientResponse, upstream: Upstream, page: Page
) -> web.StreamResponse:
    headers = answer_headers(response.headers, upstream)
    answer = web.StreamResponse(status=response.status, reason=response.reason, headers=headers)
    page.answer(response.status, response.headers.items())
    paper = _Events(page) if response.content_type == "text/event-stream" else _Whole(page)
    try:
        await _prepare(answer, request, page)
        async for piece in response.content.iter_any():
            paper.add(piece)
            await _write(answer, piece, page)
    finally:
        paper.finish()
    page.end()
    await _write(answer, b"", page)
    return answer


async def _prepare(answer: web.StreamResponse, request: web.Request, page: Page) -> None:
    try:
        await answer.prepare(request)
    except ConnectionError as error:
        page.lost("client")
        raise ClientGone("the client left") from error


async def _write(answer: web.StreamResponse, piece: bytes, page: Page) -> None:
    try:
        if piece:
            await answer.write(piece)
        else:
            await answer.write_eof()
    except ConnectionError as error:
        page.lost("client")
        raise ClientGone("the client left") from error


def answer_headers(headers: Mapping[str, str], upstream: Upstream) -> list[tuple[str, str]]:
    """Return the headers of an answer that are passed on; its body is not compressed."""
    passed = end_to_end(headers, without=("content-encoding",))
    return [
        (name, location_here(value, upstream) if name.lower() == "location" else value)
        for name, value in passed
    ]


def unreachable(error: Exception, upstream: Upstream) -> web.Response:
    """Return the answer for a server that cannot be reached."""
    message = f"The recorder cannot reach the upstream: {describe_dial(error, upstream.proxy)}"
    return refusal(_BAD_GATEWAY, "upstream_unreachable", message)


def refusal(status: int, code: str, message: str) -> web.Response:
    """Return an error in the shape that API clients read."""
    error = {"type": "recorder_error", "code": code, "message": message, "param": None}
    return web.Response(
        status=status, body=msgspec.json.encode({"error": error}), content_type="application/json"
    )


def body_of(answer: web.Response) -> bytes:
    """Return the body of an answer of our own."""
    assert isinstance(answer.body, bytes)  # refusal() made it
    return answer.body


def drop(request: web.BaseRequest) -> None:
    """End the TCP connection below a request; what was written goes out before."""
    if request.transport is not None:
        request.transport.close()


class _Events:
    """Writes a stream down, event by event."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._rest = bytearray()

    def add(self, piece: bytes) -> None:
        # An end that is cut in two has at most three bytes in what came before.
        looked_at = max(0, len(self._rest) - 3)
        self._rest += piece
        begin = 0
        for found in _BETWEEN_EVENTS.finditer(bytes(self._rest), looked_at):
            self._page.sse(bytes(self._rest[begin : found.end()]))
            begin = found.end()
        del self._rest[:begin]
        if len(self._rest) > _RECORD_BYTES:
            self.finish()

    def finish(self) -> None:
        if self._rest:
            self._page.sse(bytes(self._rest))
            self._rest.clear()


class _Whole:
    """Writes a body down, in one piece unless it is huge."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._body = bytearray()

    def add(self, piece: bytes) -> None:
        self._body += piece
        if len(self._body) > _RECORD_BYTES:
            self.finish()

    def finish(self) -> None:
        if self._body:
            self._page.body(bytes(self._body))
            self._body.clear()
