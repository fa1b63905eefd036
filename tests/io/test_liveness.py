"""Pings, clocks and ages over real sockets: who is gone is noticed, who is silent is left alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.io.engines import NONE, answered, ended, request, running, submitted

from client.colours import until
from turnwire.core.failure import FailureKind
from turnwire.io import websocket
from turnwire.testing import (
    Gate,
    Peer,
    Turns,
    answer,
    half_open,
    ping,
    silence,
    wait,
    withhold_pongs,
)

if TYPE_CHECKING:
    from tests.io.conftest import Serve, Talk

pytestmark = pytest.mark.io


@pytest.fixture(autouse=True)
def _short_goodbyes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is gone does not say goodbye."""
    monkeypatch.setattr(websocket, "_CLOSE_SECONDS", 0.02)


async def test_a_peer_that_answers_no_ping_is_lost_and_its_turn_goes_on_elsewhere() -> None:
    script = Turns([withhold_pongs(after=0), silence()], then=[answer("here")])
    limits = {"ping_interval": 0.01, "ping_timeout": 0.02}
    async with Peer(script) as peer, running(peer, **limits) as engine:
        turn, inbox = submitted(engine, request())
        finish = await ended(inbox)
        assert finish.failure is None
        assert (turn.model_runs, peer.model_runs, len(peer.connections)) == (2, 2, 2)
        assert inbox.events[0].type == "turn.restarted"
        assert "`ping_timeout`" in inbox.events[0].reason
        await peer.wait_until(lambda: not peer.connections[0].is_open)


async def test_a_peer_that_is_gone_without_a_word_is_lost_too() -> None:
    script = Turns([half_open(after="response.created")], then=[answer("here")])
    limits = {"ping_interval": 0.01, "ping_timeout": 0.02}
    async with Peer(script) as peer, running(peer, **limits) as engine:
        assert await answered(engine) == "here"
        assert engine.statistics().lost_sockets == 1


async def test_a_model_that_thinks_is_pinged_and_left_alone() -> None:
    gate = Gate()
    script = Turns([wait(gate, after="response.in_progress"), answer("Thought.")])
    limits = {"ping_interval": 0.01, "ping_timeout": 20.0}
    async with Peer(script) as peer, running(peer, **limits) as engine:
        turn, inbox = submitted(engine, request())
        await peer.wait_until(lambda: bool(peer.connections) and peer.connections[0].pings >= 5)
        gate.open()
        assert (await ended(inbox)).failure is None
        assert (turn.model_runs, len(peer.connections)) == (1, 1)


async def test_without_pings_nobody_is_pinged() -> None:
    gate = Gate()
    script = Turns([wait(gate, after="response.in_progress"), ping(3), answer("Thought.")])
    async with Peer(script) as peer, running(peer, ping_interval=None) as engine:
        _, inbox = submitted(engine, request())
        await gate.wait_reached()
        gate.open()
        assert (await ended(inbox)).failure is None
        await peer.wait_until(lambda: peer.connections[0].pongs == 3)  # and it still answers
        assert peer.connections[0].pings == 0


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["websocket", "http"])
async def test_a_server_that_takes_no_message_loses_the_turn_after_its_limit(
    serve: Serve, upgrade: Talk, transport: Any
) -> None:
    dials, over = 0, asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal dials
        dials += 1
        if transport == "websocket":
            await upgrade(reader, writer)
        writer.transport.pause_reading()
        await over.wait()

    large = "x" * 12 * 2**20  # more than the buffers of both sides
    deadlines = replace(NONE, write=0.3)
    async with serve(talk) as address, running(f"http://{address}", ping_interval=None) as engine:
        asked = request(large, deadlines=deadlines, replay="never", transport=transport)
        turn, inbox = submitted(engine, asked)
        failure = (await ended(inbox)).failure
        assert failure is not None
        assert (failure.kind, "`write_timeout`" in failure.message) == (FailureKind.LOST, True)
        assert (turn.delivery, turn.model_runs, dials) == ("writing", 1, 1)
        over.set()


@pytest.mark.slow
async def test_a_message_that_takes_long_to_write_is_not_mistaken_for_silence(
    serve: Serve, upgrade: Talk
) -> None:
    large = "x" * 12 * 2**20
    end = b'{"type":"response.completed","response":{"id":"r","status":"completed"}}'

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await upgrade(reader, writer)
        await asyncio.sleep(0.3)  # the message takes longer than a pong may
        left = len(large)
        while left > 0:
            left -= len(await reader.read(2**20))
        writer.write(b"\x81" + bytes([len(end)]) + end)
        await reader.read()

    limits = {"ping_interval": 0.1, "ping_timeout": 0.1}
    async with serve(talk) as address, running(f"http://{address}", **limits) as engine:
        turn, inbox = submitted(engine, request(large, replay="never"))
        assert (await ended(inbox)).failure is None
        assert turn.model_runs == 1


async def test_a_socket_that_grows_old_is_replaced_before_it_takes_no_more_turns() -> None:
    limits = {"max_age": 0.05, "max_age_jitter": 0.0}
    async with Peer() as peer, running(peer, **limits) as engine:
        while engine.statistics().rotations < 2:
            await answered(engine)
        counts = engine.statistics()
        assert (counts.resends, counts.failed, counts.lost_sockets) == (0, 0, 0)
        await peer.wait_until(lambda: not any(each.is_open for each in peer.connections[:2]))
        assert [each.close_code for each in peer.connections[:2]] == [1000, 1000]


async def test_a_turn_that_runs_while_its_socket_grows_old_ends_there() -> None:
    gate = Gate()
    script = Turns([answer("a"), wait(gate, after="response.created")], then=[answer("b")])
    limits = {"max_age": 0.05, "max_age_jitter": 0.0, "lanes": True}
    async with Peer(script) as peer, running(peer, **limits) as engine:
        turn, inbox = submitted(engine, request())
        await until(lambda: engine.statistics().rotations == 1)
        assert await answered(engine) == "b"
        assert [len(connection.creates) for connection in peer.connections[:2]] == [1, 1]
        assert peer.connections[0].is_open
        gate.open()
        assert (await ended(inbox)).failure is None
        assert turn.model_runs == 1
        await peer.wait_until(lambda: not peer.connections[0].is_open)
        assert peer.connections[0].close_code == 1000


async def test_a_socket_that_nobody_uses_any_more_has_one_successor_and_no_other() -> None:
    limits = {"max_age": 0.02, "max_age_jitter": 0.0}
    async with Peer() as peer, running(peer, **limits) as engine:
        await answered(engine)
        await until(lambda: engine.statistics().sockets == 0)
        counts = engine.statistics()
        assert (counts.dials, counts.rotations, counts.failed) == (2, 2, 0)
