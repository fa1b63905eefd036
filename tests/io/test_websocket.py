"""One socket on loopback: what aiohttp does for us, and what it must not do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest

from turnwire.core.failure import CloseInfo
from turnwire.io import websocket
from turnwire.io.describing import describe
from turnwire.io.websocket import UpgradeRefused, WebSocket
from turnwire.testing import Gate, Peer, answer, close, completed, refuse, say, silence

if TYPE_CHECKING:
    from tests.io.conftest import Serve, Talk

pytestmark = pytest.mark.io

CREATE = {"type": "response.create", "model": "m", "input": "x"}


async def dial(session: aiohttp.ClientSession, url: str, **headers: str) -> WebSocket:
    return await WebSocket.dial(session, url, headers, "", heartbeat=None)


class Heard:
    """What a socket handed out."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.malformed: list[str] = []

    async def read(self, socket: WebSocket) -> CloseInfo:
        return await socket.read(self.messages.append, self.malformed.append)


def encoded(**members: Any) -> bytes:
    return msgspec.json.encode(CREATE | members)


# The opening handshake.


async def test_the_body_of_a_refused_upgrade_is_kept(session: aiohttp.ClientSession) -> None:
    refusal = refuse(403, b"who are you?", headers={"X-Reason": "r"})
    async with Peer(handshake=refusal) as peer:
        with pytest.raises(UpgradeRefused) as caught:
            await dial(session, peer.websocket_url)
    assert (caught.value.refusal.status, caught.value.refusal.body) == (403, b"who are you?")
    assert caught.value.refusal.headers["x-reason"] == "r"


async def test_a_long_refusal_is_cut(session: aiohttp.ClientSession) -> None:
    async with Peer(handshake=refuse(500, b"x" * 200_000)) as peer:
        with pytest.raises(UpgradeRefused) as caught:
            await dial(session, peer.websocket_url)
    assert 0 < len(caught.value.refusal.body) <= 64 * 2**10


async def test_an_answer_of_200_is_a_refusal(session: aiohttp.ClientSession) -> None:
    async with Peer(handshake=refuse(200, {"ok": True})) as peer:
        with pytest.raises(UpgradeRefused) as caught:
            await dial(session, peer.websocket_url)
    assert (caught.value.refusal.status, caught.value.refusal.body) == (200, b'{"ok":true}')


async def test_a_redirect_is_a_refusal_and_the_key_does_not_follow_it(
    session: aiohttp.ClientSession,
) -> None:
    async with Peer() as other:
        location = {"Location": other.websocket_url}
        async with Peer(handshake=refuse(302, b"", headers=location)) as peer:
            with pytest.raises(UpgradeRefused) as caught:
                await dial(session, peer.websocket_url, Authorization="Bearer secret")
        assert (caught.value.refusal.status, other.handshakes) == (302, [])


async def test_a_wrong_accept_is_described_without_the_address(
    session: aiohttp.ClientSession, serve: Serve
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: nonsense\r\n\r\n"
        )
        await writer.drain()

    async with serve(talk) as address:
        with pytest.raises(aiohttp.ClientError) as caught:
            await dial(session, f"http://{address}/v1?api-key=hidden")
    assert "hidden" in str(caught.value)  # why it is not shown as it is
    assert describe(caught.value) == "Invalid challenge response (HTTP 101)"


def test_errors_without_words_have_a_name() -> None:
    assert describe(aiohttp.ServerDisconnectedError()) == "Server disconnected"
    assert describe(ConnectionResetError()) == "ConnectionResetError"
    assert describe(aiohttp.InvalidURL("ws://me:hidden@host")) == "the URL cannot be used"


@pytest.mark.parametrize("reset", [False, True])
async def test_a_dial_is_one_handshake_also_if_it_drops(
    session: aiohttp.ClientSession, serve: Serve, *, reset: bool
) -> None:
    heads: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        if reset:
            writer.transport.abort()

    async with serve(talk) as address:
        with pytest.raises(aiohttp.ClientConnectionError, match="dropped during the upgrade"):
            await dial(session, f"http://{address}/")
    assert len(heads) == 1


