"""Turns that run on without the client that asked for them, so that it can come back for them."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    from turnwire.gateway.observing.statistics import Statistics
    from turnwire.gateway.store.event_log import EventLog


@dataclass(slots=True)
class _Left:
    task: asyncio.Task[None]
    since: float
    timer: asyncio.TimerHandle


class Lingering:
    """Stops each such turn when nobody has asked for it for some time.

    Args:
        seconds: How long; 0 lets none run on.
    """

    def __init__(self, seconds: float, statistics: Statistics) -> None:
        self._seconds = seconds
        self._statistics = statistics
        self._left: dict[EventLog, _Left] = {}
        self._followers: Counter[EventLog] = Counter()

    def keep(self, task: asyncio.Task[None], log: EventLog) -> bool:
        """Let a turn run on if its response can be fetched; say whether it does."""
        if not self._seconds or not log.running:
            return False
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._seconds, self._look, log)
        self._left[log] = _Left(task, loop.time(), timer)
        task.add_done_callback(lambda _: self._ended(log))
        self._statistics.turns_lingering += 1
        return True

    @contextmanager
    def wanted(self, log: EventLog) -> Generator[None]:
        """While this lasts somebody listens: the time begins anew after it."""
        self._followers[log] += 1
        try:
            yield
        finally:
            self._followers[log] -= 1
            if not self._followers[log]:
                del self._followers[log]
            if log in self._left:
                self._left[log].since = asyncio.get_running_loop().time()

    def cancel(self, log: EventLog) -> None:
        """Stop this turn, if it is one of them."""
        if log in self._left:
            self._left[log].task.cancel()

    def stop(self) -> None:
        """Let no more turns run on, and stop those that nobody listens to."""
        self._seconds = 0.0
        for log in tuple(self._left):
            if log not in self._followers:
                self.cancel(log)

    async def close(self) -> None:
        """Stop all of them, and wait until they have."""
        self.stop()
        tasks = [left.task for left in self._left.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _look(self, log: EventLog) -> None:
        loop = asyncio.get_running_loop()
        left = self._left[log]
        rest = self._seconds
        if log not in self._followers:
            rest -= loop.time() - left.since
        if rest > 0:
            left.timer = loop.call_later(rest, self._look, log)
        else:
            left.task.cancel()

    def _ended(self, log: EventLog) -> None:
        self._left.pop(log).timer.cancel()
