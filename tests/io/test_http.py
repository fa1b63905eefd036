"""One HTTP exchange on loopback: whole streams, halves of streams, and what is no stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from turnwire.core.failure import CloseInfo
from turnwire.io import http
from turnwire.io.http import HttpRequest, Whole, perform
from turnwire.io.proxy import Proxy

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    import aiohttp
    from tests.io.conftest import Serve, Talk

    from turnwire.io.refusal import Refusal

    Head = Callable[[asyncio.StreamReader], Awaitable[bytes]]

pytestmark = pytest.mark.io

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
CHUNKED = STREAM + b"Transfer-Encoding: chunked\r\n\r\n"
BODY = b'{"stream":true}'


def says(head: Head, *pieces: bytes) -> Talk:
    """Return a server that reads a request and sends these bytes."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        await reader.readexactly(len(BODY))
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    return talk


async def exchange(
    session: aiohttp.ClientSession, address: str
) -> tuple[CloseInfo | Refusal | Whole, bytes]:
    got: list[bytes] = []

    def piece(data: bytes) -> bool:
        got.append(data)
        return True

    end = await post(session, f"http://{address}/v1/responses", piece=piece)
    return end, b"".join(got)


async def post(
    session: aiohttp.ClientSession, url: str, body: bytes | None = BODY, **members: Any
) -> CloseInfo | Refusal | Whole:
    defaults = {"url": url, "proxy": None, "dial_timeout": None, "headers": {}, "piece": bool}
    return await perform(session, HttpRequest(**defaults | members, body=body))


async def test_a_stream_is_handed_out_as_it_comes(
    session: aiohttp.ClientSession, serve: Serve, head: Head
) -> None:
    pieces = (CHUNKED, b"6\r\ndata: \r\n", b"4\r\n{}\n\n\r\n", b"0\r\n\r\n")
    async with serve(says(head, *pieces)) as address:
        assert await exchange(session, address) == (CloseInfo(None), b"data: {}\n\n")


async def test_what_is_asked_for(session: aiohttp.ClientSession, serve: Serve, head: Head) -> None:
    heads: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await head(reader))
        assert await reader.readexactly(len(BODY)) == BODY
        writer.write(CHUNKED + b"0\r\n\r\n")

    async with serve(talk) as address:
        await exchange(session, address)
    lines = heads[0].decode().lower().split("\r\n")
    assert lines[0] == "post /v1/responses http/1.1"
    assert "accept: text/event-stream" in lines
    assert "content-type: application/json" in lines


@pytest.mark.parametrize(
    "pieces",
    [
        (CHUNKED, b"6\r\ndata: \r\n"),
        (CHUNKED, b"6\r\nda"),
        (STREAM + b"Content-Length: 100\r\n\r\n", b"data: "),
    ],
    ids=["between chunks", "inside a chunk", "short of its length"],
)
async def test_a_stream_that_is_cut_is_not_whole(
    session: aiohttp.ClientSession, serve: Serve, head: Head, pieces: tuple[bytes, ...]
) -> None:
    async with serve(says(head, *pieces)) as address:
        end, got = await exchange(session, address)
    assert isinstance(end, CloseInfo)
    assert (end.code, end.reached, end.reason != "") == (None, True, True)
    assert b"data: ".startswith(got)


async def test_a_stream_without_a_length_ends_with_its_connection(
    session: aiohttp.ClientSession, serve: Serve, head: Head
) -> None:
    async with serve(says(head, STREAM + b"\r\n", b"data: {}\n\n")) as address:
        assert await exchange(session, address) == (CloseInfo(None), b"data: {}\n\n")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (b"200 OK", b"application/json"),
        (b"200 OK", b"text/html"),
        (b"500 No", b"text/event-stream"),
    ],
)
async def test_an_answer_that_is_no_event_stream_is_handed_back_whole(
    session: aiohttp.ClientSession, serve: Serve, head: Head, status: bytes, kind: bytes
) -> None:
    answer = (
        b"HTTP/1.1 " + status + b"\r\nContent-Type: " + kind + b"\r\nContent-Length: 2\r\n\r\n{}"
    )
    async with serve(says(head, answer)) as address:
        end, got = await exchange(session, address)
    assert isinstance(end, tuple)
    assert (end[0], end[1]["content-type"], end[2], got) == (
        int(status[:3]),
        kind.decode(),
        b"{}",
        b"",
    )


