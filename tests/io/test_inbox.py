from __future__ import annotations

import asyncio

import pytest

from turnwire.core.actions import Finish
from turnwire.events import decode_event
from turnwire.io.inbox import Inbox

EVENT = decode_event(b'{"type":"x"}')
FINISH = Finish(1, None, None)


async def waiting_on(inbox: Inbox) -> asyncio.Task[None]:
    task = asyncio.create_task(inbox.wait_changed())
    await asyncio.sleep(0)
    assert not task.done()
    return task


async def test_an_event_wakes_who_waits() -> None:
    inbox = Inbox(100)
    task = await waiting_on(inbox)
    assert inbox.put(EVENT)
    await task
    assert list(inbox.events) == [EVENT]


async def test_the_end_wakes_who_waits() -> None:
    inbox = Inbox(100)
    task = await waiting_on(inbox)
    inbox.close(FINISH)
    await task
    assert inbox.finish is FINISH


async def test_two_may_wait() -> None:
    inbox = Inbox(100)
    tasks = [await waiting_on(inbox), await waiting_on(inbox)]
    inbox.put(EVENT)
    await asyncio.gather(*tasks)


async def test_one_that_is_cancelled_does_not_take_the_others_wake() -> None:
    inbox = Inbox(100)
    first, second = await waiting_on(inbox), await waiting_on(inbox)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert not second.done()
    inbox.put(EVENT)
    await second


async def test_the_limit_is_in_bytes_and_says_when_it_is_passed() -> None:
    inbox = Inbox(2 * len(EVENT.raw))
    assert [inbox.put(EVENT) for _ in range(3)] == [True, True, False]
    assert (inbox.size_bytes, len(inbox.events)) == (3 * len(EVENT.raw), 3)
