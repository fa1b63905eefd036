from __future__ import annotations

import asyncio

import pytest

from turnwire.io.bell import Bell


async def waiting_for(bell: Bell) -> asyncio.Task[None]:
    task = asyncio.create_task(bell.wait())
    await asyncio.sleep(0)
    assert not task.done()
    return task


async def test_a_ring_wakes_everybody_who_waits() -> None:
    bell = Bell()
    tasks = [await waiting_for(bell), await waiting_for(bell)]
    bell.ring()
    await asyncio.gather(*tasks)


async def test_a_ring_is_not_kept_for_those_who_come_later() -> None:
    bell = Bell()
    bell.ring()
    first = await waiting_for(bell)
    bell.ring()
    second = await waiting_for(bell)
    await first
    assert not second.done()
    bell.ring()
    await second


async def test_one_who_is_cancelled_takes_nobody_along() -> None:
    bell = Bell()
    first, second = await waiting_for(bell), await waiting_for(bell)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert not second.done()
    bell.ring()
    await second


async def test_with_nobody_there_it_rings_as_well() -> None:
    bell = Bell()
    task = await waiting_for(bell)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    bell.ring()
    bell.ring()
