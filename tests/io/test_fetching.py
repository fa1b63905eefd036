"""GETs of stored responses, and what the core is told about writing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.io.engines import answered, ended, request, running, submitted

from turnwire.core.actions import Fetch
from turnwire.core.failure import CloseInfo, FailureKind
from turnwire.io import http
from turnwire.io.endpoint import Endpoint
from turnwire.io.http import HttpRequest, Whole, perform
from turnwire.io.websocket import WebSocket
from turnwire.testing import Peer, Turns, answer, drop, refuse, silence

if TYPE_CHECKING:
    import aiohttp
    from tests.io.conftest import Serve

pytestmark = pytest.mark.io

JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def test_where_a_stored_response_is() -> None:
    endpoint = Endpoint("https://me@host:1/v1/responses?api-version=1")
    assert [
        endpoint.url_for(Fetch(1, "resp_1", None, streamed=False)),
        endpoint.url_for(Fetch(1, "resp_1", None, streamed=True)),
        endpoint.url_for(Fetch(1, "resp_1", 7, streamed=True)),
        Endpoint("http://host/responses").url_for(Fetch(1, "../a?b#c", 0, streamed=True)),
    ] == [
        "https://me@host:1/v1/responses/resp_1?api-version=1",
        "https://me@host:1/v1/responses/resp_1?api-version=1&stream=true",
        "https://me@host:1/v1/responses/resp_1?api-version=1&stream=true&starting_after=7",
        "http://host/responses/..%2Fa%3Fb%23c?stream=true&starting_after=0",
    ]


async def get(session: aiohttp.ClientSession, address: str) -> Any:
    return await asked(session, f"http://{address}/v1/responses/r", headers={"X-Mine": "1"})


async def asked(session: aiohttp.ClientSession, url: str, **members: Any) -> Any:
    given = {"url": url, "proxy": None, "dial_timeout": None, "headers": {}, "piece": bool}
    return await perform(session, HttpRequest(**given | members))


async def test_what_is_asked_for(session: aiohttp.ClientSession, serve: Serve) -> None:
    heads: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(JSON + b"Content-Length: 2\r\n\r\n{}")

    async with serve(talk) as address:
        assert await get(session, address) == Whole(b"{}")
    lines = heads[0].decode().lower().split("\r\n")
    assert lines[0] == "get /v1/responses/r http/1.1"
    assert "x-mine: 1" in lines
    assert [line for line in lines if line.startswith("content-")] == []


async def test_half_an_answer_is_none(session: aiohttp.ClientSession, serve: Serve) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(JSON + b"Content-Length: 100\r\n\r\n{}")

    async with serve(talk) as address:
        end = await get(session, address)
    assert isinstance(end, CloseInfo)
    assert end.reached


async def test_an_answer_without_end_is_cut_off(
    session: aiohttp.ClientSession, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "INBOUND_BYTES", 2**16)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(JSON + b"\r\n" + b" " * 2**20)
        await reader.read()

    async with serve(talk) as address:
        end = await get(session, address)
    assert end == CloseInfo(None, "the stored response has more than 65536 bytes")


async def test_a_post_says_when_it_is_written_and_a_get_does_not(
    session: aiohttp.ClientSession,
) -> None:
    written: list[str] = []
    async with Peer() as peer:
        url = f"{peer.base_url}/responses"
        body = b'{"model":"m","input":"x","stream":true}'
        await asked(session, url, body=body, written=lambda: written.append("post"))
        get = f"{url}/resp_1"
        stored = await asked(session, get, written=lambda: written.append("get"))
        assert isinstance(stored, Whole)
    assert written == ["post"]


# Over an engine.


async def test_what_was_stored_is_fetched_in_one_piece_or_as_a_stream() -> None:
    for resumes in ("json", "stream"):
        script = Turns([answer("kept"), drop(after="response.created")])
        async with (
            Peer(script, resumes=resumes) as peer,
            running(peer, resume=True) as engine,
        ):
            turn, inbox = submitted(engine, request())
            finish = await ended(inbox)
            assert finish.failure is None
            assert finish.response is not None
            assert finish.response.output_text == "kept"
            assert (turn.model_runs, turn.resumes, peer.model_runs) == (1, 1, 1)
            assert engine.statistics().active == 0


async def test_a_retrieval_that_is_refused_is_read_to_its_end() -> None:
    script = Turns([answer("kept"), drop(after="response.created")], [answer("again")])
    gone = refuse(404, {"error": {"message": "never heard of it"}})
    async with (
        Peer(script, resumes="json", retrievals=gone) as peer,
        running(peer, resume=True) as engine,
    ):
        turn, inbox = submitted(engine, request(replay="never"))
        failure = (await ended(inbox)).failure
        assert failure is not None
        assert failure.kind is FailureKind.LOST
        assert failure.message.endswith("HTTP 404: never heard of it")
        assert (turn.model_runs, peer.model_runs) == (1, 1)


async def test_a_message_that_never_left_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The socket dies while one message is being written and another one waits behind it."""
    stuck, sends = asyncio.Event(), 0
    send_now = WebSocket.send_now

    async def slow(socket: WebSocket, data: bytes) -> None:
        nonlocal sends
        sends += 1
        if sends == 1:
            stuck.set()
            await asyncio.Event().wait()
        await send_now(socket, data)

    monkeypatch.setattr(WebSocket, "send_now", slow)
    async with (
        Peer(Turns([answer("second")], [answer("third")])) as peer,
        running(peer, lanes=True) as engine,
    ):
        first, lost = submitted(engine, request("1", replay="never"))
        await stuck.wait()
        second, kept = submitted(engine, request("2", replay="never"))
        peer.connections[0].drop()
        assert (await ended(lost)).failure is not None
        finish = await ended(kept)
        assert finish.failure is None
        assert (first.delivery, first.model_runs) == ("writing", 1)
        assert (second.resends, second.model_runs, second.sent_bytes) == (
            0,
            1,
            second.message_bytes,
        )
        assert await answered(engine) == "third"


async def test_pings_and_pongs_of_a_socket_that_does_not_ping_itself(
    session: aiohttp.ClientSession,
) -> None:
    ponged: list[int] = []
    async with Peer(lambda _: [silence()]) as peer:
        socket = await WebSocket.dial(session, peer.websocket_url, {}, "", pings_itself=False)
        writing = asyncio.create_task(socket.write(lambda _: None))
        reading = asyncio.create_task(
            socket.read(lambda _: None, lambda _: None, lambda: ponged.append(1))
        )
        for _ in range(3):
            socket.ping()
        await peer.wait_until(lambda: len(peer.connections) == 1 and peer.connections[0].pings == 3)
        await peer.connections[0].ping(2)
        await peer.wait_until(lambda: peer.connections[0].pongs == 2)
        await socket.close()
        await reading
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    assert ponged == [1, 1, 1]
