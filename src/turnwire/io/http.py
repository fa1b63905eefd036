"""One HTTP exchange over aiohttp: POST a turn, hand out what comes back.  Decides nothing."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

import aiohttp

from turnwire.core.failure import CloseInfo
from turnwire.io.describing import describe

if TYPE_CHECKING:
    from collections.abc import Callable

_OK: Final = 200
_REFUSAL_BYTES: Final = 64 * 2**10
_TAIL_SECONDS: Final = 2.0  # how long to wait for the end of a stream whose turn has ended

Refused = tuple[int, dict[str, str], bytes]


async def post(
    session: aiohttp.ClientSession,
    url: str,
    headers: dict[str, str],
    body: bytes,
    piece: Callable[[bytes], bool],
) -> CloseInfo | Refused:
    """POST a turn and hand each piece of the stream to ``piece``, which says if it wants more.

    Returns:
        How the stream ended; or status, headers and body of an answer that is no event stream.
    """
    posted = {"Content-Type": "application/json", "Accept": "text/event-stream", **headers}
    try:
        async with session.post(url, data=body, headers=posted, allow_redirects=False) as response:
            if response.status != _OK or response.content_type != "text/event-stream":
                said = await response.content.read(_REFUSAL_BYTES)
                names = {name.lower(): value for name, value in response.headers.items()}
                return response.status, names, said
            async for data in response.content.iter_any():
                if not piece(data):
                    await _read_to_end(response)
                    break
    except aiohttp.ClientConnectorError as error:
        return CloseInfo(None, describe(error), reached=False)
    except (aiohttp.ClientError, OSError) as error:
        return CloseInfo(None, describe(error))
    return CloseInfo(None)


async def _read_to_end(response: aiohttp.ClientResponse) -> None:
    """Let the connection be used again: read the few bytes after the terminal event."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_TAIL_SECONDS):
            while await response.content.readany():
                pass
