"""The background thread in which a blocking client's engine lives.

Lanes, pings and age limits go on while a blocking caller does nothing, so somebody must be
reading: ADR docs/decisions/0004-sync-portal.md.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any, TypeVar

from turnwire.errors import ConfigError, TurnwireError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


class Portal:
    """Runs coroutines on an event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()  # no call may slip in behind the close
        self._closed = False
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="turnwire-portal", daemon=True
        )
        self._thread.start()

    @property
    def closed(self) -> bool:
        """True once ``close`` has been called."""
        return self._closed

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine and return its result.

        Ctrl-C, or any exception in the waiting thread, cancels it.

        Raises:
            ConfigError: Called from the portal's own thread, or after ``close``.
            TurnwireError: The portal was closed meanwhile.
        """
        with self._lock:
            refusal = self._refusal()
            if refusal is not None:
                work.close()
                raise refusal
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except CancelledError:
            raise TurnwireError("the client was closed while this call waited") from None
        except BaseException:
            future.cancel()
            raise

    def look(self, read: Callable[[], T]) -> T:
        """Run a function that only reads what the loop's thread writes, and return its result."""

        async def work() -> T:
            return read()

        # Nobody writes any more; or it is this thread that does.
        return read() if self._refusal() is not None else self.call(work())

    def _refusal(self) -> ConfigError | None:
        if self._closed:
            return ConfigError("the client is closed; make another one")
        if threading.current_thread() is self._thread:
            return ConfigError(
                "a callback must not call the blocking client that runs it; use AsyncClient"
            )
        return None

    def close(self) -> None:
        """Stop the loop and wait for the thread to end; calling it again does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        asyncio.run_coroutine_threadsafe(_cancel_all_others(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


async def _cancel_all_others() -> None:
    """Let threads go that still wait for something, such as a tool that never ends."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
