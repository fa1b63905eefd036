"""What ends a stream before its time: its caller's signal, or the release of its session."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from turnwire.client.turn import AsyncTurn

T = TypeVar("T")


class Stopped(Exception):
    """Somebody asked for the end."""


class Stop:
    """Whether one stream is to end, and the turn that ends with it.

    Args:
        signal: The caller's, if it has one.
    """

    def __init__(self, signal: asyncio.Event | None) -> None:
        self._signal = signal
        self._released = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self.turn: AsyncTurn | None = None

    def check(self) -> None:
        """Do nothing unless somebody asked for the end.

        Raises:
            Stopped: Somebody did.
        """
        if self._released.is_set() or (self._signal is not None and self._signal.is_set()):
            raise Stopped

    async def release(self) -> None:
        """Ask for the end, and cancel the turn at once, even if nobody reads its events."""
        self._released.set()
        await self._cancel_turn()

    async def race(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for some work, or for somebody who asks for the end; the work is cancelled then.

        Raises:
            Stopped: Somebody asked.
        """
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait((task, self._watching), return_when=asyncio.FIRST_COMPLETED)
            self.check()
            return await task
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait((task,))
            if not task.cancelled():
                task.exception()  # seen, whatever it was

    async def _watch(self) -> None:
        """Wait until somebody asks; then the turn is cancelled even if nobody reads its events."""
        waiting = [asyncio.create_task(self._released.wait())]
        if self._signal is not None:
            waiting.append(asyncio.create_task(self._signal.wait()))
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
        await self._cancel_turn()

    async def _cancel_turn(self) -> None:
        if self.turn is not None:
            await self.turn.aclose()

    async def aclose(self) -> None:
        """Stop watching: the stream has ended."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait((self._watching,))
