"""An event that threads and event loops share: the peer may live on another one than the test."""

from __future__ import annotations

import asyncio
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Flag:
    """Set once, from any thread; waited for on any loop, or by a thread that blocks."""

    __slots__ = ("_is_set", "_lock", "_wake")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_set = False
        self._wake: list[Callable[[], object]] = []

    @property
    def is_set(self) -> bool:
        """True once ``set`` was called."""
        return self._is_set

    def set(self) -> None:
        """Wake everybody, now and later."""
        with self._lock:
            self._is_set = True
            wake, self._wake = self._wake, []
        for each in wake:
            each()

    async def wait(self) -> None:
        """Wait until it is set."""
        if self._is_set:
            return
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        if self._enqueue(partial(_resolve_on, loop, future)):
            await future

    def block(self, timeout: float | None = None) -> bool:
        """Block this thread until it is set, or for so many seconds; return whether it is set."""
        event = threading.Event()
        return not self._enqueue(event.set) or event.wait(timeout)

    def _enqueue(self, wake: Callable[[], object]) -> bool:
        with self._lock:
            if not self._is_set:
                self._wake.append(wake)
            return not self._is_set


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs in this thread, or None."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _resolve_on(loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> None:
    if running_loop() is loop:
        _resolve(future)
    elif not loop.is_closed():  # a waiter whose loop has ended needs no waking
        loop.call_soon_threadsafe(_resolve, future)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Changes:
    """Something changes again and again, and somebody waits until a condition holds."""

    __slots__ = ("_next",)

    def __init__(self) -> None:
        self._next = Flag()

    def note(self) -> None:
        """Have every condition looked at."""
        now, self._next = self._next, Flag()
        now.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds."""
        change = self._next
        while not condition():
            await change.wait()
            change = self._next

    def block_until(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Block this thread until the condition holds; False if it does not after so long."""
        end = time.monotonic() + timeout
        change = self._next
        while not condition():
            if not change.block(end - time.monotonic()):
                return condition()
            change = self._next
        return True
