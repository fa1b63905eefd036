"""Events on their way to one consumer: bounded, and what does not fit has a name.

Deltas that wait are joined, so that a slow consumer gets fewer and longer ones; what is dropped
for lack of room is told as ``lagged``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from copy import copy
from typing import TYPE_CHECKING, Final, Protocol, Self, TypeVar, cast

import msgspec

from turnwire.errors import ConfigError
from turnwire.events import realtime as wire
from turnwire.events.realtime import LaggedEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.events.realtime import RealtimeEvent

_OVERHEAD_BYTES: Final = 256  # of an event without content
_WORDS: Final = (
    wire.ResponseAudioTranscriptDeltaEvent,
    wire.ResponseTextDeltaEvent,
    wire.ResponseFunctionCallArgumentsDeltaEvent,
)
_DELTAS: Final = (wire.ResponseAudioDeltaEvent, *_WORDS)
_LONGEST: Final = 64 * 2**10  # joined deltas

E = TypeVar("E", bound="RealtimeEvent")


class Reader(Protocol):
    """Whom a transport hands events to where they arrive: must not wait, and must not raise."""

    def put(self, event: RealtimeEvent) -> None:
        """Take an event."""

    def flush(self, response_id: str | None) -> None:
        """Drop audio that was not played, of a response or of all: the listener was interrupted."""

    def end(self, error: BaseException | None) -> None:
        """Note that nothing comes any more."""


def size_of(event: RealtimeEvent) -> int:
    """Return about how many bytes an event takes."""
    audio = event.audio if isinstance(event, wire.ResponseAudioDeltaEvent) else b""
    return _OVERHEAD_BYTES + len(event.raw) + len(audio)


def everything(event: RealtimeEvent) -> bool:  # noqa: ARG001  # a filter that lets all pass
    """Want any event."""
    return True


class Subscription:
    """One consumer's events; iterate it, from one task.

    It takes events as long as somebody holds it, so that leaving a loop is enough.

    Args:
        limit_bytes: How much may wait.
        wanted: Which events are for this consumer.
        joins: Whether deltas that wait are joined.
    """

    def __init__(
        self,
        limit_bytes: int,
        wanted: Callable[[RealtimeEvent], bool] = everything,
        *,
        joins: bool = True,
    ) -> None:
        self._limit_bytes = limit_bytes
        self._wanted = wanted
        self._joins = joins
        self._events: deque[tuple[RealtimeEvent, int]] = deque()
        self._waiting_bytes = 0
        self._dropped = 0
        self._dropped_bytes = 0
        self._filled = asyncio.Event()
        self._is_awaited = False
        self._error: BaseException | None = None
        self._ended = False

    @property
    def waiting_bytes(self) -> int:
        """How much waits to be read."""
        return self._waiting_bytes

    def allow(self, limit_bytes: int) -> None:
        """Let another number of bytes wait, from now on."""
        self._limit_bytes = limit_bytes

    def put(self, event: RealtimeEvent) -> None:
        """Take an event in, if it is for this consumer."""
        if self._ended or not self._wanted(event):
            return
        size, freed = size_of(event), 0
        # After a gap nothing is joined: what was before it stays before it.
        if self._joins and self._events and not self._dropped and isinstance(event, _DELTAS):
            joined = _joined(self._events[-1][0], event)
            if joined is not None and self._fits(size_of(joined) - self._events[-1][1]):
                freed = self._events.pop()[1]
                event, size = joined, size_of(joined)
        if self._fits(size - freed):
            self._note_dropped()
            self._events.append((event, size))
            self._waiting_bytes += size - freed
        else:
            self._dropped += 1
            self._dropped_bytes += size
        self._filled.set()

    def _fits(self, more_bytes: int) -> bool:
        # What is larger than the limit is bounded by the socket's; alone it may wait.
        return not self._events or self._waiting_bytes + more_bytes <= self._limit_bytes

    def _note_dropped(self) -> None:
        if self._dropped:
            lagged = LaggedEvent(count=self._dropped, bytes=self._dropped_bytes)
            self._events.append((lagged, _OVERHEAD_BYTES))
            self._waiting_bytes += _OVERHEAD_BYTES
            self._dropped = self._dropped_bytes = 0

    def flush(self, response_id: str | None) -> None:
        """Drop the audio that waits, of a response or of all: nobody is to hear it any more."""
        kept = [
            (event, size)
            for event, size in self._events
            if not isinstance(event, wire.ResponseAudioDeltaEvent)
            or response_id not in (None, event.response_id)
        ]
        self._events = deque(kept)
        self._waiting_bytes = sum(size for _, size in kept)

    def take(self, kind: type[E]) -> E | None:
        """Take the first event of a type that waits, before its turn; None if there is none."""
        for index, (event, size) in enumerate(self._events):
            if isinstance(event, kind):
                del self._events[index]
                self._waiting_bytes -= size
                return event
        return None

    def end(self, error: BaseException | None) -> None:
        """Let the consumer read what waits, and then end its iteration, with an error perhaps."""
        if not self._ended:
            self._ended, self._error = True, error
            self._note_dropped()
            self._filled.set()

    def close(self) -> None:
        """Take no more events, and forget those that wait."""
        self._events.clear()
        self._waiting_bytes = self._dropped = self._dropped_bytes = 0
        self.end(None)

    def poll(self) -> RealtimeEvent | None:
        """Return the next event, or None if none waits now.

        Raises:
            StopAsyncIteration: No more will come.
            TurnwireError: No more will come, for the session is lost for good.
        """
        if not self._events:
            self._note_dropped()
        if self._events:
            event, size = self._events.popleft()
            self._waiting_bytes -= size
            return event
        if not self._ended:
            return None
        if self._error is not None:
            raise copy(self._error)  # each raise adds to what an exception holds on to
        raise StopAsyncIteration

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> RealtimeEvent:
        """Return the next event; cancelling loses none.

        Raises:
            ConfigError: Another task waits for it already.
            TurnwireError: As of ``poll``.
        """
        if self._is_awaited:
            raise ConfigError(
                "another task reads this reader already, and each event goes to one of them;"
                " `rt.events()` gives a reader each, as `rt.audio()` and `rt.transcripts()` do"
            )
        self._is_awaited = True
        try:
            while (event := self.poll()) is None:
                self._filled.clear()
                await self._filled.wait()
        finally:
            self._is_awaited = False
        return event


def _joined(first: RealtimeEvent, second: RealtimeEvent) -> RealtimeEvent | None:
    """Return two deltas of one part as one, or None if they are none."""
    if type(first) is not type(second) or _place(first) != _place(second):
        return None
    if isinstance(first, wire.ResponseAudioDeltaEvent):
        audio = first.audio + cast("wire.ResponseAudioDeltaEvent", second).audio
        fits = len(audio) <= _LONGEST
        return msgspec.structs.replace(first, audio=audio, raw=b"") if fits else None
    if isinstance(first, _WORDS):
        delta = first.delta + cast("wire.ResponseTextDeltaEvent", second).delta
        return (
            msgspec.structs.replace(first, delta=delta, raw=b"") if len(delta) <= _LONGEST else None
        )
    return None


def _place(event: RealtimeEvent) -> tuple[object, ...]:
    names = ("response_id", "item_id", "content_index")
    return tuple(getattr(event, name, None) for name in names)
