"""One HTTP exchange over aiohttp: POST a turn, hand out what comes back.  Decides nothing."""

from __future__ import annotations

import asyncio
import contextlib
import io
from typing import TYPE_CHECKING, Final

import aiohttp

from turnwire.core.failure import CloseInfo
from turnwire.io.describing import describe, describe_dial
from turnwire.io.proxy import passage
from turnwire.io.refusal import read_refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from turnwire.io.proxy import Proxy
    from turnwire.io.refusal import Refusal

_OK: Final = 200
_TAIL_SECONDS: Final = 2.0  # how long to wait for the end of a stream whose turn has ended

# What goes wrong before a single byte was sent to the server.
_NOT_REACHED: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
)


async def post(
    session: aiohttp.ClientSession,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    piece: Callable[[bytes], bool],
    *,
    proxy: Proxy | None = None,
    dial_timeout: float | None = None,
) -> CloseInfo | Refusal:
    """POST a turn and hand each piece of the stream to ``piece``, which says if it wants more.

    A new connection, name lookup, proxy and TLS included, may take ``dial_timeout`` seconds.

    Returns:
        How the stream ended; or an answer that is no event stream.
    """
    posted = {"Content-Type": "application/json", "Accept": "text/event-stream", **headers}
    try:
        async with session.post(
            url,
            data=io.BytesIO(body),  # of large bytes aiohttp warns
            timeout=aiohttp.ClientTimeout(total=None, connect=dial_timeout),
            allow_redirects=False,
            **passage(proxy, posted),
        ) as response:
            if response.status != _OK or response.content_type != "text/event-stream":
                return await read_refusal(response)
            async for data in response.content.iter_any():
                if not piece(data):
                    await _read_to_end(response)
                    break
    except _NOT_REACHED as error:
        late = isinstance(error, aiohttp.ConnectionTimeoutError)
        return CloseInfo(None, describe_dial(error, proxy), reached=False, timed_out=late)
    except (aiohttp.ClientError, OSError) as error:
        return CloseInfo(None, describe(error))
    return CloseInfo(None)


async def _read_to_end(response: aiohttp.ClientResponse) -> None:
    """Let the connection be used again: read the few bytes after the terminal event."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_TAIL_SECONDS):
            while await response.content.readany():
                pass
