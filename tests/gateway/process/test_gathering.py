"""What the workers tell each other, without processes: only the sockets between them are real."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from gateway.support import until
from turnwire.gateway.observing.adding import NOTHING
from turnwire.gateway.observing.figures import Bar, Figures, SiblingsUnknown, Whole
from turnwire.gateway.process import gathering as gathering_module
from turnwire.gateway.process import siblings as siblings_module
from turnwire.gateway.process.gathering import Gathering
from turnwire.gateway.process.messages import Ask, Told, from_worker, send
from turnwire.gateway.process.siblings import WorkerSiblings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

pytestmark = pytest.mark.io


class Worker:
    """What a worker has counted; it stands for its gateway."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.turns = 0
        self.asked = 0
        self.siblings = WorkerSiblings(number, 2)

    def figures(self, *, bars: bool) -> Figures:
        self.asked += 1
        turns = {("completed", "sse"): self.turns}
        bar = Bar(str(self.number), self.number, None, None, "sse", "m", float(self.number))
        return replace(NOTHING, turns=turns, sockets_open=1, bars=(bar,) if bars else ())


class Scene:
    """Workers that come and go, and the process that started them."""

    def __init__(self, gathering: Gathering) -> None:
        self.gathering = gathering
        self._stack: dict[int, AsyncExitStack] = {}
        self._listening: dict[int, asyncio.Task[None]] = {}

    async def start(self, number: int) -> Worker:
        worker = Worker(number)
        stack = self._stack[number] = AsyncExitStack()
        theirs = self.open(number)
        await stack.enter_async_context(worker.siblings.connected(worker, theirs))  # type: ignore[arg-type]
        return worker

    def open(self, number: int) -> socket.socket:
        """Return the end that a worker would have."""
        ours, theirs = socket.socketpair()
        listening = self.gathering.listen(number, 1000 + number, ours)
        self._listening[number] = asyncio.create_task(listening)
        return theirs

    async def kill(self, number: int) -> None:
        await self._stack.pop(number).aclose()
        await self._listening.pop(number)

    async def close(self) -> None:
        for number in (*self._stack,):
            await self.kill(number)


@asynccontextmanager
async def scene() -> AsyncGenerator[Scene]:
    async with asyncio.timeout(30), AsyncExitStack() as stack:
        here = Scene(Gathering(2))
        await stack.enter_async_context(here.gathering.running())
        stack.push_async_callback(here.close)
        yield here


def turns(whole: Whole) -> int:
    return sum(whole.figures.turns.values())


async def test_whoever_is_asked_tells_of_all() -> None:
    async with scene() as here:
        one, two = await here.start(1), await here.start(2)
        one.turns, two.turns = 3, 4
        for asked in (one, two):
            whole = await asked.siblings.whole(bars=False)
            assert (turns(whole), whole.figures.sockets_open) == (7, 2)
            assert (whole.workers, whole.answering) == (2, {1: 1001, 2: 1002})
            assert whole.figures.bars == ()
        two.turns += 1
        whole = await one.siblings.whole(bars=True)
        assert (turns(whole), [bar.worker for bar in whole.figures.bars]) == (8, [1, 2])
        assert whole.figures.uptime > 0


async def test_those_who_ask_at_once_are_all_answered() -> None:
    async with scene() as here:
        one, two = await here.start(1), await here.start(2)
        asking = [each.siblings.whole(bars=False) for each in (one, two) for _ in range(5)]
        assert {len(whole.answering) for whole in await asyncio.gather(*asking)} == {2}


async def test_a_page_that_looks_often_does_not_ask_each_time() -> None:
    async with scene() as here:
        one, two = await here.start(1), await here.start(2)
        first = await one.siblings.whole(bars=True, seconds_old=3600)
        two.turns = 5
        assert await one.siblings.whole(bars=True, seconds_old=3600) is first
        assert (one.asked, two.asked) == (1, 1)
        assert turns(await one.siblings.whole(bars=True)) == 5