async def test_a_redirect_is_handed_back_and_not_followed(
    session: aiohttp.ClientSession, serve: Serve, head: Head
) -> None:
    answer = b"HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    async with serve(says(head, answer)) as address:
        end, _ = await exchange(session, address)
    assert isinstance(end, tuple)
    assert (end[0], end[1]["location"]) == (307, "http://127.0.0.1:1/")


async def test_a_long_refusal_is_cut(
    session: aiohttp.ClientSession, serve: Serve, head: Head
) -> None:
    answer = b"HTTP/1.1 400 X\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000
    async with serve(says(head, answer)) as address:
        end, _ = await exchange(session, address)
    assert isinstance(end, tuple)
    assert 0 < len(end[2]) <= 64 * 2**10


@pytest.mark.parametrize("garbage", [b"", b"SSH-2.0-OpenSSH\r\n\r\n"])
async def test_a_server_that_speaks_no_http(
    session: aiohttp.ClientSession, serve: Serve, head: Head, garbage: bytes
) -> None:
    async with serve(says(head, garbage)) as address:
        end, got = await exchange(session, address)
    assert isinstance(end, CloseInfo)
    assert (end.reached, got) == (True, b"")


async def test_nobody_listens(session: aiohttp.ClientSession, serve: Serve, head: Head) -> None:
    async with serve(says(head)) as address:
        pass
    end, _ = await exchange(session, address)
    assert isinstance(end, CloseInfo)
    assert (end.reached, end.code) == (False, None)


async def test_a_connection_that_takes_too_long_was_none(
    session: aiohttp.ClientSession, serve: Serve, head: Head
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)  # a proxy that never says whether there is a tunnel
        await reader.read()

    async with serve(talk) as address:
        proxy = Proxy(f"http://{address}", tunnels=True)
        url = "https://host.invalid/?api-key=hidden"
        end = await post(session, url, proxy=proxy, dial_timeout=0.02)
    assert isinstance(end, CloseInfo)
    assert (end.code, end.reached, end.timed_out) == (None, False, True)
    assert end.reason.startswith("no connection in time through the proxy http://127.0.0.1:")


async def test_a_body_of_some_mebibytes_goes_without_a_warning(
    session: aiohttp.ClientSession, serve: Serve, head: Head
) -> None:
    body = b"x" * 3 * 2**20
    got: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert b"Content-Length: 3145728\r\n" in await head(reader)
        got.append(await reader.readexactly(len(body)))
        writer.write(CHUNKED + b"0\r\n\r\n")

    async with serve(talk) as address:
        assert await post(session, f"http://{address}/", body) == CloseInfo(None)
    assert got == [body]


async def test_nothing_is_handed_out_after_the_turn_has_ended(
    session: aiohttp.ClientSession, serve: Serve, head: Head
) -> None:
    pieces = (CHUNKED, b"3\r\nend\r\n", b"4\r\nmore\r\n", b"0\r\n\r\n")
    got: list[bytes] = []

    def piece(data: bytes) -> bool:
        got.append(data)
        return False

    async with serve(says(head, *pieces)) as address:
        await post(session, f"http://{address}/", piece=piece)
    assert len(got) == 1


async def test_the_tail_of_a_stream_is_not_waited_for_long(
    session: aiohttp.ClientSession,
    serve: Serve,
    head: Head,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "_TAIL_SECONDS", 0.01)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await says(head, CHUNKED, b"3\r\nend\r\n")(reader, writer)
        await reader.read()  # and stays

    async with serve(talk) as address:
        end = await post(session, f"http://{address}/", piece=lambda _: False)
    assert end == CloseInfo(None)


async def test_a_connection_is_used_again(
    session: aiohttp.ClientSession, serve: Serve, head: Head
) -> None:
    dialled: list[asyncio.StreamReader] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        dialled.append(reader)
        for _ in range(2):
            await says(head, CHUNKED, b"3\r\nend\r\n", b"0\r\n\r\n")(reader, writer)

    async with serve(talk) as address:
        for _ in range(2):
            await post(session, f"http://{address}/", piece=lambda _: False)
    assert len(dialled) == 1
