"""Peers that are silent, deaf, slow, old or gone; nothing sleeps, and the test moves the clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import WSMsgType

from turnwire.testing import (
    Clock,
    Gate,
    Peer,
    Turns,
    answer,
    half_open,
    ping,
    silence,
    stop_reading,
    wait,
    withhold_pongs,
)

if TYPE_CHECKING:
    from tests.testing.conftest import Caller, Socket

pytestmark = pytest.mark.io


async def pong(socket: Socket) -> bytes:
    """Send a ping to a socket that was dialled with `autoping=False`; return what came back."""
    await socket.raw.ping(b"there?")
    message = await socket.raw.receive()
    assert message.type is WSMsgType.PONG, message
    return bytes(message.data)


async def settled(peer: Peer) -> None:
    """Let everything happen that can happen: a round trip over another connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(peer.base_url[17:-3]))
    writer.write(b"GET /v1/responses HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()


async def test_silence_with_pings_answered(caller: Caller) -> None:
    async with Peer(lambda create: [silence(after=1), answer("never")]) as peer:
        socket = await caller.dial(peer, autoping=False)
        await socket.create(input="x")
        assert (await socket.event())["type"] == "response.created"
        assert [await pong(socket), await pong(socket)] == [b"there?", b"there?"]
        assert (peer.connections[0].pings, len(peer.connections[0].sent)) == (2, 1)


async def test_silent_for_n_seconds(caller: Caller) -> None:
    async with Peer(lambda create: [wait(30.0), answer("x")]) as peer:
        socket = await caller.dial(peer, autoping=False)
        await socket.create(input="x")
        await peer.wait_until(lambda: peer.clock.next == 30.0)
        peer.clock.advance(29.5)
        assert (await pong(socket), peer.connections[0].sent) == (b"there?", [])
        peer.clock.advance(0.5)
        assert (await socket.turn())[-1]["type"] == "response.completed"


async def test_ping_only(caller: Caller) -> None:
    async with Peer(lambda create: [ping(3), silence()]) as peer:
        socket = await caller.dial(peer, autoping=False)
        await socket.create(input="x")
        kinds = [(await socket.raw.receive()).type for _ in range(3)]
        for _ in kinds:
            await socket.raw.pong()
        await peer.wait_until(lambda: peer.connections[0].pongs == 3)
    assert kinds == [WSMsgType.PING] * 3


async def test_half_open(caller: Caller) -> None:
    async with Peer(lambda create: [answer("Hello"), half_open(after=2)]) as peer:
        socket = await caller.dial(peer, autoping=False)
        await socket.create(input="x")
        assert [(await socket.event())["sequence_number"] for _ in range(2)] == [0, 1]
        await socket.raw.ping()
        await socket.create(input="y")
        await settled(peer)
        connection = peer.connections[0]
        assert (connection.pings, len(connection.creates), len(connection.sent)) == (0, 1, 2)
        assert (connection.is_open, peer.model_runs) == (True, 1)
        transport: Any = socket.raw._conn.transport
        assert not transport.is_closing()


async def test_half_open_holds_for_all_lanes_and_for_good(caller: Caller) -> None:
    gate = Gate()
    script = Turns([wait(gate, after=1), answer("a")], [half_open(after=1)])
    async with Peer(script) as peer:
        socket = await caller.dial(peer)
        for lane in "ab":
            await socket.create(input="x", stream_id=lane)
        assert [(await socket.event())["stream_id"] for _ in range(2)] == ["a", "b"]
        gate.open()
        peer.connections[0].read_on()
        await socket.create(input="y", stream_id="c")
        await settled(peer)
        assert (len(peer.connections[0].sent), len(peer.creates)) == (2, 2)


async def test_half_open_does_not_even_notice_a_close(caller: Caller) -> None:
    async with Peer(opening=[half_open()]) as peer:
        socket = await caller.dial(peer)
        await peer.wait_until(lambda: len(peer.connections) == 1)
        closing = asyncio.create_task(socket.raw.close())
        await settled(peer)
        assert peer.connections[0].is_open
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)


