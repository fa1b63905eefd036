"""The scripted server on real sockets: handshakes, and the faults that only sockets can have."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest

from testing.realtime.driving import audio_by_item
from turnwire.testing import Clock, Refuse, drop, refuse, virtual_time
from turnwire.testing.realtime import RealtimeServer, counted, faults, heard_ms, reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.io

Json = dict[str, Any]


class Socket:
    """A bare client."""

    def __init__(self, raw: aiohttp.ClientWebSocketResponse) -> None:
        self.raw = raw

    async def send(self, type: str, **members: Any) -> None:  # noqa: A002
        await self.raw.send_str(msgspec.json.encode({"type": type, **members}).decode())

    async def event(self) -> Json:
        message = await self.raw.receive()
        assert message.type is aiohttp.WSMsgType.TEXT, message
        return msgspec.json.decode(message.data)

    async def until(self, type: str) -> list[Json]:  # noqa: A002
        events = [await self.event()]
        while events[-1]["type"] != type:
            events.append(await self.event())
        return events

    async def end(self) -> int | None:
        """Read to the end and return its code."""
        while (await self.raw.receive()).type is aiohttp.WSMsgType.TEXT:
            pass
        return self.raw.close_code


class Caller:
    def __init__(self, stack: AsyncExitStack, session: aiohttp.ClientSession) -> None:
        self._stack = stack
        self.session = session

    async def dial(self, server: RealtimeServer, **options: Any) -> Socket:
        raw = await self.session.ws_connect(f"{server.url}?model=m", max_msg_size=0, **options)
        self._stack.push_async_callback(raw.close)
        return Socket(raw)


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Caller(stack, session)


async def test_a_turn(caller: Caller) -> None:
    async with RealtimeServer(reply(counted(500)), speed=50) as server:
        socket = await caller.dial(server)
        await socket.send("response.create")
        events = await socket.until("response.done")
        ((item_id, audio),) = audio_by_item(events).items()
        assert heard_ms(audio, server.numbers[item_id]) == 500
        assert (server.responses, len(server.connections), len(server.handshakes)) == (1, 1, 1)
        (connection,) = server.connections
        assert connection.query["model"] == "m"
        assert [each.event["type"] for each in connection.received] == ["response.create"]
        assert [each.event for each in connection.sent] == events
        assert server.sessions[0].session.session["model"] == "m"


def broken(_: Any) -> Any:
    """Do what a script or a function of faults with a mistake in it does."""
    raise ZeroDivisionError


@pytest.mark.parametrize("delay", [0.0, 0.01], ids=["while reading", "while talking"])
async def test_a_script_that_raises_fails_the_test_with_its_cause(
    caller: Caller, delay: float
) -> None:
    async def fail() -> None:
        async with RealtimeServer(broken, created_delay=delay) as server:
            socket = await caller.dial(server)
            await socket.send("response.create")
            error = (await socket.until("error"))[-1]["error"]
            assert (error["type"], error["code"]) == ("server_error", "server_error")
            assert await socket.end() == 1011

    with pytest.raises(ZeroDivisionError):
        await fail()


async def test_nobody_waits_for_what_has_raised(caller: Caller) -> None:
    async def fail(server: RealtimeServer) -> None:
        async with server:
            await (await caller.dial(server)).send("response.create")
            await server.wait_until(lambda: server.responses == 2)

    for server in (RealtimeServer(broken), RealtimeServer(faults=broken)):
        with pytest.raises(ZeroDivisionError) as caught:
            await fail(server)
        assert len(caught.value.__notes__) == 1
        assert "The Realtime server saw" in caught.value.__notes__[0]


async def test_what_the_script_raised_is_noted_on_what_the_test_raises(caller: Caller) -> None:
    async def fail() -> None:
        async with RealtimeServer(broken) as server:
            socket = await caller.dial(server)
            await socket.send("response.create")
            await socket.end()
            raise KeyError

    with pytest.raises(KeyError) as caught:
        await fail()
    assert caught.value.__notes__[-1].endswith("ZeroDivisionError\n")


async def test_ids_differ_between_connections(caller: Caller) -> None:
    async with RealtimeServer() as server:
        first, second = await caller.dial(server), await caller.dial(server)
        one, other = await first.event(), await second.event()
        assert one["session"]["id"] != other["session"]["id"]


async def test_the_key_comes_in_a_header_or_a_subprotocol(caller: Caller) -> None:
    async with RealtimeServer(key="k") as server:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await caller.dial(server)
        assert refused.value.status == 401
        await (await caller.dial(server, headers={"Authorization": "Bearer k"})).event()
        protocols = ("realtime", "openai-insecure-api-key.k")
        socket = await caller.dial(server, protocols=protocols)
        assert socket.raw.protocol == "realtime"
        assert len(server.handshakes) == 3


async def test_dials_are_refused_one_by_one(caller: Caller) -> None:
    handshake: list[Any] = [drop(), 503, refuse(429, retry_after=2), Refuse(403), None]
    async with RealtimeServer(handshake=handshake) as server:
        seen: list[Any] = []
        for _ in range(3):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await caller.dial(server)
            seen.append((refused.value.status, (refused.value.headers or {}).get("retry-after")))
        # The first one was dropped, and aiohttp dialled again by itself.
        assert seen == [(503, None), (429, "2"), (403, None)]
        assert len(server.handshakes) == 4
        assert (await (await caller.dial(server)).event())["type"] == "session.created"


async def test_without_an_upgrade_it_says_so(caller: Caller) -> None:
    async with (
        RealtimeServer() as server,
        caller.session.get(server.http_url + "/realtime") as answer,
    ):
        assert answer.status == 426


async def test_the_beta_is_accepted_and_told_to_leave(caller: Caller) -> None:
    async with RealtimeServer() as server:
        socket = await caller.dial(server, headers={"OpenAI-Beta": "realtime=v1"})
        assert (await socket.event())["error"]["code"] == "beta_api_shape_disabled"
        message = await socket.raw.receive()
        assert (message.data, message.extra) == (
            4000,
            "invalid_request_error.beta_api_shape_disabled",
        )
        assert server.sessions == []


async def test_the_beta_is_served_if_it_is_told_to(caller: Caller) -> None:
    async with RealtimeServer(accepts_beta=True, faults=[faults.beta_names()]) as server:
        socket = await caller.dial(server, headers={"OpenAI-Beta": "realtime=v1"})
        await socket.send("session.update", session={"voice": "ash"})
        assert (await socket.until("session.updated"))[-1]["session"]["voice"] == "ash"


async def test_faults_may_differ_by_connection(caller: Caller) -> None:
    first_fails = lambda index: [faults.close(1011, "first", on=1)] if index == 0 else []  # noqa: E731
    async with RealtimeServer(faults=first_fails) as server:
        first, second = await caller.dial(server), await caller.dial(server)
        message = await first.raw.receive()
        assert (message.data, message.extra) == (1011, "first")
        assert (await second.event())["type"] == "session.created"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (faults.close(1011, on="response.done"), 1011),
        (faults.drop(on="response.done"), 1006),
        (faults.drop(reset=True, on="response.done"), 1006),
    ],
    ids=["close", "drop", "reset"],
)
async def test_the_socket_ends_as_it_is_told_to(caller: Caller, fault: Any, code: int) -> None:
    async with RealtimeServer(faults=[fault], speed=50) as server:
        socket = await caller.dial(server)
        await socket.send("response.create")
        assert await socket.end() == code
        await server.wait_until(lambda: not server.connections[0].is_open)


async def test_half_open_is_silent_to_pings_too(caller: Caller) -> None:
    async with RealtimeServer(faults=[faults.half_open(on=2)]) as server:
        socket = await caller.dial(server, autoping=False, heartbeat=None)
        await socket.event()
        await socket.send("response.create")
        await server.wait_until(lambda: server.responses == 1)
        await socket.raw.ping()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.raw.receive(), 0.1)


async def test_pongs_are_withheld_and_events_are_not(caller: Caller) -> None:
    async with RealtimeServer(faults=[faults.withhold_pongs(on="response.created")]) as server:
        socket = await caller.dial(server, autoping=False)
        await socket.event()
        await socket.raw.ping(b"1")
        assert (await socket.raw.receive()).type is aiohttp.WSMsgType.PONG
        await socket.send("response.create")
        await socket.until("response.created")
        await socket.raw.ping(b"2")
        await socket.until("response.done")
        await server.wait_until(lambda: server.connections[0].pings == 2)


async def test_a_message_of_four_mebibytes_in_pieces(caller: Caller) -> None:
    async with RealtimeServer(
        reply(counted(70_000)),
        faults=[faults.pieces(2**16)],
        speed=100_000,
        chunk_ms=5000,
    ) as server:
        socket = await caller.dial(server)
        await socket.send("response.create")
        item_id = (await socket.until("response.done"))[-1]["response"]["output"][0]["id"]
        await socket.send("conversation.item.retrieve", item_id=item_id)
        message = await socket.raw.receive()
        assert len(message.data) > 4 * 2**20
        assert msgspec.json.decode(message.data)["type"] == "conversation.item.retrieved"


async def test_a_clock_that_is_moved_by_hand(caller: Caller) -> None:
    clock = Clock()
    async with RealtimeServer(reply(counted(1000)), clock=clock, speed=1, max_age=60.0) as server:
        socket = await caller.dial(server)
        await socket.send("response.create")
        sent = server.connections[0].sent
        delta = "response.output_audio.delta"

        def count() -> int:
            return sum(each.event["type"] == delta for each in sent)

        await server.wait_until(lambda: count() == 1)
        clock.advance(0.25)
        await server.wait_until(lambda: count() == 3)
        clock.advance(0.75)
        await socket.until("response.done")
        assert [each.at for each in sent if each.event["type"] == delta] == pytest.approx(
            [n / 10 for n in range(10)]
        )
        clock.advance(60.0)
        assert await socket.end() == 1001


@virtual_time
async def test_a_loop_of_virtual_time() -> None:
    async with (
        RealtimeServer(reply(counted(5000)), speed=1) as server,
        aiohttp.ClientSession() as session,
        session.ws_connect(server.url) as raw,
    ):
        socket = Socket(raw)
        begin = asyncio.get_running_loop().time()
        await socket.send("response.create")
        await socket.until("response.done")
        assert asyncio.get_running_loop().time() - begin == pytest.approx(5)


async def test_what_a_test_does_by_hand(caller: Caller) -> None:
    async with RealtimeServer(faults=[faults.stall(on=1)]) as server:
        socket = await caller.dial(server)
        await server.wait_until(lambda: len(server.connections) == 1)
        (connection,) = server.connections
        await connection.send({"type": "of.the.test"})
        connection.go_on()
        assert [e["type"] for e in await socket.until("of.the.test")] == [
            "session.created",
            "of.the.test",
        ]
        await connection.say(b"\x00", binary=True)
        assert (await socket.raw.receive()).data == b"\x00"
        connection.drop(reset=True)
        assert await socket.end() == 1006


async def test_too_large_a_message_closes_with_1009(caller: Caller) -> None:
    async with RealtimeServer(max_message_bytes=1000) as server:
        socket = await caller.dial(server)
        await socket.send("response.create", metadata="x" * 1000)
        assert await socket.end() == 1009


async def test_an_error_that_leaves_gets_a_note_of_what_was_seen(caller: Caller) -> None:
    server = RealtimeServer()

    async def failing() -> None:
        async with server:
            await (await caller.dial(server)).event()
            raise LookupError

    with pytest.raises(LookupError) as raised:
        await failing()
    assert "session.created" in raised.value.__notes__[0]
    assert server.transcript().count("session.created") == 1


async def test_before_it_serves_it_has_no_address() -> None:
    server = RealtimeServer()
    with pytest.raises(RuntimeError, match="does not serve yet"):
        _ = server.url


async def test_a_hundred_connects_leave_nothing_behind(caller: Caller) -> None:
    async with RealtimeServer() as server:
        before = len(asyncio.all_tasks())
        for _ in range(100):
            socket = await caller.session.ws_connect(server.url)
            await socket.receive()
            await socket.close()
        await server.wait_until(lambda: not any(each.is_open for each in server.connections))
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) <= before + 1
