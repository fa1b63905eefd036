"""The asynchronous Realtime transport."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from turnwire.core.realtime.connecting import OPENING
from turnwire.core.realtime.machine import RealtimeMachine
from turnwire.errors import ConfigError
from turnwire.io.realtime import RealtimeEngine
from turnwire.realtime.answers import Confirmed
from turnwire.realtime.arguments import taking
from turnwire.realtime.inbox import Inbox
from turnwire.realtime.listeners import Listeners
from turnwire.realtime.options import RealtimeOptions
from turnwire.realtime.reading import Reading
from turnwire.realtime.speaking import Speaking
from turnwire.realtime.subscription import Subscription

if TYPE_CHECKING:
    from types import TracebackType

    from turnwire.events.realtime import RealtimeEvent
    from turnwire.realtime.subscription import Reader


class RealtimeTransport(Speaking, Reading):
    """A Realtime session over WebSocket that knows what was heard; made by ``connect``.

    ``async with`` opens it and closes it.  Everything that sends is a plain function: it takes
    effect in the order of the calls and waits for nobody; what it returns can be awaited.
    What your code does with an event never keeps the transport from reacting to the next one.
    It belongs to one event loop; other threads use ``turnwire.realtime.sync``.

    Args:
        options: See :class:`RealtimeOptions`.

    Raises:
        ConfigError: From ``async with`` and ``open``: no key, or a URL that is none.
        DialError: The server could not be reached, or refused.
        DialTimeout: The session was not ready in time.
        ConnectionLost: It was closed before it was ready.
        TurnError: The server refused the session's configuration.
    """

    _how_to_open: ClassVar[str] = "use `async with`, or `await open()`"

    def __init__(self, options: RealtimeOptions) -> None:
        self._inbox = Inbox()
        self._listeners = Listeners(self.item)
        self._prepare(options)
        self._engine: RealtimeEngine | None = None
        self._closing: asyncio.Task[None] | None = None
        self._own: Subscription | None = None
        self._is_muted = False

    def _prepare(self, options: RealtimeOptions) -> None:
        self.options = options
        self._playhead = options.playhead()
        # The clock of asyncio's own loops and of uvloop's.  A loop that counts by another one
        # shifts `expires_at`, and nothing else.
        self._machine = RealtimeMachine(
            options.machine_settings(),
            options.session or {},
            self._playhead,
            prefix=f"{uuid.uuid4().hex[:10]}_",
            began=time.time() - time.monotonic(),
        )

    def prepare(self, reader: Reader, **options: Any) -> None:
        """Have a bridge to another medium take events where they arrive; before it is opened.

        Args:
            reader: The bridge.
            **options: Those of ``connect`` that it changes, such as ``playback``.

        Raises:
            ConfigError: The session was opened already.
        """
        if self._engine is not None or self._inbox.ended:
            raise ConfigError("this session was opened already; make the bridge before that")
        self._prepare(replace(self.options, **options))
        self._inbox.bridge(reader)

    def deliver(self, event: RealtimeEvent) -> None:
        """Hand an event of a bridge's own to all who read."""
        self._inbox.deliver(event)

    async def open(self) -> Self:
        """Open the session and wait until it is ready; ``async with`` does that by itself.

        Cancelling closes whatever was opened.

        Raises:
            ConfigError: It is open already, or was; see the class for the other errors.
        """
        if self._engine is not None or self._inbox.ended:
            raise ConfigError("this session was opened already; make another one with `connect`")
        endpoint = self.options.endpoint()
        ready = Confirmed()
        self._inbox.wait(OPENING, ready)
        self._engine = RealtimeEngine(
            endpoint,
            self._machine,
            self._inbox,
            protocols=self.options.protocols(),
            ping_interval=self.options.ping_interval,
            inbound_bytes=self.options.inbound_bytes,
        )
        self._listeners.start(self._inbox.subscribe(Subscription(self.options.buffer_bytes)))
        self._engine.open()
        try:
            await ready
        except BaseException:
            await self.aclose()
            raise
        return self

    async def aclose(self) -> None:
        """Close the session; who waits for an answer gets ``ConnectionLost``.

        It takes about a second at most.  Calling it again waits for the same end, and cancelling
        it does not stop that.  A function of ``on`` may call it; it does not wait there.
        """
        if self._engine is None:
            self._inbox.end(None)
            return
        if self._closing is None:
            if not self._inbox.ended:  # from here on nothing is taken any more
                self._machine.close()
                self._engine.act()
            work = self._close(self._engine)
            self._closing = asyncio.create_task(work, name="turnwire-realtime-close")
        if not self._listeners.is_current:
            await asyncio.shield(self._closing)

    async def _close(self, engine: RealtimeEngine) -> None:
        await engine.aclose()
        await self._listeners.finish()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<RealtimeTransport {self.status} generation={self.generation}>"

    # What its halves stand on.

    def _now(self) -> float:
        return time.monotonic() if self._engine is None else self._engine.now()

    def _act(self) -> None:
        if self._engine is not None:
            self._engine.act()

    def _check_open(self) -> None:
        if self._inbox.ended:
            raise self._inbox.closed_error()
        if self._engine is None:
            raise ConfigError(f"the session is not open yet; {self._how_to_open}")


@taking(RealtimeOptions)
def connect(options: RealtimeOptions) -> RealtimeTransport:
    """Return a session to be opened with ``async with``.

    Its arguments are those of :class:`RealtimeOptions`, by name.

    Raises:
        ConfigError: An argument is wrong, or unknown.
    """
    return RealtimeTransport(options)
