"""The background thread in which a blocking client's engine lives.

Lanes, pings and age limits go on while a blocking caller does nothing, so somebody must be
reading: ADR docs/decisions/0004-sync-portal.md.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from turnwire.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


class Portal:
    """Runs coroutines on an event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="turnwire-portal", daemon=True
        )
        self._thread.start()

    @property
    def closed(self) -> bool:
        """True after ``close``."""
        return self._loop.is_closed()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine and return its result.

        Ctrl-C, or any exception in the waiting thread, cancels it.

        Raises:
            ConfigError: Called from the portal's own thread, or after ``close``.
        """
        if self.closed or threading.current_thread() is self._thread:
            work.close()
            raise ConfigError(
                "the client is closed; make another one"
                if self.closed
                else "a callback must not call the blocking client that runs it; use AsyncClient"
            )
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Stop the loop and wait for the thread to end; calling it again does nothing."""
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
