"""The queue in front of a socket's writer."""

import asyncio

import pytest

from turnwire.gateway.downstream.outbox import Outbox


async def is_waiting(task: asyncio.Task[None]) -> bool:
    for _ in range(3):
        await asyncio.sleep(0)
    return not task.done()


async def test_there_is_room_until_the_limit() -> None:
    outbox = Outbox(10)
    outbox.put(b"123456789")
    await outbox.room()
    outbox.put(b"0")
    waiter = asyncio.create_task(outbox.room())
    assert await is_waiting(waiter)
    message = outbox.take()
    assert message is not None
    assert await is_waiting(waiter), "a message counts until it is written"
    outbox.written(message)
    await waiter


async def test_messages_leave_in_order() -> None:
    outbox = Outbox(10)
    for message in (b"a", b"b"):
        outbox.put(message)
    assert [outbox.take() for _ in range(3)] == [b"a", b"b", None]


async def test_the_writer_waits_until_there_is_something() -> None:
    outbox = Outbox(10)
    writer = asyncio.create_task(outbox.filled())
    assert await is_waiting(writer)
    outbox.put(b"a")
    await writer
    outbox.take()
    outbox.take()
    writer = asyncio.create_task(outbox.filled())
    assert await is_waiting(writer)
    outbox.finish(1000)
    await writer


async def test_after_the_end_nothing_is_queued_and_nobody_waits() -> None:
    outbox = Outbox(1)
    outbox.put(b"a")
    outbox.finish(1000)
    outbox.finish(1001)
    outbox.put(b"b")
    assert [outbox.take(), outbox.take(), outbox.close_code] == [b"a", None, 1000]
    await outbox.filled()


async def test_an_abandoned_outbox_drops_everything_and_holds_nobody() -> None:
    outbox = Outbox(1)
    outbox.put(b"a")
    waiter = asyncio.create_task(outbox.room())
    assert await is_waiting(waiter)
    outbox.abandon()
    await waiter
    outbox.put(b"b")
    await outbox.room()
    assert (outbox.take(), outbox.size_bytes) == (None, 0)


@pytest.mark.parametrize("limit", [1, 100])
async def test_size_is_what_waits(limit: int) -> None:
    outbox = Outbox(limit)
    outbox.put(b"abc")
    assert outbox.size_bytes == 3
