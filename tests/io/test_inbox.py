from __future__ import annotations

import asyncio

import msgspec
import pytest

from turnwire.core.actions import Finish
from turnwire.events import Event, decode_event
from turnwire.io.inbox import Inbox, Inboxes, Overflow

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


async def test_a_restart_takes_the_place_of_what_was_not_read() -> None:
    inbox = Inbox(100)
    for _ in range(3):
        inbox.put(delta("old"))
    task = await waiting_on(inbox)
    inbox.restart(EVENT)
    await task
    assert (list(inbox.events), inbox.size_bytes) == ([EVENT], len(EVENT.raw))


# Limits.


def delta(text: str) -> Event:
    members = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": text}
    return decode_event(msgspec.json.encode({"type": "response.output_text.delta", **members}))


def note(size_bytes: int) -> Event:
    return decode_event(msgspec.json.encode({"type": "note", "text": "x" * (size_bytes - 25)}))


def fill(inboxes: Inboxes, turn: int, *events: Event) -> Overflow | None:
    """Put events until one of them is too many; return what is said then."""
    for event in events:
        if not inboxes.by_turn[turn].put(event):
            overflowed = inboxes.relieve(turn)
            if overflowed is not None:
                return overflowed
    return None


def text_of(inbox: Inbox) -> str:
    return "".join(getattr(event, "delta", "") for event in inbox.events)


@pytest.mark.parametrize("together_bytes", [5_000, 2**26])
def test_no_inbox_outgrows_its_limit_however_much_all_may_have(together_bytes: int) -> None:
    inboxes = Inboxes(5_000, together_bytes)
    inbox = inboxes.open(1)
    assert fill(inboxes, 1, *[note(100)] * 50) is None
    assert (inbox.size_bytes, fill(inboxes, 1, note(100))) == (5_000, (1, 5_000, "buffer_bytes"))


def test_deltas_are_joined_before_anything_fails() -> None:
    inboxes = Inboxes(5_000, 2**26)
    inbox = inboxes.open(1)
    words = [f"word {number} " for number in range(300)]
    assert fill(inboxes, 1, *map(delta, words)) is None
    assert text_of(inbox) == "".join(words)
    assert inbox.size_bytes == sum(len(event.raw) for event in inbox.events) <= 5_000
    assert len(inbox.events) < 60


def test_what_cannot_be_joined_any_further_is_not_joined_at_each_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    joined: list[int] = []
    join = Inbox.coalesce

    def counted(inbox: Inbox) -> None:
        joined.append(inbox.size_bytes)
        join(inbox)

    monkeypatch.setattr(Inbox, "coalesce", counted)
    inboxes = Inboxes(100_000, 2**26)
    inboxes.open(1)
    overflowed = fill(inboxes, 1, *[delta("word ")] * 100_000)
    assert overflowed == (1, 100_000, "buffer_bytes")
    assert 1 < len(joined) < 80


def test_together_they_have_a_limit_and_the_one_with_most_goes() -> None:
    inboxes = Inboxes(10_000, 16_000)
    for turn in range(3):
        inboxes.open(turn)
    assert fill(inboxes, 0, *[note(100)] * 90) is None
    assert fill(inboxes, 1, *[note(100)] * 60) is None
    overflowed = fill(inboxes, 2, *[note(100)] * 30)
    assert overflowed == (0, 16_000, "client_buffer_bytes")
    assert sum(inbox.size_bytes for inbox in inboxes.by_turn.values()) <= 16_000 * 5 / 4


def test_together_the_one_with_most_is_joined_before_it_goes() -> None:
    inboxes = Inboxes(20_000, 22_000)
    for turn in range(2):
        inboxes.open(turn)
    words = [f"{number} " for number in range(120)]
    assert fill(inboxes, 0, *map(delta, words)) is None
    assert fill(inboxes, 1, *[note(100)] * 120) is None
    assert text_of(inboxes.by_turn[0]) == "".join(words)


def test_who_reads_makes_room() -> None:
    inboxes = Inboxes(1_000, 2**26)
    inbox = inboxes.open(1)
    for _ in range(100):
        assert fill(inboxes, 1, *[note(100)] * 10) is None
        inbox.clear()
