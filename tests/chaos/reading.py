"""The ways in which callers read a turn, well and badly."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from turnwire import TurnwireError
from turnwire.events import ResponseTextDeltaEvent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from random import Random

    from chaos.book import Asked, Book

    Way = Callable[[Book, Random, Asked, Any], Awaitable[None]]

DEADLINE = 150.0  # seconds for one turn: a stored one that never ends is looked at for 40, thrice


async def _to_the_end(book: Book, rng: Random, asked: Asked, turn: Any) -> None:
    await turn.get_final_response()


def _take(book: Book, asked: Asked, event: Any) -> None:
    if type(event) is ResponseTextDeltaEvent:
        asked.shown += event.delta
    elif event.type == "turn.restarted":
        book.restarted(asked, event.model_runs)
    elif event.type == "turn.resumed":
        asked.resumed = True
        asked.notes.append(f"resumed after {event.starting_after}")


async def _every_event(book: Book, rng: Random, asked: Asked, turn: Any) -> None:
    async for event in turn:
        _take(book, asked, event)
    asked.read = True


async def _in_batches(book: Book, rng: Random, asked: Asked, turn: Any) -> None:
    while batch := await turn.next_batch():
        for event in batch:
            _take(book, asked, event)
    asked.read = True


async def _slowly(book: Book, rng: Random, asked: Asked, turn: Any) -> None:
    async for event in turn:
        _take(book, asked, event)
        if rng.random() < 0.1:
            await asyncio.sleep(rng.random() * 0.1)
    asked.read = True


async def _only_a_beginning(book: Book, rng: Random, asked: Asked, turn: Any) -> None:
    left = rng.randrange(12)
    asked.may_end = True
    async for event in turn:
        _take(book, asked, event)
        left -= 1
        if left <= 0:
            return


async def _first_some_then_the_end(book: Book, rng: Random, asked: Asked, turn: Any) -> None:
    left = rng.randrange(6)
    async for event in turn:
        _take(book, asked, event)
        left -= 1
        if left <= 0:
            break
    await turn.get_final_response()


async def _task_is_cancelled(book: Book, rng: Random, asked: Asked, turn: Any) -> None:
    asked.may_end = True
    waiting = asyncio.ensure_future(turn.get_final_response())
    await _a_moment(rng)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def _closed_under_the_reader(book: Book, rng: Random, asked: Asked, turn: Any) -> None:
    asked.may_end = True
    waiting = asyncio.ensure_future(turn.get_final_response())
    await _a_moment(rng)
    await turn.aclose()
    await waiting


async def _a_moment(rng: Random) -> None:
    if rng.random() < 0.3:
        for _ in range(rng.randrange(20)):
            await asyncio.sleep(0)
    else:
        await asyncio.sleep(rng.random() ** 2 * 0.1)


WAYS: dict[str, Way] = {
    "final": _to_the_end,
    "events": _every_event,
    "batches": _in_batches,
    "slow": _slowly,
    "leave": _only_a_beginning,
    "some, final": _first_some_then_the_end,
    "cancel": _task_is_cancelled,
    "close": _closed_under_the_reader,
}
WHOLE = ("final", "final", "events", "batches", "slow", "some, final")
ANY = (*WHOLE, *WHOLE, "leave", "cancel", "close")
NOTHING_SHOWN = ("final",)


async def read(book: Book, rng: Random, asked: Asked, turn: Any) -> None:
    """Run a turn and read it; how it ends is in ``asked.error`` and in the turn."""
    asked.turn = turn
    try:
        async with asyncio.timeout(DEADLINE):
            try:
                async with turn:
                    await WAYS[asked.how](book, rng, asked, turn)
            except TurnwireError as error:
                asked.error = error
            if asked.error is None and turn.response is None:
                await _ask_for_the_error(asked, turn)
    except TimeoutError:
        book.violated("no turn hangs", asked)
        asked.may_end = True
    except Exception as error:  # noqa: BLE001  # judged later
        asked.error = error


async def _ask_for_the_error(asked: Asked, turn: Any) -> None:
    """Have a turn that was left say how it ended."""
    try:
        await turn.get_final_response()
    except TurnwireError as error:
        asked.error = error
