"""The events of stored turns: numbered, followed by any number of readers, bounded in bytes."""

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.support import Puppet, TurnsInMemory
from turnwire.gateway.store.event_log import EventLog, EventLogs, EventsGone, ShownEvent
from turnwire.gateway.upstreams import UpstreamFailed

Json = dict[str, Any]

DELTA = {"type": "response.output_text.delta", "delta": "x" * 50}
COMPLETED = {"type": "response.completed"}


def begun(logs: EventLogs, name: str = "a") -> EventLog:
    log = EventLog()
    logs.begin(log, {"id": name})
    return log


def numbers(events: list[ShownEvent]) -> list[int]:
    return [msgspec.json.decode(data)["sequence_number"] for _, data in events]


async def read(log: EventLog, after: int = -1) -> list[ShownEvent]:
    return [event async for event in log.follow(after)]


async def settle(*tasks: asyncio.Task[Any]) -> None:
    """Let readers take whatever there is."""
    for _ in range(50):
        await asyncio.sleep(0)
        if all(task.done() for task in tasks):
            return


@pytest.mark.parametrize(
    ("after", "expected"),
    [(-1, [0, 1, 2]), (0, [1, 2]), (1, [2]), (2, []), (7, [])],
)
async def test_only_greater_numbers_are_read(after: int, expected: list[int]) -> None:
    logs = EventLogs(10_000, 10)
    log = begun(logs)
    for event in (DELTA, DELTA, COMPLETED):
        logs.add(log, event)
    assert numbers(await read(log, after)) == expected


async def test_an_event_is_kept_as_it_was_with_its_number() -> None:
    logs = EventLogs(10_000, 10)
    log = begun(logs)
    logs.add(log, COMPLETED)
    ((kind, data),) = await read(log)
    assert (kind, msgspec.json.decode(data)) == (
        "response.completed",
        {**COMPLETED, "sequence_number": 0},
    )


@given(steps=st.lists(st.integers(-2, 12), max_size=30), length=st.integers(1, 10))
@settings(deadline=None)
def test_whoever_comes_when_reads_every_event_once(steps: list[int], length: int) -> None:
    """A step is an event if it is negative, else a reader who has seen that number."""

    async def play() -> None:
        logs = EventLogs(1_000_000, 10)
        log = begun(logs)
        readers: list[tuple[int, asyncio.Task[list[ShownEvent]]]] = []
        shown = 0
        for step in steps:
            if step >= 0:
                readers.append((step - 1, asyncio.create_task(read(log, step - 1))))
            elif shown < length:
                logs.add(log, DELTA)
                shown += 1
            if step % 2:
                await asyncio.sleep(0)
        logs.add(log, COMPLETED)
        for after, reader in readers:
            assert numbers(await reader) == list(range(after + 1, shown + 1))

    asyncio.run(play())


async def test_logs_take_no_more_than_their_limit_and_the_least_recently_used_goes() -> None:
    logs = EventLogs(1000, 10)
    for name in "abc":
        log = begun(logs, name)
        logs.add(log, DELTA)
        logs.add(log, COMPLETED)
    assert (len(logs), logs.get("a") is None) == (3, False)
    last = begun(logs, "d")
    while len(logs) == 4:
        logs.add(last, DELTA)
        assert logs.size_bytes <= 1000
    assert [logs.get(name) is not None for name in "abcd"] == [True, False, True, True]


async def test_a_log_that_grows_is_in_use() -> None:
    logs = EventLogs(1000, 2)
    growing = begun(logs, "a")
    logs.add(begun(logs, "b"), COMPLETED)
    logs.add(growing, DELTA)
    logs.add(begun(logs, "c"), COMPLETED)
    assert [name for name in "abc" if logs.get(name) is not None] == ["a", "c"]
    assert growing.gone is None


async def test_logs_are_bounded_in_number() -> None:
    logs = EventLogs(10_000, 2)
    for name in "abc":
        logs.add(begun(logs, name), COMPLETED)
    assert [logs.get(name) is not None for name in "abc"] == [False, True, True]


