"""What the peer keeps, and how it tells it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from turnwire.testing import Entry, Peer, Turns, answer, close, deltas, error, refuse, wait
from turnwire.testing.log import transcript

if TYPE_CHECKING:
    from tests.testing.conftest import Caller


@pytest.mark.io
async def test_a_transcript(caller: Caller) -> None:
    script = Turns([deltas(3), wait(1.5, after=5)], [error("rate_limit_exceeded", 429)], [close()])
    async with Peer(script, handshake=[refuse(503)], posts=[429], age_limit=60.0) as peer:
        url = peer.websocket_url.replace("ws", "http", 1)
        async with caller.session.get(url, headers={"Upgrade": "websocket"}) as response:
            assert response.status == 503
        socket = await caller.dial(peer, autoping=False)
        await socket.create(input="the secret", stream_id="a")
        await peer.wait_until(lambda: peer.clock.next == 1.5)
        peer.clock.advance(1.5)
        await socket.turn()
        await socket.raw.ping(b"x")
        await socket.raw.receive()
        await socket.run(input="the secret", previous_response_id="resp_1")
        await caller.post(peer, input="the secret")
        async with caller.session.get(f"{peer.base_url}/responses/resp_9") as response:
            assert response.status == 404
        await socket.create(input="x")
        await socket.raw.receive()
        await peer.wait_until(lambda: not peer.connections[0].is_open)
    lines = re.sub(r",? \d+ bytes", "", peer.transcript()).splitlines()
    assert lines == [
        "    0.000  upgrade 0   -> request /v1/responses",
        "    0.000  upgrade 0   <- answer 503",
        "    0.000  upgrade 1   -> request /v1/responses",
        "    0.000  socket 0    -> open /v1/responses",
        "    0.000  socket 0    -> response.create lane a",
        "    0.000  socket 0    <- response.created #0, lane a, resp_1",
        "    0.000  socket 0    <- response.in_progress #1, lane a, resp_1",
        "    0.000  socket 0    <- response.output_item.added #2, lane a",
        "    0.000  socket 0    <- response.content_part.added #3, lane a",
        "    0.000  socket 0    <- response.output_text.delta #4, lane a",
        "    1.500  socket 0    <- response.output_text.delta x2",
        "    1.500  socket 0    <- response.output_text.done #7, lane a",
        "    1.500  socket 0    <- response.content_part.done #8, lane a",
        "    1.500  socket 0    <- response.output_item.done #9, lane a",
        "    1.500  socket 0    <- response.completed #10, lane a, resp_1",
        "    1.500  socket 0    -> ping",
        "    1.500  socket 0    <- pong",
        "    1.500  socket 0    -> response.create after resp_1",
        "    1.500  socket 0    <- error rate_limit_exceeded",
        "    1.500  post 0      -> request /v1/responses",
        "    1.500  post 0      <- answer 429",
        "    1.500  retrieval 0 -> request /v1/responses/resp_9",
        "    1.500  retrieval 0 <- answer 404",
        "    1.500  socket 0    -> response.create",
        "    1.500  socket 0    <- close 1000",
        "    1.500  socket 0    -> close 1000",
    ]


@pytest.mark.io
async def test_a_transcript_tells_nothing_that_was_said(caller: Caller) -> None:
    async with Peer(lambda create: [answer("confidential")]) as peer:
        socket = await caller.dial(peer, headers={"Authorization": "Bearer secret-key"})
        await socket.run(input="confidential", instructions="confidential")
    text = peer.transcript()
    assert "response.completed #" in text
    assert "confidential" not in text
    assert "secret-key" not in text


def entry(data: bytes, at: float = 0.0) -> Entry:
    return Entry(at, "socket 0", "peer", "text", data)


DELTA = b'{"type":"response.output_text.delta","delta":"x"}'


def test_deltas_in_a_row_are_one_line() -> None:
    text = transcript([entry(DELTA, at) for at in (0.0, 0.0, 0.0, 1.0)])
    assert text.splitlines() == [
        "    0.000  socket 0    <- response.output_text.delta x3",
        "    1.000  socket 0    <- response.output_text.delta 49 bytes",
    ]


def test_a_transcript_may_be_short() -> None:
    text = transcript([entry(b"[]", at) for at in (0.0, 1.0, 2.0)], last_lines=1)
    assert text == "    2.000  socket 0    <- text 2 bytes, not a JSON object"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'{"type":"error","error":{"code":"c"}}', "error c, 37 bytes"),
        (b'{"type":"error","code":"c"}', "error c, 27 bytes"),
        (b'{"type":"error","error":"text"}', "error None, 31 bytes"),
        (b"[]", "text 2 bytes, not a JSON object"),
        (b"{", "text 1 bytes, not a JSON object"),
        (b"\xff", "text 1 bytes, not a JSON object"),
    ],
)
def test_odd_messages_have_a_line_too(data: bytes, told: str) -> None:
    assert transcript([entry(data)]) == f"    0.000  socket 0    <- {told}"