async def test_a_refusal_is_read_to_its_end(session: aiohttp.ClientSession, serve: Serve) -> None:
    reason = b"in many small pieces " * 20

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 403 No\r\nX-Reason: r\r\nContent-Length: %d\r\n\r\n"
        writer.write(head % len(reason))
        for byte in reason:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)  # the other side reads in this very loop

    async with serve(talk) as address:
        with pytest.raises(UpgradeRefused) as caught:
            await dial(session, f"http://{address}/")
    status, headers, body = caught.value.refusal
    assert (status, headers["x-reason"], body) == (403, "r", reason)


@pytest.mark.parametrize("cut", [False, True])
async def test_a_refusal_that_does_not_end_counts_as_far_as_it_came(
    session: aiohttp.ClientSession, serve: Serve, monkeypatch: pytest.MonkeyPatch, *, cut: bool
) -> None:
    monkeypatch.setattr("turnwire.io.refusal._BODY_SECONDS", 0.02)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 503 No\r\nContent-Length: 80\r\n\r\nbusy")
        await writer.drain()
        if not cut:
            await reader.read()

    async with serve(talk) as address:
        with pytest.raises(UpgradeRefused) as caught:
            await dial(session, f"http://{address}/")
    assert (caught.value.refusal.status, caught.value.refusal.body) == (503, b"busy")


# Messages.


async def test_messages_are_written_in_order(session: aiohttp.ClientSession) -> None:
    async with Peer(lambda _: [silence()]) as peer:
        socket = await dial(session, peer.websocket_url)
        expected = [encoded(stream_id=f"lane-{number}") for number in range(30)]
        written: list[int] = []
        for turn, data in enumerate(expected[:10]):
            socket.send(turn, data)
        writing = asyncio.create_task(socket.write(written.append))
        for turn, data in enumerate(expected[10:], 10):
            socket.send(turn, data)
        await peer.wait_until(lambda: len(peer.creates) == 30)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await socket.close()
        assert (peer.connections[0].raw, written) == (expected, list(range(30)))


async def test_a_message_of_five_mebibytes_passes(session: aiohttp.ClientSession) -> None:
    text = "x" * 5 * 2**20
    async with Peer(lambda _: [answer(text), completed(), close()]) as peer:
        socket, heard = await dial(session, peer.websocket_url), Heard()
        await socket.send_now(encoded())
        assert await heard.read(socket) == CloseInfo(1000)
        await socket.close()
        assert max(map(len, heard.messages)) > 5 * 2**20
        assert peer.connections[0].sent == [msgspec.json.decode(data) for data in heard.messages]


async def test_binary_messages_are_told_apart(session: aiohttp.ClientSession) -> None:
    steps = [say(b"one"), say(b"two", binary=True), say(b"three"), close()]
    async with Peer(lambda _: steps) as peer:
        socket, heard = await dial(session, peer.websocket_url), Heard()
        await socket.send_now(encoded())
        assert await heard.read(socket) == CloseInfo(1000)
        await socket.close()
    assert heard.malformed == ["a binary message; events are text"]
    assert heard.messages == [b"one", b"three"]


# Ends.


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (1000, "", CloseInfo(1000)),
        (1001, "going", CloseInfo(1001, "going")),
        (1005, "", CloseInfo(1005)),
        (4402, "out of credit", CloseInfo(4402, "out of credit")),
    ],
)
async def test_how_a_socket_ended(
    session: aiohttp.ClientSession, code: int, reason: str, expected: CloseInfo
) -> None:
    async with Peer() as peer:
        socket, heard = await dial(session, peer.websocket_url), Heard()
        await peer.wait_until(lambda: len(peer.connections) == 1)
        async with asyncio.TaskGroup() as tasks:
            closing = tasks.create_task(peer.connections[0].close(code, reason))
            assert await heard.read(socket) == expected
            await socket.close()
            await closing


@pytest.mark.parametrize("reset", [False, True])
async def test_a_connection_that_is_cut_ended_with_1006(
    session: aiohttp.ClientSession, *, reset: bool
) -> None:
    async with Peer() as peer:
        socket, heard = await dial(session, peer.websocket_url), Heard()
        await peer.wait_until(lambda: len(peer.connections) == 1)
        peer.connections[0].drop(reset=reset)
        assert (await heard.read(socket)).code == 1006
        await socket.close()


