"""What comes of a session: events, audio, transcripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from turnwire.realtime.facts import Facts
from turnwire.realtime.hearing import Hearing
from turnwire.realtime.readers import AudioStream, TranscriptStream, has_audio, has_words
from turnwire.realtime.subscription import Subscription

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.realtime.listeners import Function, Listeners


class Reading(Facts, Hearing):
    """What is read of a session."""

    _listeners: Listeners
    _own: Subscription | None

    def events(self) -> Subscription:
        """Return everything that comes, from now on; iterate it with ``async for``.

        Each call is a reader of its own; the first one also gets what came since the session was
        opened, as far as 1 MiB holds it.  Iteration ends when the session is closed, and raises if
        it is lost for good.  What a slow reader leaves unread is joined where it can be, and beyond
        ``buffer_bytes`` dropped and told as ``LaggedEvent``; audio that waits is gone once somebody
        interrupts.
        """
        limit_bytes = self.options.buffer_bytes
        first = self._inbox.take_first(limit_bytes)
        return first or self._inbox.subscribe(Subscription(limit_bytes))

    def __aiter__(self) -> Subscription:
        """Iterate the transport's own reader, which goes on where the last loop left it."""
        if self._own is None:
            self._own = self.events()
        return self._own

    def audio(self) -> AudioStream:
        """Return what the model says from now on, in pieces; iterate it with ``async for``.

        A piece that waits is gone once somebody interrupts.  With ``playback="read"`` a piece
        counts as heard when the next one is asked for, so there may be one such reader only.

        Raises:
            SlowConsumer: While iterating: more than ``buffer_bytes`` had to wait.
        """
        limit_bytes, reads = self.options.buffer_bytes, self.options.playback == "read"
        # What counts as heard in one piece should be short.
        events = self._inbox.subscribe(Subscription(limit_bytes, has_audio, joins=not reads))
        played = self._was_read if reads else None
        return AudioStream(events, limit_bytes, played, lambda: self._flushes)

    def transcripts(self) -> TranscriptStream:
        """Return the words of both sides from now on; iterate it with ``async for``.

        Raises:
            SlowConsumer: While iterating: more than ``buffer_bytes`` had to wait.
        """
        limit_bytes = self.options.buffer_bytes
        events = self._inbox.subscribe(Subscription(limit_bytes, has_words))
        return TranscriptStream(events, limit_bytes)

    @overload
    def on(self, kind: str) -> Callable[[Function], Function]: ...

    @overload
    def on(self, kind: str, function: Function) -> Callable[[], None]: ...

    def on(self, kind: str, function: Function | None = None) -> Callable[..., Any]:
        """Call a function with each event of a type; return a function that undoes this.

        Without a function it is a decorator.  Functions are called one after the other in a task
        of their own, plain ones and coroutines; a slow one delays the others, and nothing else.
        An exception is logged.  What was not told a second after the session was closed is not
        told any more.

        Args:
            kind: A type of the wire, such as ``"response.done"``, today's or the beta's; a word
                such as ``"audio"``, ``"function_call"``, ``"turn_done"`` or
                ``"connection_change"`` (docs/reference/realtime-members.md); or ``"*"``.
            function: Takes the event.

        Raises:
            ConfigError: It is no function, or no such type can be.
        """
        if function is not None:
            return self._listeners.add(kind, function)

        def decorate(function: Function) -> Function:
            self._listeners.add(kind, function)
            return function

        return decorate
