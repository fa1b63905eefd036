"""What comes of a session: events, audio, transcripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from turnwire.realtime.facts import Facts
from turnwire.realtime.hearing import Hearing
from turnwire.realtime.readers import AudioStream, TranscriptStream, has_audio, has_words
from turnwire.realtime.subscription import Subscription
from turnwire.realtime.typed import Typed

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.realtime.listeners import Function, Listeners


class Reading(Facts, Hearing, Typed):
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

    def _listen(self, kind: str, function: Function) -> Callable[[], None]:
        return self._listeners.add(kind, function)
