"""The blocking transport: each method waits for its twin in ``turnwire.realtime.transport``."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any, Self

from turnwire.errors import ConfigError
from turnwire.realtime.arguments import taking
from turnwire.realtime.options import RealtimeOptions
from turnwire.realtime.sync.facts import SyncFacts
from turnwire.realtime.sync.readers import Reader
from turnwire.realtime.sync.talk import SyncTalk
from turnwire.realtime.sync.thread import Thread
from turnwire.realtime.transport import RealtimeTransport
from turnwire.realtime.typed import Typed

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from turnwire.events.realtime import AudioEvent, RealtimeEvent
    from turnwire.realtime.listeners import Function
    from turnwire.realtime.readers import Transcript


class _OnThread(RealtimeTransport):
    """The twin that does the work."""

    _how_to_open = "use `with`, or `open()`"


class SyncRealtimeTransport(SyncTalk, SyncFacts, Typed):
    """A blocking Realtime session; threads may share it.  Made by ``connect``.

    ``with`` opens it and closes it.  What sends takes effect in the order of the calls and waits
    for nobody; ``result()`` of what it returns waits.
    See :class:`turnwire.realtime.RealtimeTransport`.
    """

    def __init__(self, options: RealtimeOptions) -> None:
        self._transport: RealtimeTransport = _OnThread(options)
        self._thread = Thread(self._transport.aclose)
        self._own: Reader[RealtimeEvent] | None = None

    def open(self) -> Self:
        """Open the session and wait until it is ready; ``with`` does that by itself.

        Raises:
            ConfigError: It is open already, or was.
            TurnwireError: As of the twin.
        """
        was_open = self.status != "disconnected"
        try:
            self._thread.wait(self._transport.open())
        except BaseException:
            if not was_open:
                self.close()
            raise
        return self

    def close(self) -> None:
        """Close the session and end its thread; who waits gets ``ConnectionLost``.

        It takes about a second at most, and one more if a function of ``on`` runs on.
        """
        self._thread.close()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<SyncRealtimeTransport {self.status} generation={self.generation}>"

    # What comes.

    def events(self) -> Reader[RealtimeEvent]:
        """Return everything that comes, from now on; iterate it with ``for``."""
        return Reader(self._thread, self._thread.do(self._transport.events))

    def __iter__(self) -> Reader[RealtimeEvent]:
        """Iterate the transport's own reader, which goes on where the last loop left it."""
        if self._own is None:
            self._own = self.events()
        return self._own

    def audio(self) -> Reader[AudioEvent]:
        """Return what the model says from now on, in pieces; iterate it with ``for``.

        Raises:
            SlowConsumer: While iterating: more than ``buffer_bytes`` had to wait.
        """
        return Reader(self._thread, self._thread.do(self._transport.audio))

    def transcripts(self) -> Reader[Transcript]:
        """Return the words of both sides from now on; iterate it with ``for``.

        Raises:
            SlowConsumer: While iterating: more than ``buffer_bytes`` had to wait.
        """
        return Reader(self._thread, self._thread.do(self._transport.transcripts))

    def _listen(self, kind: str, function: Function) -> Callable[[], None]:
        if not callable(function):
            raise ConfigError(f"`on` takes a function, not {type(function).__name__}")
        if inspect.iscoroutinefunction(function):
            raise ConfigError("nobody awaits here: give a plain function, or use turnwire.realtime")
        called: Function = function

        async def in_thread(event: Any) -> None:
            await asyncio.to_thread(called, event)

        remove = self._thread.do(lambda: self._transport.on(kind, in_thread))
        return lambda: self._thread.do(remove)


@taking(RealtimeOptions)
def connect(options: RealtimeOptions) -> SyncRealtimeTransport:
    """Return a blocking session to be opened with ``with``.

    Its arguments are those of :class:`turnwire.realtime.RealtimeOptions`, by name.

    Raises:
        ConfigError: An argument is wrong, or unknown.
    """
    return SyncRealtimeTransport(options)
