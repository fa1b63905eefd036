"""The time of a loop as a clock, and waiting by any clock, for what is due or for news."""

from __future__ import annotations

import asyncio
from typing import Final

from turnwire.testing.clock import Clock
from turnwire.testing.flag import Flag

_LEAST: Final = 1e-6  # s


class TimeOfLoop(Clock):
    """The time of the loop that serves."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop

    @property
    def now(self) -> float:
        """The loop's time in seconds."""
        return self._loop.time()

    def alarm(self, seconds: float) -> Flag:
        """Return a flag that is set once so many seconds have passed."""
        flag = Flag()
        self._loop.call_later(max(0.0, seconds), flag.set)
        return flag


async def rest(news: asyncio.Event, due: float | None, clock: Clock) -> None:
    """Wait until there is news, which is then no longer news, or until so late by the clock."""
    alarms: set[asyncio.Task[None]] = set()
    if due is not None:
        left = due - clock.now
        # Not less than the clock can tell: what rings before its time rings again at once.
        alarm = clock.alarm(max(_LEAST, left) if left > 0 else 0.0)
        alarms.add(asyncio.ensure_future(alarm.wait()))
        for each in alarms:
            each.add_done_callback(lambda done: None if done.cancelled() else news.set())
    try:
        await news.wait()
    finally:
        for each in alarms:
            each.cancel()
    news.clear()
