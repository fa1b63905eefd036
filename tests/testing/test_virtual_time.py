"""Hours in milliseconds, over real sockets."""

from __future__ import annotations

import asyncio
import inspect
import time

import aiohttp
import pytest
from aiohttp import WSMsgType

from turnwire.testing import (
    Clock,
    Peer,
    VirtualLoop,
    answer,
    deltas,
    half_open,
    silence,
    virtual_time,
    wait,
)
from turnwire.testing.virtual import GRACE

pytestmark = pytest.mark.io

CREATE = {"type": "response.create", "model": "m"}


def now() -> float:
    return asyncio.get_running_loop().time()


@virtual_time
async def test_sleeping_costs_nothing() -> None:
    await asyncio.sleep(3600.0)  # pytest-timeout would notice
    assert now() == 3600.0


@virtual_time
async def test_timers_come_in_their_order_each_at_its_time() -> None:
    seen: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        seen.append((name, now()))

    await asyncio.gather(sleeper("c", 30.0), sleeper("a", 10.0), sleeper("b", 20.0))
    assert seen == [("a", 10.0), ("b", 20.0), ("c", 30.0)]


@virtual_time
async def test_a_turn_that_is_silent_runs_into_a_timeout() -> None:
    async with Peer(lambda create: [silence(after=1)]) as peer, aiohttp.ClientSession() as session:
        socket = await session.ws_connect(peer.websocket_url)
        await socket.send_json(CREATE)
        assert (await socket.receive_json())["type"] == "response.created"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.receive(), 300.0)
        assert now() == 300.0
        await socket.close()


@virtual_time
async def test_no_timeout_comes_early_while_bytes_are_on_their_way() -> None:
    async with Peer(lambda create: [deltas(500, "x" * 500)]) as peer:
        timeout = aiohttp.ClientWSTimeout(ws_receive=0.001)
        async with aiohttp.ClientSession() as session:
            socket = await session.ws_connect(peer.websocket_url, timeout=timeout, max_msg_size=0)
            for _ in range(20):
                await socket.send_json(CREATE)
                while (await socket.receive_json())["type"] != "response.completed":
                    pass
            await socket.close()
    assert now() == 0.0


@virtual_time
async def test_a_heartbeat_finds_that_a_peer_is_gone() -> None:
    async with (
        Peer(lambda create: [half_open(after=1)]) as peer,
        aiohttp.ClientSession() as session,
    ):
        socket = await session.ws_connect(peer.websocket_url, heartbeat=20.0)
        await socket.send_json(CREATE)
        await socket.receive()
        assert WSMsgType.ERROR is (await socket.receive()).type
        assert 20.0 < now() < 60.0
        await socket.close()


@virtual_time
async def test_scripts_go_by_the_time_of_the_loop() -> None:
    async with (
        Peer(lambda create: [wait(90.0), answer("x")], age_limit=3600.0) as peer,
        aiohttp.ClientSession() as session,
    ):
        socket = await session.ws_connect(peer.websocket_url)
        await socket.send_json(CREATE)
        await socket.receive()
        assert (now(), peer.clock.now) == (90.0, 90.0)
        while (await socket.receive()).type is not WSMsgType.CLOSE:
            pass
        assert now() == 3600.0
    assert {entry.at for entry in peer.log if entry.kind == "close"} == {3600.0}


@virtual_time
async def test_a_peer_keeps_the_clock_that_it_was_given() -> None:
    async with Peer(clock=Clock(7.0)) as peer:
        await asyncio.sleep(1.0)
        assert peer.clock.now == 7.0


@virtual_time
async def test_a_suspended_machine_finds_its_timers_late() -> None:
    async with Peer() as peer:
        timer = asyncio.create_task(asyncio.sleep(10.0))
        await asyncio.sleep(1.0)
        peer.suspend(3600.0)
        await timer
        assert now() == 3601.0
        with pytest.raises(ValueError, match="cannot go back"):
            peer.clock.advance(-1.0)


@virtual_time
async def test_threads_of_the_loop_are_waited_for() -> None:
    timer = asyncio.create_task(asyncio.sleep(1.0))
    await asyncio.to_thread(time.sleep, 3 * GRACE)
    assert (now(), timer.done()) == (0.0, False)
    await timer
    assert now() == 1.0


@pytest.mark.parametrize("number", [1, 2])
@virtual_time
async def test_it_may_have_parameters_and_fixtures(number: int, tmp_path: object) -> None:
    await asyncio.sleep(number)
    assert (now(), tmp_path is not None) == (number, True)


def test_it_makes_an_ordinary_test() -> None:
    @virtual_time
    async def test() -> None:
        """Say something."""

    assert not inspect.iscoroutinefunction(test)
    assert (test.__name__, test.__doc__) == ("test", "Say something.")


def test_the_loop_is_good_for_a_runner() -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(asyncio.sleep(60.0, "slept")) == "slept"
        assert runner.get_loop().time() == 60.0
