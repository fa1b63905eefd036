"""A socket that keeps little in its buffers, so that what is urgent waits behind little audio."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, Final

from aiohttp import ClientWebSocketResponse

if TYPE_CHECKING:
    from aiohttp.http import WebSocketWriter

_KERNEL_BYTES: Final = 32 * 2**10  # half a second of PCM in base64
_BUFFER_BYTES: Final = 8 * 2**10
_LOOK_AGAIN: Final = 0.005  # seconds


class UplinkSocket(ClientWebSocketResponse[bool]):
    """A client socket that says how much it has not handed to the operating system."""

    def __init__(self, reader: Any, writer: WebSocketWriter, *args: Any, **options: Any) -> None:
        super().__init__(reader, writer, *args, **options)
        self._transport: asyncio.WriteTransport = writer.transport
        # TLS hands on at once what the transport below takes, and counts it no more.
        tls = getattr(self._transport, "_ssl_protocol", None)
        below = getattr(tls, "_transport", None)
        if isinstance(below, asyncio.WriteTransport):
            below.set_write_buffer_limits(high=_BUFFER_BYTES)

    async def drained(self) -> None:
        """Wait until no more than a message or two wait in this process."""
        while self._transport.get_write_buffer_size() > _BUFFER_BYTES:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_AGAIN)  # aiohttp tells nobody of it


def small_socket(address: Any) -> socket.socket:
    """Make a socket for an address, as aiohttp asks for one."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family=family, type=kind, proto=protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BYTES)
    return made
