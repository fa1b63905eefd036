"""Functions on a portal's thread, also while it ends."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from turnwire.io.portal import Portal


async def nothing() -> None:
    pass


def thread() -> str:
    return threading.current_thread().name


def test_a_function_runs_there() -> None:
    portal = Portal(nothing)
    assert portal.do(thread) == thread()  # nobody runs yet
    portal.call(nothing())
    assert portal.do(thread) == "turnwire-portal"
    with pytest.raises(ZeroDivisionError):
        portal.do(lambda: 1 // 0)
    assert portal.do(lambda: portal.do(thread)) == "turnwire-portal"
    portal.close()
    assert portal.do(thread) == thread()


def test_a_function_runs_there_while_it_winds_up() -> None:
    winding, over = threading.Event(), asyncio.Event()

    async def wind_up() -> None:
        winding.set()
        await over.wait()

    portal = Portal(wind_up)
    portal.call(nothing())
    closing = threading.Thread(target=portal.close)
    closing.start()
    assert winding.wait(10)
    assert portal.do(thread) == "turnwire-portal"
    portal.do(over.set)
    closing.join()


def test_what_the_loop_does_not_come_to_any_more_runs_once_it_has_ended() -> None:
    portal = Portal(nothing)
    portal.call(nothing())
    background: Any = portal._background
    held, release, ends, posted = (threading.Event() for _ in range(4))
    ran: list[bool] = []
    _then(background, "end", ends)
    _then(background, "post", posted)

    def hold() -> None:
        held.set()
        release.wait(10)

    def note() -> None:
        ran.append(background._thread.is_alive())

    threads = [
        threading.Thread(target=portal.do, args=[hold]),
        threading.Thread(target=portal.close),
        threading.Thread(target=portal.do, args=[note]),
    ]
    for each, begun in zip(threads, (held, ends, posted), strict=True):
        posted.clear()
        each.start()
        assert begun.wait(10)
    release.set()
    for each in threads:
        each.join()
    assert ran == [False]


def _then(background: Any, name: str, event: threading.Event) -> None:
    """Have an event set once a method has been called."""
    method = getattr(background, name)

    def call(*arguments: Any) -> Any:
        try:
            return method(*arguments)
        finally:
            event.set()

    setattr(background, name, call)
