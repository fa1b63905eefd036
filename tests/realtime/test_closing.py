"""Closing leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import warnings
from pathlib import Path
from typing import Any

import pytest

from realtime.support import FAST, dial, talk
from turnwire.testing import drop, refuse
from turnwire.testing.realtime import RealtimeServer, counted, faults, reply

pytestmark = pytest.mark.io


def others() -> list[str]:
    """Return the tasks of sessions."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    return [task.get_name() for task in tasks if task.get_name().startswith("turnwire")]


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_closing_ends_tasks_and_the_socket() -> None:
    async with talk(reply(counted(5_000)), server={"speed": 1.0}) as (rt, server):
        rt.on("*", lambda _: None)
        events = rt.events()
        await rt.request_response().created()
        await rt.aclose()
        await rt.aclose()
        assert (others(), rt.status) == ([], "disconnected")
        await server.wait_until(lambda: not server.connections[0].is_open)
        assert server.connections[0].close_code == 1000
        assert [event async for event in events][-1].type == "connection_change"


async def test_several_may_close_at_once_and_none_of_them_is_needed() -> None:
    async with talk(reply(counted(5_000)), server={"speed": 1.0}) as (rt, _):
        closing = [asyncio.create_task(rt.aclose()) for _ in range(3)]
        await asyncio.sleep(0)
        closing[0].cancel()
        await asyncio.wait(closing)
        assert [task.cancelled() for task in closing] == [True, False, False]
        assert others() == []


async def test_a_server_that_is_gone_is_not_waited_for() -> None:
    async with talk(reply(counted(500))) as (rt, server):
        server.connections[0].half_open()
        await rt.aclose()
        assert others() == []


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_a_thousand_sessions_leave_nothing_behind() -> None:
    steps: list[Any] = [None, None, None, refuse(500), drop()]
    handshakes = [steps[number % len(steps)] for number in range(2_000)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with RealtimeServer(
            reply(counted(100)),
            handshake=handshakes,
            faults=lambda index: [faults.drop(on="response.done")] if index % 7 == 0 else [],
            **FAST,
        ) as server:
            await one(server, 0)
            gc.collect()
            before = descriptors()
            for number in range(1_000):
                await one(server, number)
            del server.connections[:]
            gc.collect()
            assert others() == []
            assert descriptors() <= before + 5  # what the server has not noticed yet


async def one(server: RealtimeServer, number: int) -> None:
    rt = dial(server, reconnect=False, auth="subprotocol" if number % 2 else "header")
    rt.on("turn_done", lambda _: None)
    try:
        async with rt:
            pending = rt.request_response()
            if number % 3:
                await pending
    except Exception as error:  # noqa: BLE001  # of refused and dropped ones
        assert type(error).__name__ in ("ConnectionLost", "DialError"), error  # noqa: PT017
