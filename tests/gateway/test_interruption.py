"""A model run that is ended early, and one that cannot be any more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from gateway.support import Puppet, TurnsInMemory
from turnwire.gateway.interruption import Interruption
from turnwire.gateway.store.event_log import EventLog
from turnwire.gateway.upstreams import UpstreamFailed
from turnwire.gateway.upstreams.deltas import Finished, TextDelta

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Answer:
    """An answer whose state the test says."""

    finish: str | None = None
    at_boundary = True

    def ends_before(self, piece: Any) -> bool:
        return piece == "next item"


async def pieces(*given: Any, wait: asyncio.Event | None = None) -> AsyncIterator[Any]:
    for piece in given:
        yield piece
    if wait is not None:
        await wait.wait()
        yield "late"


async def read(interruption: Interruption, answer: Answer, given: AsyncIterator[Any]) -> list[Any]:
    found: list[Any] = []
    while (piece := await interruption.next_of(given, answer)) is not None:
        found.append(piece)
    return found


async def test_without_an_interruption_everything_comes() -> None:
    interruption = Interruption()
    assert await read(interruption, Answer(), pieces(1, 2, 3)) == [1, 2, 3]
    assert interruption.outcome is None


async def test_an_item_that_is_open_is_finished() -> None:
    interruption, answer = Interruption(), Answer()
    answer.at_boundary = False
    interruption.steer()
    assert await read(interruption, answer, pieces(1, 2, "next item", 3)) == [1, 2]
    assert interruption.outcome == "steered"


async def test_a_model_that_is_silent_is_cut() -> None:
    interruption, stays = Interruption(), asyncio.Event()
    reading = asyncio.create_task(read(interruption, Answer(), pieces(1, wait=stays)))
    await asyncio.sleep(0)
    interruption.steer()
    interruption.steer()
    assert await reading == [1]
    assert interruption.outcome == "steered"
    assert reading.cancelling() == 0


async def test_what_is_complete_is_neither_steered_nor_cancelled() -> None:
    interruption, answer, stays = Interruption(), Answer(), asyncio.Event()
    answer.finish = "stop"
    reading = asyncio.create_task(read(interruption, answer, pieces(1, wait=stays)))
    await asyncio.sleep(0)
    interruption.steer()
    interruption.cancel()
    stays.set()
    assert await reading == [1, "late"]
    assert interruption.outcome is None


async def test_a_cancellation_of_somebody_elses_is_passed_on() -> None:
    interruption, stays = Interruption(), asyncio.Event()
    reading = asyncio.create_task(read(interruption, Answer(), pieces(wait=stays)))
    await asyncio.sleep(0)
    interruption.steer()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


async def deaf(answer: object) -> AsyncIterator[Any]:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        if isinstance(answer, Exception):
            raise answer from None
    yield answer


@pytest.mark.parametrize("how", ["too late", UpstreamFailed("Broken off.")])
async def test_how_a_model_takes_it_does_not_matter(how: object) -> None:
    interruption = Interruption()
    reading = asyncio.create_task(read(interruption, Answer(), deaf(how)))
    await asyncio.sleep(0)
    interruption.cancel()
    assert await reading == []
    assert interruption.outcome == "cancelled"
    assert reading.cancelling() == 0


async def test_a_failure_that_is_no_answer_to_us_is_raised() -> None:
    async def failing() -> AsyncIterator[Any]:
        raise UpstreamFailed("Busy.", status=503)
        yield

    with pytest.raises(UpstreamFailed, match="Busy"):
        await read(Interruption(), Answer(), failing())


async def test_a_turn_that_is_steered_after_its_model_has_finished_is_complete() -> None:
    puppet, interruption = Puppet(), Interruption()
    memory = TurnsInMemory(puppet)
    events = memory.turns.events(
        {"model": "m", "input": "x"}, EventLog(), interruption=interruption
    )
    kinds = [(await anext(events))["type"] for _ in range(2)]
    reading = asyncio.create_task(anext(events))
    run = await puppet.run()
    run.say(TextDelta("done"))
    kinds.append((await reading)["type"])
    run.say(Finished())
    interruption.steer()
    kinds += [event["type"] async for event in events]
    assert kinds[-1] == "response.completed"


async def test_who_waits_for_a_client_is_told_when_the_turn_is_cancelled() -> None:
    interruption, answer, stays = Interruption(), Answer(), asyncio.Event()
    pausing = asyncio.create_task(interruption.pause(stays.wait))
    await asyncio.sleep(0)
    interruption.steer()
    await asyncio.sleep(0)
    assert not pausing.done(), "what is steered is still shown"
    interruption.cancel()
    interruption.cancel()
    await pausing
    assert pausing.cancelling() == 0
    await interruption.pause(stays.wait)  # at once
    answer.finish = "stop"
    assert await read(interruption, answer, pieces(1, 2)) == [1, 2], "nothing is lost"


async def test_a_wait_for_a_client_that_is_cancelled_by_others_ends() -> None:
    interruption, stays = Interruption(), asyncio.Event()
    pausing = asyncio.create_task(interruption.pause(stays.wait))
    await asyncio.sleep(0)
    interruption.cancel()
    pausing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pausing
