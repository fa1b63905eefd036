from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from client.forking import in_a_forked_process
from turnwire import ConfigError, TurnwireError
from turnwire.io import portal as portal_module
from turnwire.io.portal import Portal

if TYPE_CHECKING:
    from collections.abc import Iterator


async def nothing() -> None:
    pass


@pytest.fixture
def portal() -> Iterator[Portal]:
    made = Portal(nothing)
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
            portal = Portal(nothing)
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

    here = threading.current_thread().name
    assert portal.look(look) == here  # nobody writes before the first call
    portal.call(nothing())
    assert portal.look(look) == "turnwire-portal"
    assert portal.call(look_from_inside()) == "turnwire-portal"
    portal.close()
    assert portal.look(look) == here


# What must not stop the loop.


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_what_would_end_a_program_ends_one_call(portal: Portal, kind: type[BaseException]) -> None:
    async def leave() -> None:
        raise kind("enough")

    other_began, go_on = threading.Event(), threading.Event()

    async def other() -> str:
        other_began.set()
        await asyncio.to_thread(go_on.wait, 20)
        return "done"

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(portal.call, other())
        assert other_began.wait(20)
        for _ in range(2):
            with pytest.raises(kind, match="enough"):
                portal.call(leave())
        go_on.set()
        assert waiting.result(20) == "done"
    assert portal.call(name_of_thread()) == "turnwire-portal"


def test_what_would_end_a_program_does_not_stop_the_end() -> None:
    portal, began = Portal(nothing), threading.Event()

    async def leave_late() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise SystemExit

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(portal.call, leave_late())
        assert began.wait(20)
        portal.close()
        assert isinstance(waiting.exception(20), SystemExit)
    assert portal_threads() == []


# Closing.


def portal_threads() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("turnwire")]


def test_the_thread_begins_with_the_first_call() -> None:
    portal = Portal(nothing)
    assert portal_threads() == []
    assert portal.call(name_of_thread()) == "turnwire-portal"
    assert portal_threads() == ["turnwire-portal"]
    portal.close()
    assert portal_threads() == []


def test_winding_up_is_the_last_that_runs() -> None:
    ran: list[str] = []

    async def wind_up() -> None:
        ran.append(threading.current_thread().name)

    portal = Portal(wind_up)
    portal.close()
    assert ran == []  # there was nothing to wind up
    portal = Portal(wind_up)
    portal.call(nothing())
    for _ in range(2):
        portal.close()
    assert ran == ["turnwire-portal"]


def test_everybody_who_closes_waits_for_the_same_end() -> None:
    winding_up, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    async def wind_up() -> None:
        winding_up.set()
        while not go_on.is_set():  # noqa: ASYNC110  # set by another thread
            await asyncio.sleep(0)
        ended.set()

    portal = Portal(wind_up)
    portal.call(nothing())

    def close() -> bool:
        portal.close()
        return ended.is_set()

    with ThreadPoolExecutor(3) as pool:
        closing = [pool.submit(close) for _ in range(3)]
        assert winding_up.wait(20)
        assert portal.closed
        go_on.set()
        assert [each.result(20) for each in closing] == [True] * 3


def test_a_function_in_a_thread_does_not_hold_up_the_close(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(portal_module, "_THREADS_SECONDS", 0.01)
    portal = Portal(nothing)
    began, release = threading.Event(), threading.Event()

    def function() -> None:
        began.set()
        release.wait()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(portal.call, asyncio.to_thread(function))
        assert began.wait(20)
        portal.close()
        assert isinstance(waiting.exception(20), TurnwireError)
        release.set()
    portal.close()


def test_a_callback_cannot_close(portal: Portal) -> None:
    async def close() -> None:
        portal.close()

    with pytest.raises(ConfigError, match="callback"):
        portal.call(close())
    assert not portal.closed


def test_a_portal_that_nobody_closed_ends_and_says_so() -> None:
    wound_up = threading.Event()

    async def wind_up() -> None:
        wound_up.set()

    def lose() -> threading.Thread:
        portal = Portal(wind_up)
        portal.call(nothing())
        (thread,) = [each for each in threading.enumerate() if each.name == "turnwire-portal"]
        return thread

    with pytest.warns(ResourceWarning, match="was not closed: use `with`"):
        thread = lose()
    thread.join(20)
    assert (thread.is_alive(), wound_up.is_set()) == (False, True)


# Forks.


def test_after_a_fork_the_portal_begins_anew(portal: Portal) -> None:
    portal.call(nothing())

    def use() -> str:
        looked = portal.look(os.getppid) == parent
        name = portal.call(name_of_thread())
        portal.close()
        return f"{name}, {looked}, {portal.closed}, {portal_threads()}"

    parent = os.getpid()
    with portal._lock:  # as another thread may hold it
        said = in_a_forked_process(use)
    assert said == "turnwire-portal, True, True, []"
    assert portal.call(name_of_thread()) == "turnwire-portal"
    assert not portal.closed


def test_after_a_fork_the_portal_can_be_closed_without_being_used(portal: Portal) -> None:
    portal.call(nothing())

    def close() -> str:
        portal.close()
        return f"{portal.closed}"

    assert in_a_forked_process(close) == "True"
    assert portal.call(name_of_thread()) == "turnwire-portal"


def test_a_portal_that_was_not_used_before_a_fork_works_after_it(portal: Portal) -> None:
    def use() -> str:
        name = portal.call(name_of_thread())
        portal.close()
        return name

    assert in_a_forked_process(use) == "turnwire-portal"
    assert portal_threads() == []
    assert use() == "turnwire-portal"
