"""HTTP through the recorder: both sides see what they would see without it."""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from turnwire.errors import ConfigError
from turnwire.recording import Recorder
from turnwire.recording.lines import Answer, Body, End, Lost, Sse

if TYPE_CHECKING:
    from recording.conftest import Desk, Serve

pytestmark = pytest.mark.io


async def test_a_document(desk: Desk, serve: Serve) -> None:
    got: list[tuple[str, bytes, str | None]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        got.append((request.raw_path, await request.read(), request.headers.get("User-Agent")))
        return web.json_response({"a": "Hé"}, status=201, headers={"X-Request-Id": "req_1"})

    async with serve(answer) as url:
        recorder = await desk.record(url)
        at = URL(f"{recorder.base_url}/responses?x=%2F", encoded=True)
        async with desk.session.post(at, data=b"{}", headers={"User-Agent": "me"}) as answered:
            assert (answered.status, await answered.json()) == (201, {"a": "Hé"})
            assert answered.headers["X-Request-Id"] == "req_1"
    assert got == [("/v1/responses?x=%2F", b"{}", "me")]
    first, body, end = desk.lines()
    assert isinstance(first, Answer)
    assert (first.status, first.headers["x-request-id"]) == (201, "req_1")
    assert isinstance(body, Body)
    assert body.data == '{"a": "Hé"}'.encode() or body.data == b'{"a": "H\\u00e9"}'
    assert isinstance(end, End)


async def test_a_stream_comes_piece_by_piece_and_is_written_event_by_event(
    desk: Desk, serve: Serve
) -> None:
    go_on = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        await stream.write("data: Hé".encode()[:-1])
        await go_on.wait()
        await stream.write("é".encode()[1:] + b"\n")
        await stream.write(b"\ndata: b\r\n\r\ndata: [DONE]\n\nda")
        return stream

    async with serve(answer) as url:
        recorder = await desk.record(url)
        async with desk.session.post(f"{recorder.base_url}/responses") as answered:
            assert await answered.content.readany() == "data: Hé".encode()[:-1]
            go_on.set()
            rest = await answered.content.read()
            assert rest == "é".encode()[1:] + b"\n\ndata: b\r\n\r\ndata: [DONE]\n\nda"
    events = [line.text for line in desk.lines() if isinstance(line, Sse)]
    assert events == ["data: Hé\n\n", "data: b\r\n\r\n", "data: [DONE]\n\n", "da"]


async def test_an_answer_that_is_cut_off(desk: Desk, serve: Serve) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        await stream.write(b"data: a\n\n")
        assert request.transport is not None
        request.transport.close()
        raise ConnectionResetError

    async with serve(answer) as url:
        recorder = await desk.record(url)
        async with desk.session.post(f"{recorder.base_url}/responses") as answered:
            with pytest.raises(aiohttp.ClientPayloadError):
                await answered.read()
    assert [type(line) for line in desk.lines()] == [Answer, Sse, Lost]


async def test_a_client_that_leaves_takes_its_exchange_with_it(desk: Desk, serve: Serve) -> None:
    gone = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        await stream.write(b"data: a\n\n")
        try:
            await asyncio.Event().wait()
        finally:
            gone.set()
        return stream

    async with serve(answer, cancelling=True) as url:
        recorder = await desk.record(url)
        async with desk.session.post(f"{recorder.base_url}/responses") as answered:
            await answered.content.readany()
            answered.close()
            await gone.wait()
    last = desk.lines()[-1]
    assert isinstance(last, Lost)
    assert last.sender == "client"


async def test_a_server_that_drops_and_one_that_is_not_there(desk: Desk, serve: Serve) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        raise ConnectionResetError

    async with serve(answer) as url:
        recorder = await desk.record(url)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await desk.session.post(f"{recorder.base_url}/responses")
    async with desk.session.post(f"{recorder.base_url}/responses") as answered:
        assert answered.status == 502
        assert (await answered.json())["error"]["code"] == "upstream_unreachable"
    assert [type(line) for line in desk.lines()] == [Lost]
    assert [type(line) for line in desk.lines(2)] == [Answer, Body, End]


async def test_bodies_are_recorded_uncompressed(desk: Desk, serve: Serve) -> None:
    got: list[bytes] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.headers["Accept-Encoding"] == "identity"
        got.append(await request.read())
        data = gzip.compress(b"answer")  # whatever was asked for
        return web.Response(body=data, headers={"Content-Encoding": "gzip"})

    async with serve(answer) as url:
        recorder = await desk.record(url)
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        data = gzip.compress(b"asked")
        at = f"{recorder.base_url}/responses"
        async with desk.session.post(at, data=data, headers=headers) as answered:
            assert await answered.read() == b"answer"
    assert got == [b"asked"]
    assert b'"text":"asked"' in desk.path.read_bytes()
    assert b'"text":"answer"' in desk.path.read_bytes()


async def test_a_redirect_on_the_same_server_leads_through_the_recorder(
    desk: Desk, serve: Serve
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/v1/there":
            return web.Response(text="here")
        raise web.HTTPTemporaryRedirect(f"http://{request.host}/v1/there")

    async with serve(answer) as url:
        recorder = await desk.record(url)
        async with desk.session.get(f"{recorder.base_url}/models") as answered:
            assert (await answered.text(), answered.url.port) == (
                "here",
                int(recorder.base_url.split(":")[2].split("/")[0]),
            )
    assert recorder.counts.exchanges == 2


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/v1/models", {}, 200),
        ("/v1/models", {"Host": "localhost:80"}, 200),
        ("/v1/models", {"Host": "[::1]:80"}, 200),
        ("/v1/models", {"Host": "evil.example"}, 403),
        ("/v1/models", {"Host": "10.0.0.1"}, 403),
        ("/v1/models", {"Origin": "http://localhost"}, 403),
        ("/v2/models", {}, 404),
        ("/v1models", {}, 404),
    ],
)
async def test_who_and_what_is_let_through(
    desk: Desk, serve: Serve, path: str, headers: dict[str, str], status: int
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response()

    async with serve(answer) as url:
        recorder = await desk.record(url)
        at = recorder.base_url.removesuffix("/v1") + path
        async with desk.session.get(at, headers=headers) as answered:
            assert answered.status == status
    assert recorder.counts.exchanges == (status == 200)


async def test_the_address_of_an_upstream_with_a_query_and_a_user(desk: Desk, serve: Serve) -> None:
    got: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        got.append((request.raw_path, request.headers["Authorization"]))
        return web.Response()

    async with serve(answer) as url:
        with_user = url.replace("http://", "ws://me:my-password@")
        recorder = await desk.record(f"{with_user}/responses?api-version=1&sig=my-signature")
        assert recorder.base_url.endswith("/v1")
        for query in ("", "?api-version=2"):
            await desk.session.get(f"{recorder.base_url}/models{query}")
    assert got == [
        ("/v1/models?api-version=1&sig=my-signature", "Basic bWU6bXktcGFzc3dvcmQ="),
        ("/v1/models?api-version=2&sig=my-signature", "Basic bWU6bXktcGFzc3dvcmQ="),
    ]
    written = desk.path.read_text()
    assert f'"upstream":"{url}?api-version=1&sig=***"' in written
    assert "my-password" not in written
    assert "my-signature" not in written


@pytest.mark.parametrize(
    "upstream", ["", "host/v1", "ftp://host", "http://", "http://h:x", "http://["]
)
def test_an_upstream_that_is_none(desk: Desk, upstream: str) -> None:
    with pytest.raises(ConfigError, match="must look like"):
        Recorder(upstream, desk.path)


async def test_an_upstream_that_is_the_recorder_itself(desk: Desk, serve: Serve) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response()

    async with serve(answer) as url:
        port = int(url.split(":")[2].split("/")[0])
    with pytest.raises(ConfigError, match="the recorder itself"):
        await desk.record(f"http://localhost:{port}/v1", port=port)
    assert not desk.path.exists()


def test_two_keys(desk: Desk) -> None:
    with pytest.raises(ConfigError, match="one of the two"):
        Recorder("http://me@host/v1", desk.path, api_key="k")


async def test_a_port_that_is_taken_leaves_no_file(desk: Desk) -> None:
    recorder = await desk.record("http://127.0.0.1:1/v1")
    port = int(recorder.base_url.split(":")[2].split("/")[0])
    other = desk.path.with_name("b.jsonl")
    with pytest.raises(ConfigError, match="cannot listen"):
        await Recorder("http://127.0.0.1:1/v1", other, port=port).__aenter__()
    assert not other.exists()
    with pytest.raises(ConfigError, match="overwrites nothing"):
        await Recorder("http://127.0.0.1:1/v1", desk.path).__aenter__()
