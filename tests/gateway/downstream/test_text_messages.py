"""Messages as bytes: what aiohttp's own reader makes of them."""

import asyncio

import pytest
from aiohttp import ClientSession, WSMsgType, web

from turnwire.gateway.downstream.text_messages import text_messages

# Where the length changes its shape: one byte, two more, eight more.
SIZES = (0, 1, 125, 126, 127, 65535, 65536)


@pytest.mark.parametrize(
    ("message", "head"),
    [
        (b"", b"\x81\x00"),
        (b"a" * 125, b"\x81\x7d"),
        (b"a" * 126, b"\x81\x7e\x00\x7e"),
        (b"a" * 65535, b"\x81\x7e\xff\xff"),
        (b"a" * 65536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_the_head_says_how_long_a_message_is(message: bytes, head: bytes) -> None:
    assert text_messages([message]) == head + message


def test_nothing_is_nothing() -> None:
    assert text_messages([]) == b""


@pytest.mark.io
async def test_a_client_reads_several_that_were_written_at_once() -> None:
    sent = [bytes([97 + number]) * size for number, size in enumerate(SIZES)]

    async def connect(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        assert request.transport is not None
        request.transport.write(text_messages(sent))
        await socket.close()
        return socket

    app = web.Application()
    app.router.add_get("/", connect)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    async with ClientSession() as session, session.ws_connect(url) as socket:
        messages = [message async for message in socket]
    await asyncio.wait_for(runner.cleanup(), 10)
    assert [(WSMsgType.TEXT, message.decode()) for message in sent] == [
        (message.type, message.data) for message in messages
    ]
