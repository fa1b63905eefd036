"""The sessions that somebody owns: found by id, bounded, forgotten when idle."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from turnwire.agent_stream.session import Session
from turnwire.errors import ConfigError, TurnwireError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from turnwire.agent_stream.stopping import Stop


class Sessions:
    """Sessions by id, least recently used first.

    Args:
        most: How many there may be.
        idle_timeout: Seconds after which one that nothing runs in is forgotten; None for never.
        clock: What tells the time in seconds.
    """

    def __init__(self, most: int, idle_timeout: float | None, clock: Callable[[], float]) -> None:
        self._by_id: dict[str, Session] = {}
        self._most = most
        self._idle_timeout = idle_timeout
        self._clock = clock
        self._closed = False

    def find(self, session_id: str) -> Session | None:
        """Return a session that is known."""
        self._forget_idle()
        return self._by_id.get(session_id)

    @contextmanager
    def used(self, session_id: str, stop: Stop) -> Generator[Session]:
        """Use a session for one stream; it is not forgotten meanwhile.

        Args:
            session_id: Which one; a new one if it is not known.
            stop: How to end the stream.

        Raises:
            ConfigError: All sessions were closed.
            TurnwireError: There are too many, and something runs in each of them.
        """
        session = self.use(session_id)
        session.running.add(stop)
        try:
            yield session
        finally:
            session.running.discard(stop)
            session.last_used = self._clock()

    def use(self, session_id: str) -> Session:
        """Return a session, a new one if it is not known; the one used longest ago makes room.

        Raises:
            ConfigError: All sessions were closed.
            TurnwireError: There are too many, and something runs in each of them.
        """
        if self._closed:
            raise ConfigError("the streams are closed; make new ones")
        self._forget_idle()
        session = self._by_id.pop(session_id, None)
        if session is None:
            self._make_room()
            session = Session(self._clock())
        self._by_id[session_id] = session
        session.last_used = self._clock()
        return session

    async def release(self, session_id: str) -> None:
        """Forget a session and end its streams, if it is known."""
        session = self._by_id.pop(session_id, None)
        if session is not None:
            for stop in tuple(session.running):
                await stop.release()

    async def aclose(self) -> None:
        """Release all of them; no further one is made."""
        self._closed = True
        for session_id in tuple(self._by_id):
            await self.release(session_id)

    def _make_room(self) -> None:
        if len(self._by_id) < self._most:
            return
        for session_id, session in self._by_id.items():
            if not session.running:
                del self._by_id[session_id]
                return
        raise TurnwireError(
            f"something runs in each of {self._most} sessions; wait for one to end, release one,"
            " or raise `max_sessions`"
        )

    def _forget_idle(self) -> None:
        if self._idle_timeout is None:
            return
        until = self._clock() - self._idle_timeout
        for session_id, session in list(self._by_id.items()):
            if session.last_used <= until and not session.running:
                del self._by_id[session_id]