async def test_what_was_shown_of_a_worker_stays_when_it_ends_and_when_another_begins() -> None:
    async with scene() as here:
        one, two = await here.start(1), await here.start(2)
        one.turns, two.turns = 3, 4
        assert turns(await one.siblings.whole(bars=False)) == 7
        await here.kill(2)
        whole = await one.siblings.whole(bars=False)
        assert (turns(whole), whole.figures.sockets_open, whole.answering) == (7, 1, {1: 1001})
        again = await here.start(2)
        assert turns(await again.siblings.whole(bars=False)) == 7
        again.turns = 1
        assert turns(await one.siblings.whole(bars=False)) == 8


async def asked(reader: asyncio.StreamReader) -> None:
    """Take one message, whatever it says."""
    length = int.from_bytes(await reader.readexactly(4), "big")
    assert length == len(await reader.readexactly(length))


async def test_a_silent_worker_stands_still_and_is_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gathering_module, "_PATIENCE", 0.05)
    async with scene() as here:
        one = await here.start(1)
        reader, writer = await asyncio.open_connection(sock=here.open(2))
        silent = Worker(2)
        silent.turns, one.turns = 4, 3
        asking = asyncio.create_task(one.siblings.whole(bars=True))
        await asked(reader)
        send(writer, Told(silent.figures(bars=True)))
        whole = await asking
        assert (turns(whole), whole.figures.sockets_open, len(whole.figures.bars)) == (7, 2, 2)
        for expected in (3, 4):
            one.turns = expected
            whole = await one.siblings.whole(bars=True)
            assert (turns(whole), whole.answering) == (4 + expected, {1: 1001})
            assert (whole.figures.sockets_open, len(whole.figures.bars)) == (1, 1)
        await asked(reader)
        assert not reader._buffer, "it is asked once, however often the others ask"  # type: ignore[attr-defined]
        writer.close()


async def test_a_worker_that_answers_late_is_there_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering_module, "_PATIENCE", 0.05)
    async with scene() as here:
        one = await here.start(1)
        late = Worker(2)
        theirs = here.open(2)
        assert (await one.siblings.whole(bars=False)).answering == {1: 1001}
        async with late.siblings.connected(late, theirs):  # type: ignore[arg-type]
            while len((await one.siblings.whole(bars=False)).answering) < 2:
                pass
        assert late.asked >= 1


async def test_without_the_one_who_started_them_nobody_knows() -> None:
    ours, theirs = socket.socketpair()
    worker = Worker(1)
    with pytest.raises(SiblingsUnknown):
        await worker.siblings.whole(bars=False)
    async with worker.siblings.connected(worker, theirs):  # type: ignore[arg-type]
        ours.close()
        await until(lambda: worker.siblings._writer is None)
        with pytest.raises(SiblingsUnknown, match="does not say how they are"):
            await worker.siblings.whole(bars=False)


async def test_one_who_says_nothing_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(siblings_module, "_PATIENCE", 0.05)
    ours, theirs = socket.socketpair()
    worker = Worker(1)
    reader, writer = await asyncio.open_connection(sock=ours)
    async with worker.siblings.connected(worker, theirs):  # type: ignore[arg-type]
        for _ in range(3):
            with pytest.raises(SiblingsUnknown):
                await worker.siblings.whole(bars=True)
        assert await from_worker(reader) == Ask(bars=True)
        assert not reader._buffer, "it has asked once"  # type: ignore[attr-defined]
    writer.close()


async def test_a_message_that_is_none_loses_the_figures_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with scene() as here:
        one = await here.start(1)
        strange = here.open(2)
        strange.sendall(b"\0\0\0\1x")
        await until(lambda: "worker 2 says what cannot be understood" in caplog.text)
        assert (await one.siblings.whole(bars=False)).answering == {1: 1001}
        strange.close()


async def test_a_worker_that_asks_and_ends_is_not_answered() -> None:
    async with scene() as here:
        one = await here.start(1)
        theirs = here.open(2)
        _, writer = await asyncio.open_connection(sock=theirs)
        send(writer, Ask(bars=False))
        await writer.drain()
        writer.transport.abort()
        await until(here._listening[2].done)
        assert (await one.siblings.whole(bars=False)).answering == {1: 1001}