async def test_a_close_is_told_before_the_goodbyes(
    session: aiohttp.ClientSession,
    serve: Serve,
    upgrade: Talk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websocket, "_CLOSE_SECONDS", 3600)
    told = Gate()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        writer.write(b"\x88\x00")  # a close without a code
        await told.pass_through()  # and not a byte more until the other side knows

    async with serve(talk) as address:
        socket, heard = await dial(session, f"http://{address}/"), Heard()
        assert await heard.read(socket) == CloseInfo(1005)
        told.open()
        await socket.close()


async def test_a_message_that_breaks_the_framing_ends_the_socket(
    session: aiohttp.ClientSession, serve: Serve, upgrade: Talk
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        writer.write(b"\x83\x00")  # opcode 3 is reserved
        await reader.read()

    async with serve(talk) as address:
        socket, heard = await dial(session, f"http://{address}/"), Heard()
        close = await heard.read(socket)
        assert (close.code, heard.messages) == (1002, [])
        assert close.reason != ""
        await socket.close()


async def test_half_a_message_is_not_handed_out(
    session: aiohttp.ClientSession, serve: Serve, upgrade: Talk
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        writer.write(b"\x01\x03abc")  # the first of several fragments
        writer.write(b"\x80\x03de")  # the last one, cut
        await writer.drain()

    async with serve(talk) as address:
        socket, heard = await dial(session, f"http://{address}/"), Heard()
        assert ((await heard.read(socket)).code, heard.messages) == (1006, [])
        await socket.close()


async def test_fragments_are_one_message(
    session: aiohttp.ClientSession, serve: Serve, upgrade: Talk
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        writer.write(b"\x01\x03abc\x80\x03def\x88\x02\x03\xe8")
        await reader.read()

    async with serve(talk) as address:
        socket, heard = await dial(session, f"http://{address}/"), Heard()
        assert await heard.read(socket) == CloseInfo(1000)
        assert heard.messages == [b"abcdef"]
        await socket.close()


async def test_the_first_close_says_the_code(session: aiohttp.ClientSession) -> None:
    async with Peer() as peer:
        socket = await dial(session, peer.websocket_url)
        await asyncio.gather(socket.close(1002), socket.close())
        await peer.wait_until(lambda: not peer.connections[0].is_open)
        assert peer.connections[0].close_code == 1002


async def test_closing_does_not_wait_for_a_server_that_streams_on(
    session: aiohttp.ClientSession,
    serve: Serve,
    upgrade: Talk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(websocket, "_CLOSE_SECONDS", 0.02)
    dropped = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        try:
            while True:  # and does not look at what is said to it
                writer.write(b"\x81\x01x")
                await writer.drain()
                await asyncio.sleep(0)
        except ConnectionError:
            dropped.set()

    async with serve(talk) as address:
        socket, heard = await dial(session, f"http://{address}/"), Heard()
        reading = asyncio.create_task(heard.read(socket))
        while not heard.messages:  # noqa: ASYNC110  # what is waited for has no event
            await asyncio.sleep(0)
        await socket.close()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await dropped.wait()


async def test_pings_are_answered_while_somebody_reads(
    session: aiohttp.ClientSession, serve: Serve, upgrade: Talk
) -> None:
    pongs: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        writer.write(b"\x89\x02hi")
        pongs.append(await reader.readexactly(8))
        writer.write(b"\x88\x02\x03\xe8")
        await reader.read()

    async with serve(talk) as address:
        socket, heard = await dial(session, f"http://{address}/"), Heard()
        assert await heard.read(socket) == CloseInfo(1000)
        await socket.close()
    assert pongs[0][:2] == b"\x8a\x82"


async def test_a_server_that_stops_ponging_is_lost(
    session: aiohttp.ClientSession, serve: Serve, upgrade: Talk
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        await reader.read()

    async with serve(talk) as address:
        socket = await WebSocket.dial(session, f"http://{address}/", {}, "", heartbeat=0.02)
        close = await Heard().read(socket)
        assert close.code == 1006
        await socket.close()
