"""The background thread in which a blocking client's engine lives.

Lanes, pings and age limits go on while a blocking caller does nothing, so somebody must be
reading: ADR docs/decisions/0004-sync-portal.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import warnings
import weakref
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeVar

from turnwire.errors import ConfigError, TurnwireError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

T = TypeVar("T")

_THREADS_SECONDS: Final = 1.0  # for functions that run in threads, which nobody can stop


class Portal:
    """Runs coroutines on an event loop in a thread of its own, which begins with the first call.

    Args:
        wind_up: What runs last on the loop.
    """

    def __init__(self, wind_up: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._wind_up = wind_up
        self._background: _Background | None = None
        self._unclosed: weakref.finalize[[_Background], Portal] | None = None
        self._not_ours: _Background | None = None  # kept: collecting it would touch its loop
        self._lock = threading.Lock()  # no call may slip in behind the close
        self._closed = False

    @property
    def closed(self) -> bool:
        """True once ``close`` has been called."""
        return self._closed

    @property
    def _forked(self) -> bool:
        return self._background is not None and self._background.pid != os.getpid()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine and return its result.

        Ctrl-C, or any exception in the waiting thread, cancels it.

        Raises:
            ConfigError: Called from the portal's own thread, or after ``close``.
            TurnwireError: The portal was closed meanwhile.
        """
        try:
            future = self._begin(work)
        except ConfigError:
            work.close()
            raise
        try:
            return future.result()
        except CancelledError:
            raise TurnwireError("the client was closed while this call waited") from None
        except BaseException:
            future.cancel()
            raise

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine and do not wait for it: for finalisers, also when Python is ending.

        What is called later runs later; once the portal is closed nothing runs.
        """
        try:
            self._begin(work)
        except (ConfigError, RuntimeError):  # closed; or its loop ended just now
            work.close()

    def _begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        self._leave_parent_alone()
        with self._lock:
            if self._closed:
                raise ConfigError("the client is closed; make another one")
            self._refuse_own_thread()
            if self._background is None:
                self._background = _Background(self._wind_up)
                self._unclosed = weakref.finalize(self, _let_go, self._background)
                self._unclosed.atexit = False  # the thread ends with its process
            return asyncio.run_coroutine_threadsafe(work, self._background.loop)

    def _leave_parent_alone(self) -> None:
        """Begin anew after a fork: thread, loop and lock are the other process's."""
        if self._background is None or not self._forked:
            return
        if self._unclosed is not None:
            self._unclosed.detach()
        self._not_ours, self._background = self._background, None
        self._lock = threading.Lock()  # whoever held it may not be in this process

    def _refuse_own_thread(self) -> None:
        if self._background is not None and self._background.is_current:
            raise ConfigError(
                "a callback must not call the blocking client that runs it; use AsyncClient"
            )

    def look(self, read: Callable[[], T]) -> T:
        """Run a function that only reads what the loop's thread writes, and return its result."""

        async def work() -> T:
            return read()

        if self._background is None or self._forked:
            return read()
        try:
            return self.call(work())
        except TurnwireError:  # nobody writes any more; or it is this thread that does
            return read()

    def do(self, work: Callable[[], T]) -> T:
        """Run a function on the loop's thread, also while it winds up, and return its result.

        Once that thread has ended it runs here, and here only; so it does before the first call,
        and if it is that thread that asks.
        """
        background = self._background
        if background is None or self._forked or background.is_current:
            return work()
        future = background.post(work)
        if future is not None:
            try:
                return future.result()
            except CancelledError:  # the loop ended before it came to it
                pass
            except BaseException:
                future.cancel()
                raise
        background.wait_ended()
        return work()

    def close(self) -> None:
        """Wind up, stop the loop and wait for its thread; calling it again waits for the same end.

        Functions that still run in the loop's threads, such as tools, are waited for one second.

        Raises:
            ConfigError: Called from the portal's own thread.
        """
        self._leave_parent_alone()
        with self._lock:
            self._refuse_own_thread()
            begins, self._closed = not self._closed, True
        if self._background is None or self._unclosed is None:
            return  # it was never used
        if begins:
            self._unclosed.detach()
            self._background.end()
        self._background.join()


class _Background:
    """The loop and its thread; they know no portal, so that one that nobody holds can go."""

    def __init__(self, wind_up: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        self._wind_up = wind_up
        self._over = self.loop.create_future()
        self._ending: asyncio.Task[None] | None = None
        self._lock = threading.Lock()  # nothing may slip in behind the end
        self._takes = True
        self._threads = ThreadPoolExecutor(thread_name_prefix="turnwire-function")
        self.loop.set_default_executor(self._threads)
        self._thread = threading.Thread(target=self._run, name="turnwire-portal", daemon=True)
        self._thread.start()

    @property
    def is_current(self) -> bool:
        """True if this is the thread that asks."""
        return threading.current_thread() is self._thread

    def _run(self) -> None:
        while not self._over.done():
            # A task that raises one of these stops the loop too.  Whoever waits for it gets the
            # exception; the others go on.
            with contextlib.suppress(SystemExit, KeyboardInterrupt):
                self.loop.run_until_complete(self._over)
        with self._lock:
            self._takes = False
        self.loop.run_until_complete(_cancel_all_others())  # what was posted meanwhile
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.loop.close()

    def post(self, work: Callable[[], T]) -> Future[T] | None:
        """Have a function run on the loop, after all that was posted before; None if it ended.

        It is cancelled if the loop ends first, and then it was not run.
        """

        async def run() -> T:
            return work()

        running = run()
        with self._lock:
            if self._takes:
                return asyncio.run_coroutine_threadsafe(running, self.loop)
        running.close()
        return None

    def end(self) -> None:
        """Begin to end; the thread does the rest by itself."""
        self.loop.call_soon_threadsafe(self._begin_to_end)

    def _begin_to_end(self) -> None:
        self._ending = self.loop.create_task(self._end())

    async def _end(self) -> None:
        try:
            await self._wind_up()
            await _cancel_all_others()
        finally:
            self._over.set_result(None)

    def wait_ended(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def join(self) -> None:
        """Wait until the thread has ended, and a second for functions in threads."""
        self.wait_ended()
        # An executor only knows how to wait for ever.
        waiting = threading.Thread(
            target=self._threads.shutdown, name="turnwire-close", daemon=True
        )
        waiting.start()
        waiting.join(_THREADS_SECONDS)


def _let_go(background: _Background) -> None:
    """Nobody holds the portal any more and nobody closed it."""
    if background.pid == os.getpid():
        background.end()
        warnings.warn(
            "a blocking client of turnwire was not closed: use `with`, or call `close()`",
            ResourceWarning,
            stacklevel=2,
        )


async def _cancel_all_others() -> None:
    """Let threads go that still wait for something, such as a tool that never ends."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
