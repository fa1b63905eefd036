"""How much waits in this process behind which control would have to wait."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import ssl
from typing import Any

import pytest
import trustme

from turnwire.io.websocket import WebSocket, open_session

pytestmark = pytest.mark.io

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_PIECE = b"x" * 3200


@pytest.mark.parametrize("secure", [False, True])
async def test_little_waits_also_below_tls(*, secure: bool) -> None:
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        found = re.search(rb"(?i)sec-websocket-key: (\S+)", head)
        assert found is not None
        accept = base64.b64encode(hashlib.sha1(found[1] + _GUID).digest())
        writer.write(b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
        writer.write(b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        transport: Any = writer.transport
        transport.pause_reading()
        await over.wait()
        transport.abort()

    authority = trustme.CA()
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(theirs)
    authority.configure_trust(ours)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=theirs if secure else None)
    port = server.sockets[0].getsockname()[1]
    url = f"http{'s' if secure else ''}://localhost:{port}/"
    async with server, open_session(ours, little_unsent=True) as session:
        socket = await WebSocket.dial(session, url, {}, "")

        async def write() -> None:
            while True:
                await socket.send_now(_PIECE)
                await socket.drained()

        writing = asyncio.create_task(write())
        near: Any = socket._socket
        transport = near._transport
        while transport.get_write_buffer_size() <= 8 * 2**10:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0)
        waits = transport.get_write_buffer_size()
        if secure:
            waits += transport._ssl_protocol._transport.get_write_buffer_size()
        assert waits < 32 * 2**10
        writing.cancel()
        over.set()
        await asyncio.gather(writing, return_exceptions=True)
        await socket.close()
