"""A gateway with workers is one gateway to operators, and to keys with limits."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import aiohttp
import msgspec
import pytest

from gateway.observing.seeing import Samples, samples
from gateway.process.running import running
from gateway.support import until

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from pathlib import Path

    from gateway.process.running import Running

pytestmark = [pytest.mark.io, pytest.mark.slow]

TURNS = 'turns_total{outcome="completed",transport="json"}'


class Clients:
    """Clients that each come on a connection of their own, so that any worker may get them."""

    def __init__(self, here: Running, session: aiohttp.ClientSession) -> None:
        self.here = here
        self.session = session

    async def post(self) -> int:
        body = {"model": "m", "input": "Hello"}
        async with self.session.post(self.here.url + "/responses", json=body) as answer:
            await answer.read()
            return answer.status

    async def dial(self) -> aiohttp.ClientWebSocketResponse | None:
        """Return a socket; None if there is one too many."""
        try:
            return await self.session.ws_connect(self.here.url + "/responses")
        except aiohttp.WSServerHandshakeError as refused:
            if refused.status != 429:
                raise
            return None

    async def dial_until_refused(self) -> list[aiohttp.ClientWebSocketResponse]:
        dialled = []
        while (one := await self.dial()) is not None:
            dialled.append(one)
        return dialled

    async def text(self) -> str:
        async with self.session.get(self.here.url.removesuffix("/v1") + "/metrics") as answer:
            assert answer.status == 200, await answer.text()
            return await answer.text()

    async def scrape(self) -> Samples:
        """Ask until a worker takes the question: one that is stopped may have got it."""
        while True:
            try:
                async with asyncio.timeout(3):
                    return samples(await self.text())
            except TimeoutError:
                pass

    async def scraped(self, name: str, value: float) -> Samples:
        """Return what is scraped as soon as that has this value."""
        while True:
            found = await self.scrape()
            if found.get(name) == value:
                return found


@asynccontextmanager
async def clients(*options: str) -> AsyncGenerator[Clients]:
    unshared = aiohttp.TCPConnector(force_close=True)
    async with (
        asyncio.timeout(50),
        running("--workers", "2", *options) as here,
        aiohttp.ClientSession(connector=unshared) as session,
    ):
        yield Clients(here, session)


async def events(answer: aiohttp.ClientResponse) -> AsyncIterator[dict[str, object]]:
    async for line in answer.content:
        if line.startswith(b"data: "):
            yield msgspec.json.decode(line.removeprefix(b"data: "))


async def test_metrics_are_of_all_workers_whichever_answers() -> None:
    async with clients() as they:
        for _ in range(12):
            assert await they.post() == 200
        for _ in range(8):  # with one worker's own, this would go well once in ten thousand
            found = await they.scraped("workers_answering", 2)
            assert (found[TURNS], found["workers"]) == (12, 2)
            assert found["turn_duration_seconds_count"] == 12
        text = await they.text()
        assert text.count("\nprocess_start_time_seconds{") == 2
        assert text.count("# TYPE process_start_time_seconds gauge") == 1


async def test_the_page_shows_the_turns_of_all_workers() -> None:
    async with clients() as they:
        while True:  # until both have got one
            assert await they.post() == 200
            url = they.here.url.removesuffix("/v1") + "/status/events"
            async with they.session.get(url) as answer:
                state = await anext(events(answer))
            bars = state["timeline"]
            assert isinstance(bars, list)
            if {bar["worker"] for bar in bars} == {1, 2}:
                break
        assert state["workers"] == {"all": 2, "answering": 2}
        assert len({bar["id"] for bar in bars}) == len(bars)


async def test_counters_do_not_go_back_when_a_worker_dies() -> None:
    async with clients() as they:
        for _ in range(12):
            assert await they.post() == 200
        assert (await they.scraped("workers_answering", 2))[TURNS] == 12
        for killed in they.here.workers():  # both, one after the other
            os.kill(killed, signal.SIGKILL)
            await until(lambda gone=killed: gone not in they.here.workers())
            found = await they.scraped("workers_answering", 2)
            assert found[TURNS] == 12
        assert await they.post() == 200
        assert (await they.scraped("workers_answering", 2))[TURNS] == 13


async def test_a_worker_that_is_silent_is_missed_and_counted_on() -> None:
    async with clients() as they:
        for _ in range(12):
            assert await they.post() == 200
        assert (await they.scraped("workers_answering", 2))[TURNS] == 12
        silent = they.here.workers()[0]
        os.kill(silent, signal.SIGSTOP)
        try:
            found = await they.scraped("workers_answering", 1)
            assert (found["workers"], found[TURNS]) == (2, 12)
        finally:
            os.kill(silent, signal.SIGCONT)
        assert (await they.scraped("workers_answering", 2))[TURNS] == 12


async def test_limits_are_those_of_the_whole_gateway(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text("[limits]\nrequests_per_minute = 5\nsockets = 6\n")
    async with clients("--config", str(file)) as they:
        statuses = [await they.post() for _ in range(16)]
        assert sorted(statuses) == [200] * 5 + [429] * 11
        assert len(await they.dial_until_refused()) == 6


def spoil(folder: Path) -> None:
    """Leave something in the place of a store that cannot be opened."""
    for store in folder.glob("responses.sqlite3*"):
        store.unlink()
    (folder / "responses.sqlite3").mkdir()


async def test_what_a_worker_had_open_is_free_before_another_one_begins(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text("[limits]\nsockets = 12\n")
    async with clients("--config", str(file), "--data", str(tmp_path)) as they:
        reading = [asyncio.create_task(each.receive()) for each in await they.dial_until_refused()]
        assert len(reading) == 12
        spoil(tmp_path)  # no other one can begin
        os.kill(they.here.workers()[0], signal.SIGKILL)  # it has none once in four thousand
        again: list[aiohttp.ClientWebSocketResponse] = []
        while not again:
            with suppress(aiohttp.ClientConnectionError):  # as long as the dying one is dialled
                again = await they.dial_until_refused()
        await until(lambda: len(again) + sum(not each.done() for each in reading) == 12)


async def test_limits_hold_anew_when_all_workers_have_died(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text("[limits]\nsockets = 6\n")
    async with clients("--config", str(file)) as they:
        dialled = await they.dial_until_refused()
        assert len(dialled) == 6
        for worker in they.here.workers():
            os.kill(worker, signal.SIGKILL)
        for each in dialled:
            await each.receive()
            assert each.closed
        again: list[aiohttp.ClientWebSocketResponse] = []
        while len(again) < 6:
            try:
                again += filter(None, [await they.dial()])
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.01)  # nobody listens yet
        assert await they.dial() is None
