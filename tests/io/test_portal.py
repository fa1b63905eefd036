from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from turnwire import ConfigError, TurnwireError
from turnwire.io.portal import Portal

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def portal() -> Iterator[Portal]:
    made = Portal()
    yield made
    made.close()


async def name_of_thread() -> str:
    return threading.current_thread().name


def test_work_runs_on_a_thread_of_its_own(portal: Portal) -> None:
    assert portal.call(name_of_thread()) == "turnwire-portal"


def test_an_exception_comes_out_as_it_is(portal: Portal) -> None:
    async def broken() -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        portal.call(broken())


def test_what_runs_in_the_background_goes_on_between_calls(portal: Portal) -> None:
    done = threading.Event()

    async def begin() -> None:
        asyncio.get_running_loop().call_soon(done.set)

    portal.call(begin())
    assert done.wait(20)


def test_closing_ends_the_thread(portal: Portal) -> None:
    for _ in range(2):
        portal.close()
    assert portal.closed
    assert "turnwire-portal" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(ConfigError, match="closed"):
        portal.call(name_of_thread())


def test_work_on_the_portals_own_thread_is_refused(portal: Portal) -> None:
    async def call_again() -> str:
        return portal.call(name_of_thread())

    with pytest.raises(ConfigError, match="callback"):
        portal.call(call_again())


def test_closing_lets_a_thread_go_that_waits(portal: Portal) -> None:
    started, cancelled = threading.Event(), threading.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(portal.call, work())
        assert started.wait(20)
        portal.close()
        with pytest.raises(TurnwireError, match="while this call waited"):
            waiting.result(20)
    assert cancelled.is_set()


def test_calls_that_race_with_the_close_end_one_way_or_the_other() -> None:
    with ThreadPoolExecutor(4) as pool:
        for _ in range(25):
            portal = Portal()
            calls = [pool.submit(portal.call, asyncio.sleep(0, "done")) for _ in range(4)]
            portal.close()
            for call in calls:
                error = call.exception(20)
                assert error is None or isinstance(error, TurnwireError)


def test_ctrl_c_cancels_the_work(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    started, cancelled = threading.Event(), threading.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    def interrupted(*_: Any) -> None:
        assert started.wait(20)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Future, "result", interrupted)
        with pytest.raises(KeyboardInterrupt):
            portal.call(work())
    assert cancelled.wait(20)
    assert portal.call(name_of_thread()) == "turnwire-portal"


def test_a_look_happens_where_the_writing_does(portal: Portal) -> None:
    def look() -> str:
        return threading.current_thread().name

    async def look_from_inside() -> str:
        return portal.look(look)

    assert portal.look(look) == "turnwire-portal"
    assert portal.call(look_from_inside()) == "turnwire-portal"
    portal.close()
    assert portal.look(look) == threading.current_thread().name
