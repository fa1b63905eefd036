from __future__ import annotations

import asyncio

import pytest

from turnwire.io.timer import Timer
from turnwire.testing import virtual_time


@pytest.mark.parametrize(
    ("deadlines", "rings"),
    [
        ([3.0], [3.0]),
        ([3.0, 1.0], [1.0]),
        ([1.0, 3.0], [3.0]),
        ([3.0, 3.0], [3.0]),
        ([3.0, None], []),
        ([None], []),
    ],
)
@virtual_time
async def test_it_rings_once_at_the_deadline_that_it_was_last_armed_with(
    deadlines: list[float | None], rings: list[float]
) -> None:
    loop = asyncio.get_running_loop()
    rang: list[float] = []
    timer = Timer(loop, lambda: rang.append(loop.time()))
    start = loop.time()
    for deadline in deadlines:
        timer.arm(None if deadline is None else start + deadline)
    await asyncio.sleep(10)
    assert [round(when - start, 3) for when in rang] == rings


@virtual_time
async def test_it_can_be_armed_again_for_the_time_at_which_it_rang() -> None:
    loop = asyncio.get_running_loop()
    rang: list[float] = []
    timer = Timer(loop, lambda: rang.append(loop.time()))
    deadline = loop.time() + 1
    timer.arm(deadline)
    await asyncio.sleep(2)
    timer.arm(deadline)
    await asyncio.sleep(1)
    assert len(rang) == 2


@virtual_time
async def test_whoever_is_rung_for_may_arm_it() -> None:
    loop = asyncio.get_running_loop()
    rang: list[float] = []

    def ring() -> None:
        rang.append(loop.time())
        if len(rang) < 3:
            timer.arm(loop.time() + 1)

    timer = Timer(loop, ring)
    timer.arm(loop.time() + 1)
    await asyncio.sleep(10)
    assert len(rang) == 3
