"""The queue in front of a socket's writer; itself in `test_socket_writer.py`."""

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
    assert outbox.take(100) == [b"123456789", b"0"]
    assert await is_waiting(waiter), "a message counts until it is written"
    outbox.written(10)
    await waiter


async def test_messages_leave_in_order() -> None:
    outbox = Outbox(10)
    for message in (b"a", b"b"):
        outbox.put(message)
    assert (outbox.take(2), outbox.take(2)) == ([b"a", b"b"], [])


@pytest.mark.parametrize(("most", "first"), [(1, [b"abc"]), (3, [b"abc"]), (4, [b"abc", b"d"])])
def test_no_more_is_taken_than_was_asked_for_but_one_message_always(
    most: int, first: list[bytes]
) -> None:
    outbox = Outbox(10)
    for message in (b"abc", b"d"):
        outbox.put(message)
    taken = outbox.take(most)
    assert (first, [b"abc", b"d"]) == (taken, taken + outbox.take(100))


def test_the_writer_hears_of_each_message_and_of_the_end() -> None:
    outbox = Outbox(10)
    heard: list[tuple[bool, int | None]] = []
    outbox.news = lambda: heard.append((bool(outbox), outbox.close_code))
    outbox.put(b"a")
    outbox.take(1)
    outbox.finish(1000)
    assert heard == [(True, None), (False, 1000)]


def test_after_the_end_nothing_is_queued() -> None:
    outbox = Outbox(1)
    outbox.put(b"a")
    outbox.finish(1000)
    outbox.finish(1001)
    outbox.put(b"b")
    assert (outbox.take(9), outbox.take(9), outbox.close_code) == ([b"a"], [], 1000)


async def test_an_abandoned_outbox_drops_everything_and_holds_nobody() -> None:
    outbox = Outbox(1)
    outbox.put(b"a")
    waiter = asyncio.create_task(outbox.room())
    assert await is_waiting(waiter)
    outbox.abandon()
    await waiter
    outbox.put(b"b")
    await outbox.room()
    assert (outbox.take(9), outbox.size_bytes) == ([], 0)


async def test_what_was_taken_before_it_was_abandoned_counts_no_more() -> None:
    outbox = Outbox(1)
    outbox.put(b"a")
    outbox.take(1)
    outbox.abandon()
    outbox.written(1)
    assert outbox.size_bytes == 0


@pytest.mark.parametrize("limit", [1, 100])
async def test_size_is_what_waits(limit: int) -> None:
    outbox = Outbox(limit)
    outbox.put(b"abc")
    assert outbox.size_bytes == 3
