"""One HTTP exchange over aiohttp: ask, and hand out what comes back.  Decides nothing."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import aiohttp

from turnwire.core.failure import CloseInfo
from turnwire.io.describing import describe, describe_dial
from turnwire.io.proxy import passage
from turnwire.io.redirects import OF_POST, Redirects
from turnwire.io.refusal import raise_if_of_proxy, read_refusal
from turnwire.io.tls import refuses_certificate
from turnwire.io.websocket import INBOUND_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from turnwire.io.proxy import Proxy
    from turnwire.io.refusal import Refusal

_OK: Final = 200
_JSON: Final = "application/json"
_PIECE_BYTES: Final = 2**18
_TAIL_SECONDS: Final = 2.0  # how long to wait for the end of a stream whose turn has ended

# What goes wrong before a single byte was sent to the server.
_NOT_REACHED: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
)


@dataclass(frozen=True, slots=True)
class Whole:
    """A stored response that came in one piece."""

    body: bytes


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What to ask, and whom to tell.

    Attributes:
        url: Where.
        proxy: What is between here and there.
        dial_timeout: Seconds for a new connection, name lookup, proxy and TLS included.
        headers: Sent with it.
        piece: Called with each piece of a stream; says if it wants more.
        body: What to POST; None for a GET.
        written: Called once all of it is on its way.
    """

    url: str
    proxy: Proxy | None
    dial_timeout: float | None
    headers: Mapping[str, str]
    piece: Callable[[bytes], bool]
    body: bytes | None = None
    written: Callable[[], None] = lambda: None


async def perform(
    session: aiohttp.ClientSession, request: HttpRequest
) -> CloseInfo | Refusal | Whole:
    """POST a turn, or GET a stored response; redirects within the server are followed.

    Returns:
        How the stream ended; or an answer that is no stream.
    """
    way = Redirects(request.url, OF_POST)
    while True:
        end = await _perform_once(session, way.url, request)
        if isinstance(end, CloseInfo | Whole) or not way.follow(end):
            return end


async def _perform_once(
    session: aiohttp.ClientSession, url: str, request: HttpRequest
) -> CloseInfo | Refusal | Whole:
    body, proxy = request.body, request.proxy
    headers = {"Accept": "text/event-stream", **request.headers}
    if body is not None:
        sized = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        headers = sized | headers
    answered = False
    try:
        async with session.request(
            "GET" if body is None else "POST",
            url,
            data=None if body is None else _in_pieces(body, request.written),
            timeout=aiohttp.ClientTimeout(total=None, connect=request.dial_timeout),
            allow_redirects=False,
            **passage(proxy, headers),
        ) as response:
            answered = True
            raise_if_of_proxy(response, passed_on=proxy is not None and not proxy.tunnels)
            if body is None and response.status == _OK and response.content_type == _JSON:
                return await _read_whole(response)
            if response.status != _OK or response.content_type != "text/event-stream":
                return await read_refusal(response)
            async for data in response.content.iter_any():
                if not request.piece(data):
                    await _read_to_end(response)
                    break
    except _NOT_REACHED as error:
        late = isinstance(error, aiohttp.ConnectionTimeoutError)
        return CloseInfo(None, describe_dial(error, proxy), reached=False, timed_out=late)
    except (aiohttp.ClientError, OSError) as error:
        if not answered and refuses_certificate(error):  # which TLS 1.3 does after the dial
            return CloseInfo(None, describe_dial(error, proxy), reached=False)
        return CloseInfo(None, describe(error))
    return CloseInfo(None)


async def _read_whole(response: aiohttp.ClientResponse) -> Whole | CloseInfo:
    body = bytearray()
    while piece := await response.content.readany():
        body += piece
        if len(body) > INBOUND_BYTES:
            return CloseInfo(None, f"the stored response has more than {INBOUND_BYTES} bytes")
    return Whole(bytes(body))


async def _in_pieces(body: bytes, written: Callable[[], None]) -> AsyncGenerator[bytes]:
    """Hand a body out so that its end is noticed; of large bytes aiohttp would warn."""
    for start in range(0, len(body), _PIECE_BYTES):
        yield body[start : start + _PIECE_BYTES]
    written()


async def _read_to_end(response: aiohttp.ClientResponse) -> None:
    """Let the connection be used again: read the few bytes after the terminal event."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_TAIL_SECONDS):
            while await response.content.readany():
                pass
