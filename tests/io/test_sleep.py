"""A machine that sleeps: its sockets look open afterwards, and may lead nowhere."""

from __future__ import annotations

import asyncio

import pytest
from tests.io.engines import answered, ended, request, running, submitted

from turnwire.io import websocket
from turnwire.io.sleep import SleepWatch
from turnwire.testing import Gate, Peer, Turns, answer, wait


@pytest.fixture(autouse=True)
def _short_goodbyes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is gone does not say goodbye."""
    monkeypatch.setattr(websocket, "_CLOSE_SECONDS", 0.02)


class WallClock:
    """A clock that a test moves beside the loop's."""

    def __init__(self) -> None:
        self.slept = 0.0

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() + self.slept


def test_a_clock_that_is_put_right_is_no_sleep() -> None:
    wall = iter([1000.0, 1010.0, 1049.9, 1020.0, 1090.0, 1091.0])
    watch = SleepWatch(0.0, lambda: next(wall))
    assert [watch.slept(now) for now in (10.0, 20.0, 30.0, 40.0, 41.0)] == [
        None,
        None,
        None,
        60.0,
        None,
    ]


@pytest.mark.io
async def test_after_a_sleep_an_idle_socket_that_answers_is_used() -> None:
    clock = WallClock()
    async with Peer() as peer, running(peer, wall_clock=clock) as engine:
        await answered(engine)
        clock.slept += 600.0
        assert await answered(engine, request("awake")) == "awake"
        assert [connection.pings for connection in peer.connections] == [1]


@pytest.mark.io
async def test_after_a_sleep_an_idle_socket_that_is_gone_costs_its_turn_nothing() -> None:
    clock = WallClock()
    async with Peer() as peer, running(peer, wall_clock=clock, probe=0.02) as engine:
        await answered(engine)
        peer.connections[0].half_open()
        clock.slept += 600.0
        turn, inbox = submitted(engine, request("awake", replay="never"))
        finish = await ended(inbox)
        assert finish.failure is None
        assert (turn.resends, turn.model_runs, peer.model_runs) == (0, 1, 2)
        assert len(peer.connections) == 2


@pytest.mark.io
async def test_after_a_sleep_a_socket_with_a_turn_on_it_has_to_show_that_it_lives() -> None:
    clock, gate = WallClock(), Gate()
    script = Turns([wait(gate, after="response.created"), answer("a")], then=[answer("b")])
    limits = {"ping_timeout": 0.02, "probe": 0.01, "lanes": True}
    async with Peer(script) as peer, running(peer, wall_clock=clock, **limits) as engine:
        turn, inbox = submitted(engine, request())
        while not inbox.events:
            await inbox.wait_changed()
        peer.connections[0].half_open()
        clock.slept += 600.0
        assert await answered(engine) == "b"
        assert (await ended(inbox)).failure is None
        assert [event.type for event in inbox.events][:2] == ["turn.restarted", "response.created"]
        assert (turn.resends, turn.model_runs, peer.model_runs) == (1, 2, 3)
        gate.open()
