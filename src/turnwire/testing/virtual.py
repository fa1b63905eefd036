"""An event loop on which time costs nothing: when nobody has anything to do, it jumps.

    @virtual_time
    async def test_a_turn_that_hangs() -> None:
        async with Peer(lambda create: [silence()]) as peer:
            ...  # waits for 30 s, in a few milliseconds

Sockets are real.  While something runs or can be read, the clock stands still; so a slow machine
makes no timeout come early.  Only if for a moment (``GRACE``) nothing at all arrives, the clock
jumps to the next timer.  That moment is real time and covers what the kernel needs to carry bytes
from one loopback socket to another, so everything that the test waits for must happen on this loop:
client and peer alike.  Threads that the loop itself started are waited for (``to_thread``,
``run_in_executor``, looking a host name up); other processes and threads with loops of their own
are not seen, and would be overtaken.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, TypeVarTuple

from turnwire.testing.clock import Clock
from turnwire.testing.flag import Flag

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from concurrent.futures import Executor

GRACE: Final = 0.01  # s; on loopback 1 ms was enough in 90,000 round trips, many on a busy machine

Parameters = ParamSpec("Parameters")
Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")


class LoopClock(Clock):
    """The time of a virtual loop as a ``Clock``; advancing it is what a suspended machine does."""

    __slots__ = ("_loop",)

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    @property
    def now(self) -> float:
        """The loop's time in seconds."""
        return self._loop.time()

    def advance(self, seconds: float) -> float:
        """Jump so many seconds ahead: every timer that falls into them is late.

        Raises:
            ValueError: ``seconds`` is negative.
        """
        if seconds < 0:
            raise ValueError(f"A monotonic clock cannot go back by {-seconds} s; advance by >= 0.")
        self._loop.skip(seconds)
        return self.now

    def alarm(self, seconds: float) -> Flag:
        """Return a flag that is set once so many seconds have passed."""
        flag = Flag()
        self._loop.call_later(max(0.0, seconds), flag.set)
        return flag


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time begins at 0 and jumps from timer to timer.

    Attributes:
        clock: Its time; a ``Peer`` on this loop goes by it.
    """

    def __init__(self) -> None:
        self._virtual_now = 0.0
        self._held = 0  # by threads that work for the loop
        super().__init__(_JumpingSelector(self._jump))
        self.clock = LoopClock(self)

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._virtual_now

    def skip(self, seconds: float) -> None:
        """Let so many seconds have passed at once."""
        self._virtual_now += seconds

    def _jump(self, seconds: float) -> bool:
        """Go to the next timer, so many seconds ahead, if nothing else can come before it."""
        if self._held:
            return False
        self._virtual_now += seconds
        return True

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Arguments], Result], *args: *Arguments
    ) -> asyncio.Future[Result]:
        """Run something in a thread; the clock stands still meanwhile."""
        future = super().run_in_executor(executor, func, *args)
        self._held += 1
        future.add_done_callback(self._release)
        return future

    def _release(self, _: object) -> None:
        self._held -= 1

    async def shutdown_default_executor(self, *timeout: float | None) -> None:
        """End the threads; the clock stands still meanwhile."""
        self._held += 1
        try:
            await super().shutdown_default_executor(*timeout)
        finally:
            self._held -= 1


class _JumpingSelector(selectors.BaseSelector):
    """A selector that hands on to the platform's, and jumps instead of waiting for a timer."""

    def __init__(self, jump: Callable[[float], bool]) -> None:
        self._real = selectors.DefaultSelector()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return self._real.select(timeout)
        ready = self._real.select(GRACE)
        while not ready and not self._jump(timeout):
            ready = self._real.select(GRACE)
        return ready

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()


def virtual_time(
    test: Callable[Parameters, Coroutine[Any, Any, None]],
) -> Callable[Parameters, None]:
    """Make an async test an ordinary one that runs on a ``VirtualLoop``.

    It may use fixtures, except async ones, which run on another loop.
    """

    @functools.wraps(test)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run
