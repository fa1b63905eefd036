"""The thread on which a blocking transport's engine runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from turnwire.errors import TurnwireError
from turnwire.io.portal import Portal

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


class Thread:
    """Does things on the engine's thread, and returns what they return.

    Args:
        wind_up: What runs last there.
    """

    def __init__(self, wind_up: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._portal = Portal(wind_up)

    def do(self, work: Callable[[], T]) -> T:
        """Call a function there; once the thread has ended, here, where it finds all at an end.

        Raises:
            Exception: Whatever the function raises.
        """

        def attempt() -> tuple[T | None, Exception | None]:
            try:
                return work(), None
            except Exception as error:  # noqa: BLE001  # raised below
                return None, error

        result, error = self._portal.do(attempt)
        if error is not None:
            raise error
        return result  # type: ignore[return-value]  # it is what the function returned

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there and wait for its end; an exception in this thread cancels it.

        Raises:
            ConfigError: The transport was closed.
            TurnwireError: It is closed meanwhile.
        """
        return self._portal.call(work)

    def wait_or(self, work: Coroutine[Any, Any, T], otherwise: Callable[[], T]) -> T:
        """Do the same; if it is closed, before or meanwhile, return what is known by then.

        Args:
            work: The coroutine; some of it may have been done.
            otherwise: Says what is known; called where nothing else runs.
        """
        try:
            return self._portal.call(work)
        except TurnwireError:
            if not self._portal.closed:
                raise
        return self.do(otherwise)

    def close(self) -> None:
        """Wind up and end the thread."""
        self._portal.close()
