"""An answer that is not the one that was asked for: what it says, within limits."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, NamedTuple

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Mapping

_OF_PROXY: Final = 407
_BODY_BYTES: Final = 64 * 2**10
_BODY_SECONDS: Final = 2.0  # what it has said by then is what it said


class Refusal(NamedTuple):
    """What a server said instead.

    Attributes:
        status: The HTTP status.
        headers: By name in lower case.
        body: As far as it came, at most 64 KiB.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


def raise_if_of_proxy(response: aiohttp.ClientResponse, *, passed_on: bool) -> None:
    """Treat a proxy that asks for credentials alike, whether it tunnels or passes requests on.

    Raises:
        aiohttp.ClientHttpProxyError: It is the proxy that answered, not the server.
    """
    if passed_on and response.status == _OF_PROXY:
        info, reason = response.request_info, response.reason or ""
        response.close()
        raise aiohttp.ClientHttpProxyError(info, (), status=_OF_PROXY, message=reason)


async def read_refusal(response: aiohttp.ClientResponse) -> Refusal:
    """Read an answer to its end or its limit; a body that is cut off counts as far as it came."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    body = bytearray()
    with contextlib.suppress(aiohttp.ClientError, OSError):  # TimeoutError is an OSError
        async with asyncio.timeout(_BODY_SECONDS):
            while piece := await response.content.read(_BODY_BYTES - len(body)):
                body += piece
    return Refusal(response.status, headers, bytes(body))
