"""How long an upstream may be silent, watched with one timer a turn.

Only the time that is spent waiting for the upstream counts: a client that reads slowly does not
make its upstream late.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from turnwire.gateway.upstreams import UpstreamFailed
from turnwire.gateway.upstreams.failures import TIMEOUT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds that an upstream gets; None for any number.

    Attributes:
        first_output: Until it has said anything.
        idle: Between two things that it says.
        turn: For the whole model run.
    """

    first_output: float | None = 300.0
    idle: float | None = 120.0
    turn: float | None = None


class Watched(Generic[T]):
    """What an upstream says, with an end to its silence.

    It watches from its creation until it is closed.

    Args:
        items: What the upstream yields.
        timeouts: How long it may take.
    """

    def __init__(self, items: AsyncIterator[T], timeouts: Timeouts) -> None:
        self._items = items
        self._timeouts = timeouts
        self._loop = asyncio.get_running_loop()
        self._spoken = False
        self._waiting: asyncio.Task[object] | None = None
        self._since = 0.0
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._over: str | None = None  # which time was up
        self._cut: str | None = None  # for which the wait was interrupted
        if timeouts.turn is not None:
            why = f"has not finished after {timeouts.turn:g} s"
            self._timers["turn"] = self._loop.call_later(timeouts.turn, self._end, why)
        self._look()

    async def aclose(self) -> None:
        """Stop the model run, and watching it."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        close = getattr(self._items, "aclose", None)
        if close is not None:
            await close()

    def __aiter__(self) -> Self:
        """Return this."""
        return self

    async def __anext__(self) -> T:
        """Return the next item.

        Raises:
            UpstreamFailed: With status 504 if it was too late; the model run is stopped.
        """
        task = asyncio.current_task()
        assert task is not None  # this is a coroutine
        if self._over is not None:
            raise self._failure(self._over)
        cancelled_before = task.cancelling()
        self._waiting, self._since = task, self._loop.time()
        try:
            item = await anext(self._items)
        except asyncio.CancelledError:
            if self._cut is not None and task.uncancel() <= cancelled_before:
                raise self._failure(self._cut) from None
            raise
        finally:
            self._waiting = None
        if not self._spoken:
            self._spoken = True
            self._look()
        return item

    def _look(self) -> None:
        """End a silence that is too long, else look again when it may be.

        The timer is not set anew with each item: it finds out how long the silence really was.
        """
        limit = self._timeouts.idle if self._spoken else self._timeouts.first_output
        last = self._timers.pop("silence", None)
        if last is not None:
            last.cancel()
        if limit is None:
            return
        now = self._loop.time()
        due = now + limit if self._waiting is None else self._since + limit
        if now < due:
            self._timers["silence"] = self._loop.call_at(due, self._look)
        else:
            self._end(f"{'fell silent' if self._spoken else 'said nothing'} for {limit:g} s")

    def _end(self, why: str) -> None:
        if self._over is None:
            self._over = why
            if self._waiting is not None:
                self._cut = why
                self._waiting.cancel()

    @staticmethod
    def _failure(why: str) -> UpstreamFailed:
        return UpstreamFailed(
            f"The upstream {why}. Try again, or give it more time.", status=504, code=TIMEOUT
        )