async def test_a_log_that_is_too_long_goes_and_its_turn_can_be_found_until_it_ends() -> None:
    logs = EventLogs(200, 10)
    log = begun(logs)
    reader = asyncio.create_task(read(log))
    for _ in range(5):
        logs.add(log, DELTA)
    await settle(reader)
    with pytest.raises(EventsGone) as gone:
        await reader
    assert (gone.value.reason, logs.size_bytes, len(logs)) == ("dropped", 0, 0)
    assert logs.get("a") is log
    assert log.running
    logs.add(log, COMPLETED)
    assert (logs.get("a"), log.running, logs.size_bytes) == (None, False, 0)


async def test_who_has_read_everything_does_not_mind_that_the_log_goes() -> None:
    logs = EventLogs(10_000, 10)
    log = begun(logs)
    logs.add(log, COMPLETED)
    events = log.follow()
    assert (await anext(events))[0] == "response.completed"
    logs.forget(log, "deleted")
    assert [event async for event in events] == []


async def test_a_turn_that_is_stopped_leaves_nothing_and_says_so() -> None:
    logs = EventLogs(10_000, 10)
    log = begun(logs)
    logs.add(log, DELTA)
    reader = asyncio.create_task(read(log))
    await settle(reader)
    assert not reader.done()
    logs.end(log)
    with pytest.raises(EventsGone, match="stopped"):
        await reader
    assert (logs.get("a"), logs.size_bytes) == (None, 0)


async def test_a_turn_that_is_forgotten_while_it_runs_is_not_kept_when_it_goes_on() -> None:
    logs = EventLogs(10_000, 10)
    log = begun(logs)
    logs.forget(log, "deleted")
    logs.add(log, COMPLETED)
    assert (logs.get("a"), logs.size_bytes, len(logs)) == (None, 0, 0)


async def test_without_a_store_nothing_is_kept() -> None:
    logs = EventLogs(10_000, 0)
    log = begun(logs)
    logs.add(log, COMPLETED)
    assert (logs.get("a"), log.running, logs.size_bytes) == (None, False, 0)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from(["add", "end", "get", "forget"])),
        max_size=60,
    )
)
def test_the_size_is_that_of_the_events_that_can_be_read(steps: list[tuple[str, str]]) -> None:
    logs = EventLogs(500, 3)
    made: dict[str, EventLog] = {}  # of response ids, which never come twice
    ids: dict[str, str] = {}
    for letter, step in steps:
        if letter not in ids or not made[ids[letter]].running:
            name = ids[letter] = f"{letter}{len(made)}"
            made[name] = begun(logs, name)
        name = ids[letter]
        log = made[name]
        match step:
            case "add":
                logs.add(log, DELTA)
            case "end":
                logs.add(log, COMPLETED)
            case "get":
                assert logs.get(name) is log
            case _:
                logs.forget(log, "deleted")
        found = [log for each in sorted(made) if (log := logs.get(each))]
        assert sum(log.size_bytes for log in found) == logs.size_bytes <= 500
        assert len(logs) <= 3
        assert all(log.running or log.size_bytes for log in found)


async def test_a_stored_turn_is_logged_as_it_was_shown() -> None:
    memory = TurnsInMemory()
    shown = await memory.events(input="WORDS 3")
    log = memory.logs.get(shown[-1]["response"]["id"])
    assert log is not None
    logged = [msgspec.json.decode(data) for _, data in await read(log)]
    assert logged == [event | {"sequence_number": n} for n, event in enumerate(shown)]


@pytest.mark.parametrize("create", [{"input": "x", "store": False}, {"input": 5}])
async def test_what_is_not_stored_is_not_logged(create: Json) -> None:
    memory = TurnsInMemory()
    await memory.events(**create)
    assert (len(memory.logs), memory.logs.size_bytes) == (0, 0)


async def test_an_error_after_the_beginning_is_logged_and_the_response_has_failed() -> None:
    puppet = Puppet()
    memory = TurnsInMemory(puppet)
    turn = asyncio.create_task(memory.events(input="x"))
    (await puppet.run()).fail(UpstreamFailed("Busy.", status=503))
    created, _, error = await turn
    log = memory.logs.get(created["response"]["id"])
    kept = await memory.store.get(created["response"]["id"], "")
    assert log is not None
    assert kept is not None
    assert msgspec.json.decode((await read(log, 1))[0][1]) == {**error, "sequence_number": 2}
    response = msgspec.json.decode(kept.response)
    assert (response["status"], response["error"]) == (
        "failed",
        {"code": "server_error", "message": "Busy."},
    )