async def test_an_idle_connection_can_become_half_open(caller: Caller) -> None:
    async with Peer() as peer:
        socket = await caller.dial(peer)
        await socket.run(input="x")
        peer.connections[0].half_open()
        await socket.create(input="y")
        await settled(peer)
    assert (len(peer.creates), peer.model_runs) == (1, 1)


async def test_slow_reader(caller: Caller) -> None:
    gate = Gate()
    async with Peer(opening=[stop_reading(gate)]) as peer:
        socket = await caller.dial(peer)
        large = "x" * 15 * 2**20  # more than the kernel holds on both sides
        writing = asyncio.create_task(socket.create(input=large))
        await gate.wait_reached()
        await settled(peer)
        assert (writing.done(), peer.connections[0].raw) == (False, [])
        gate.open()
        await writing
        await peer.wait_until(lambda: len(peer.creates) == 1)


async def test_a_reader_may_be_slow_for_a_time(caller: Caller) -> None:
    async with Peer(lambda create: [stop_reading(5.0), answer(create.text)]) as peer:
        socket = await caller.dial(peer)
        end = await socket.run(input="a")
        assert end["type"] == "response.completed"  # the turn goes on
        await socket.create(input="b")
        await settled(peer)
        assert len(peer.creates) == 1
        peer.clock.advance(5.0)
        assert (await socket.turn())[-1]["type"] == "response.completed"


async def test_a_test_can_stop_the_reading_itself(caller: Caller) -> None:
    async with Peer() as peer:
        socket = await caller.dial(peer)
        await peer.wait_until(lambda: len(peer.connections) == 1)
        peer.connections[0].stop_reading()
        await socket.create(input="x")
        await settled(peer)
        assert peer.creates == []
        peer.connections[0].read_on()
        assert (await socket.turn())[-1]["type"] == "response.completed"


async def test_pongs_can_be_withheld_while_all_else_goes_on(caller: Caller) -> None:
    async with Peer(lambda create: [withhold_pongs(), answer("x")]) as peer:
        socket = await caller.dial(peer, autoping=False)
        await socket.create(input="x")
        await socket.turn()
        await socket.raw.ping()
        assert (await socket.run(input="y"))["type"] == "response.completed"
        await peer.wait_until(lambda: peer.connections[0].pings == 1)


async def test_age_limit(caller: Caller) -> None:
    async with Peer(age_limit=3600.0) as peer:
        socket = await caller.dial(peer)
        await socket.run(input="x", stream_id="a")
        peer.clock.advance(3599.0)
        await socket.run(input="y", stream_id="a")
        peer.clock.advance(1.0)
        told = await socket.event()
        assert told["error"]["code"] == "websocket_connection_limit_reached"
        assert (told["status"], "stream_id" in told) == (400, False)
        assert (await socket.raw.receive())[:2] == (WSMsgType.CLOSE, 1000)


async def test_the_age_limit_cuts_running_turns_off(caller: Caller) -> None:
    async with Peer(Turns([silence(after=1), answer("x")]), age_limit=60.0) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="x")
        await socket.event()
        peer.clock.advance(60.0)
        assert (await socket.event())["type"] == "error"
        assert WSMsgType.CLOSE is (await socket.raw.receive()).type


async def test_virtual_sleep_of_a_laptop(caller: Caller) -> None:
    async with Peer(clock=Clock(100.0)) as peer:
        before = await caller.dial(peer)
        await before.run(input="x")
        peer.suspend(3600.0)
        await before.create(input="y")
        after = await caller.dial(peer)
        assert (await after.run(input="y"))["type"] == "response.completed"
    assert peer.clock.now == 3700.0
    assert [len(connection.creates) for connection in peer.connections] == [1, 1]
    assert peer.model_runs == 2


async def test_times_are_those_of_the_clock(caller: Caller) -> None:
    async with Peer(lambda create: [wait(2.0, after=1), answer("x")]) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="x")
        await socket.event()
        await peer.wait_until(lambda: peer.clock.next == 2.0)
        peer.clock.advance(2.0)
        await socket.turn()
    times = [entry.at for entry in peer.connections[0].log if entry.side == "peer"]
    assert times[:3] == [0.0, 2.0, 2.0]
