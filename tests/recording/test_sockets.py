"""Sockets through the recorder: both sides see what they would see without it."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import WSMsgType, web

from turnwire.recording.file import RecordingFile
from turnwire.recording.journal import Journal
from turnwire.recording.lines import Close, Header, Lost, Message, Open, Ping, Pong, Refused
from turnwire.recording.secrecy import Secrets
from turnwire.recording.socket_relay import relay_socket
from turnwire.recording.upstream import UpstreamSocket

if TYPE_CHECKING:
    from pathlib import Path

    from recording.conftest import Desk, Serve

pytestmark = pytest.mark.io


def talking(talk: Any, **options: Any) -> Any:
    """Return a server that accepts upgrades and talks; the talk has the last word."""

    async def answer(request: web.Request) -> web.StreamResponse:
        options.setdefault("max_msg_size", 2**30)
        socket = web.WebSocketResponse(autoclose=False, autoping=False, **options)
        await socket.prepare(request)
        await talk(socket)
        assert request.transport is not None
        request.transport.close()
        return socket

    return answer


async def close_with(socket: Any, code: int | None, reason: str = "") -> None:
    data = b"" if code is None else struct.pack("!H", code) + reason.encode()
    await socket.send_frame(data, WSMsgType.CLOSE)


def without_time(line: Any) -> Any:
    return {name: getattr(line, name) for name in line.__struct_fields__ if name != "at"}


def same(lines: list[Any], expected: list[Any]) -> bool:
    return [(type(a), without_time(a)) for a in lines] == [
        (type(a), without_time(a)) for a in expected
    ]


async def echo(socket: web.WebSocketResponse) -> None:
    while (message := await socket.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
        data = message.data.encode() if isinstance(message.data, str) else message.data
        await socket.send_frame(data, message.type)
    await close_with(socket, message.data or None, message.extra or "")


async def test_messages_are_the_same_on_both_sides_and_in_the_file(
    desk: Desk, serve: Serve
) -> None:
    async with serve(talking(echo)) as url:
        client = await desk.dial(await desk.record(url))
        await client.send_str('{"a" :  "Hé\\u00e9"}')
        assert (await client.receive()).data == '{"a" :  "Hé\\u00e9"}'
        await client.send_bytes(b"\x00\xff")
        assert (await client.receive()).data == b"\x00\xff"
        await close_with(client, 4321, "so long")
        end = await client.receive()
    assert (end.type, end.data, end.extra) == (WSMsgType.CLOSE, 4321, "so long")
    lines = desk.lines()
    assert isinstance(lines[0], Open)
    text: dict[str, Any] = {"at": 0.0, "connection": 1, "text": '{"a" :  "Hé\\u00e9"}'}
    binary: dict[str, Any] = {"at": 0.0, "connection": 1, "base64": "AP8=", "binary": True}
    goodbye: dict[str, Any] = {"at": 0.0, "connection": 1, "code": 4321, "reason": "so long"}
    assert same(
        lines[1:],
        [
            Message(sender="client", **text),
            Message(sender="server", **text),
            Message(sender="client", **binary),
            Message(sender="server", **binary),
            Close(sender="client", **goodbye),
            Close(sender="server", **goodbye),
        ],
    )


@pytest.mark.parametrize(
    ("code", "seen"), [(1000, 1000), (1001, 1001), (1013, 1013), (4402, 4402), (None, 0)]
)
async def test_the_server_closes(desk: Desk, serve: Serve, code: int | None, seen: int) -> None:
    answers: list[Any] = []
    done = asyncio.Event()

    async def talk(socket: web.WebSocketResponse) -> None:
        await close_with(socket, code)
        answers.append((await socket.receive()).data)
        done.set()

    async with serve(talking(talk)) as url:
        client = await desk.dial(await desk.record(url))
        end = await client.receive()
        assert (end.type, end.data) == (WSMsgType.CLOSE, seen)
        await close_with(client, 1000)
        await done.wait()
    assert answers == [1000]
    goodbyes = [(line.sender, line.code) for line in desk.lines() if isinstance(line, Close)]
    assert goodbyes == [("server", code or 1005), ("client", 1000)]


async def test_the_server_vanishes(desk: Desk, serve: Serve) -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        await socket.send_str("one")

    async with serve(talking(talk)) as url:
        client = await desk.dial(await desk.record(url))
        assert (await client.receive()).data == "one"
        assert (await client.receive()).type is WSMsgType.CLOSED
        # What a closed socket without a goodbye looks like.
        assert client.close_code in (1000, 1006)
    assert [type(line) for line in desk.lines()] == [Open, Message, Lost]
    assert desk.lines()[-1].sender == "server"  # type: ignore[union-attr]


async def test_the_client_vanishes_and_what_it_said_arrives(
    desk: Desk, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Any] = []
    held, read_on, gone = asyncio.Event(), asyncio.Event(), asyncio.Event()
    send_frame = UpstreamSocket.send_frame

    async def hold(socket: UpstreamSocket, message: bytes, opcode: WSMsgType) -> None:
        held.set()
        await read_on.wait()
        await send_frame(socket, message, opcode)

    async def talk(socket: web.WebSocketResponse) -> None:
        while (message := await socket.receive()).type is WSMsgType.TEXT:
            heard.append(message.data)
        heard.append(message.type)
        gone.set()

    monkeypatch.setattr(UpstreamSocket, "send_frame", hold)
    async with serve(talking(talk)) as url:
        client = await desk.dial(await desk.record(url))
        for number in range(40):
            await client.send_str(str(number))
        await held.wait()
        client._response.close()
        for _ in range(100):  # turns of the loop, in which the recorder sees the end
            await asyncio.sleep(0)
        read_on.set()
        await gone.wait()
    assert heard[:-1] == [str(number) for number in range(40)]
    assert heard[-1] is not WSMsgType.CLOSE
    assert without_time(desk.lines()[-1]) == {"connection": 1, "sender": "client"}


async def test_pings_go_all_the_way(desk: Desk, serve: Serve) -> None:
    async def talk(socket: web.WebSocketResponse) -> None:
        message = await socket.receive()
        assert message.type is WSMsgType.PING
        await socket.pong(message.data)
        await socket.ping(b"and you?")
        assert (await socket.receive()).type is WSMsgType.PONG

    async with serve(talking(talk)) as url:
        client = await desk.dial(await desk.record(url))
        await client.ping(b"there?")
        seen = [await client.receive(), await client.receive()]
        await client.pong(b"and you?")
        assert (await client.receive()).type is WSMsgType.CLOSED
    assert [(message.type, message.data) for message in seen] == [
        (WSMsgType.PONG, b"there?"),
        (WSMsgType.PING, b"and you?"),
    ]
    pings = [line for line in desk.lines() if isinstance(line, Ping | Pong)]
    assert [(type(line), line.sender, line.data) for line in pings] == [
        (Ping, "client", b"there?"),
        (Pong, "server", b"there?"),
        (Ping, "server", b"and you?"),
        (Pong, "client", b"and you?"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("size", [2**20, 17 * 2**20])
@pytest.mark.parametrize("window", [0, 15])
async def test_large_messages_compressed_or_not(
    desk: Desk, serve: Serve, size: int, window: int
) -> None:
    async with serve(talking(echo)) as url:
        recorder = await desk.record(url)
        client = await desk.dial(recorder, compress=window, max_msg_size=0)
        assert client.compress == window
        text = "abcdefgh" * (size // 8)
        await client.send_str(text)
        assert (await client.receive()).data == text
    assert [line.text == text for line in desk.lines() if isinstance(line, Message)] == [True] * 2
    first = desk.lines()[0]
    assert isinstance(first, Open)
    assert ("sec-websocket-extensions" in first.headers) == bool(window)


class Slow:
    """A socket that has no end of messages, and takes one only when the gate is open."""

    def __init__(self) -> None:
        self.received = 0
        self.taken: list[bytes] = []
        self.waiting, self.gate = asyncio.Event(), asyncio.Event()

    async def receive(self) -> aiohttp.WSMessage:
        self.received += 1
        if self.received > 3:
            return aiohttp.WSMessage(WSMsgType.CLOSE, 1000, "")
        return aiohttp.WSMessage(WSMsgType.TEXT, b"%d" % self.received, "")

    async def send_frame(self, message: bytes, opcode: WSMsgType) -> None:
        self.waiting.set()
        await self.gate.wait()
        self.taken.append(message)


async def test_a_side_that_does_not_read_stops_the_other_one(tmp_path: Path) -> None:
    header = Header(turnwire_recording=1, started="", upstream="", content="whole", by="")
    file = RecordingFile(tmp_path / "a.jsonl", header, max_bytes=10_000, ended=list[str]().append)
    journal = Journal(file, Secrets(), redact=False)
    client, server = Slow(), Slow()
    relaying = asyncio.create_task(relay_socket(client, server, journal.open_page()))
    await asyncio.gather(client.waiting.wait(), server.waiting.wait())
    assert (client.received, server.received) == (1, 1)
    client.gate.set()
    server.gate.set()
    await relaying
    goodbye = struct.pack("!H", 1000)
    assert client.taken == server.taken == [b"1", b"2", b"3", goodbye]
    assert journal.counts.messages == 6
    file.stop()


async def test_a_message_above_the_limit_ends_both(
    desk: Desk, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turnwire.recording.recorder.MESSAGE_BYTES", 1000)
    seen: list[Any] = []
    done = asyncio.Event()

    async def talk(socket: web.WebSocketResponse) -> None:
        seen.append((await socket.receive()).data)
        done.set()

    async with serve(talking(talk)) as url:
        client = await desk.dial(await desk.record(url))
        await client.send_str("x" * 1000)
        assert (await client.receive()).data == 1009
        await done.wait()
    assert seen == [1009]
    end = desk.lines()[-1]
    assert isinstance(end, Close)
    assert (end.sender, end.code) == ("recorder", 1009)


async def test_a_refused_upgrade_is_refused_alike(desk: Desk, serve: Serve) -> None:
    async def refuse(request: web.Request) -> web.StreamResponse:
        return web.json_response(
            {"error": {"message": "no"}}, status=429, headers={"Retry-After": "7"}
        )

    async with serve(refuse) as url:
        recorder = await desk.record(url)
        headers = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        }
        at = f"{recorder.base_url}/responses"
        async with desk.session.get(at, headers=headers) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
            assert await answer.json() == {"error": {"message": "no"}}
    (line,) = desk.lines()
    assert isinstance(line, Refused)
    assert (line.status, line.headers["retry-after"], line.sender) == (429, "7", "server")
    assert line.text == '{"error": {"message": "no"}}'


async def test_an_upgrade_that_is_dropped_is_dropped(desk: Desk, serve: Serve) -> None:
    async def drop(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with serve(drop) as url:
        recorder = await desk.record(url)
        with pytest.raises(aiohttp.ClientConnectionError):
            await desk.dial(recorder)
    assert [type(line) for line in desk.lines()] == [Lost]


async def test_a_server_that_is_not_there(desk: Desk) -> None:
    recorder = await desk.record("http://127.0.0.1:1/v1")
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await desk.dial(recorder)
    assert caught.value.status == 502
    (line,) = desk.lines()
    assert isinstance(line, Refused)
    assert (line.status, line.sender) == (502, "recorder")
    assert "nobody listens there" in (line.text or "")


async def test_what_is_passed_on_and_what_is_hidden(
    desk: Desk, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    got: list[web.Request] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        got.append(request)
        socket = web.WebSocketResponse(protocols=("realtime",))
        socket.headers["X-Request-Id"] = "req_1"
        socket.headers["Set-Cookie"] = "a=my-cookie-value"
        await socket.prepare(request)
        await socket.send_str("key-of-mine-1, key-of-mine-2, key-of-mine-3")
        return socket

    async with serve(answer) as url:
        recorder = await desk.record(url)
        client = await desk.dial(
            recorder,
            "?api-key=key-of-mine-3&model=a%20b",
            headers={"Authorization": "Bearer key-of-mine-1", "User-Agent": "me", "X-A": "b"},
            protocols=("realtime", "openai-insecure-api-key.key-of-mine-2"),
        )
        assert client.protocol == "realtime"
        assert client._response.headers["X-Request-Id"] == "req_1"
        assert (await client.receive()).data.startswith("key-of-mine-1")
    (request,) = got
    assert request.raw_path == "/v1/responses?api-key=key-of-mine-3&model=a%20b"
    assert request.headers["Authorization"] == "Bearer key-of-mine-1"
    assert (request.headers["User-Agent"], request.headers["X-A"]) == ("me", "b")
    assert "openai-insecure-api-key.key-of-mine-2" in request.headers["Sec-WebSocket-Protocol"]
    written = desk.path.read_text()
    assert "key-of-mine" not in written + caplog.text
    assert "my-cookie-value" not in written
    assert '"***, ***, ***"' in written


async def test_a_protocol_that_nobody_chooses_is_not_logged(
    desk: Desk, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        headers = request.headers.copy()
        del headers["Sec-WebSocket-Protocol"]
        await socket.prepare(request.clone(headers=headers))
        return socket

    async with serve(answer) as url:
        client = await desk.dial(
            await desk.record(url), protocols=("openai-insecure-api-key.key-of-mine",)
        )
        assert client.protocol is None
    assert caplog.text == ""


async def test_a_key_of_our_own_takes_the_place_of_the_clients(desk: Desk, serve: Serve) -> None:
    got: list[web.Request] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        got.append(request)
        return web.Response(status=401, text="Wrong key: our-own-key")

    async with serve(answer) as url:
        recorder = await desk.record(url, api_key="our-own-key")
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await desk.dial(
                recorder,
                headers={"Authorization": "Bearer unused", "api-key": "unused"},
                protocols=("openai-insecure-api-key.unused",),
            )
        async with desk.session.post(f"{recorder.base_url}/responses") as posted:
            assert posted.status == 401
    for request in got:
        assert request.headers.getall("Authorization") == ["Bearer our-own-key"]
        assert not {"api-key", "Sec-WebSocket-Protocol"} & set(request.headers)
    assert "our-own-key" not in desk.path.read_text()


async def test_stopping_says_goodbye_to_both(desk: Desk, serve: Serve) -> None:
    seen: list[Any] = []
    done = asyncio.Event()

    async def talk(socket: web.WebSocketResponse) -> None:
        await socket.send_str("hello")
        seen.append((await socket.receive()).data)
        done.set()

    async with serve(talking(talk)) as url:
        recorder = await desk.record(url)
        client = await desk.dial(recorder)
        assert (await client.receive()).data == "hello"
        await recorder.__aexit__(None, None, None)
        assert (await client.receive()).data == 1001
        await done.wait()
    assert seen == [1001]
    assert [type(line) for line in desk.lines()] == [Open, Message]
    assert recorder.stopped == "asked"


async def test_a_full_file_does_not_stop_the_relay(desk: Desk, serve: Serve) -> None:
    reasons: list[str] = []
    async with serve(talking(echo)) as url:
        client = await desk.dial(await desk.record(url, max_bytes=2000, stopped=reasons.append))
        for _ in range(30):
            await client.send_str("x" * 100)
            assert (await client.receive()).data == "x" * 100
    assert reasons == ["max_bytes"]
    assert desk.path.stat().st_size <= 2000


async def test_redacted_content(desk: Desk, serve: Serve) -> None:
    async with serve(talking(echo)) as url:
        client = await desk.dial(await desk.record(url, redact_content=True))
        await client.send_str('{"type":"response.create","input":"Hello"}')
        assert (await client.receive()).data == '{"type":"response.create","input":"Hello"}'
        await client.send_bytes(b"Hello")
        await client.receive()
    texts = [line.data for line in desk.lines() if isinstance(line, Message)]
    assert texts == [b'{"type":"response.create","input":"xxxxx"}'] * 2 + [b"xxxxx"] * 2
    assert '"content":"redacted"' in desk.path.read_text()
