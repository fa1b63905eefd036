"""Readers of one thing alone: the model's audio, the words of both sides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Literal, Self, TypeVar

from turnwire.errors import SlowConsumer
from turnwire.events import realtime as wire
from turnwire.events.realtime import AudioEvent, LaggedEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.events.realtime import RealtimeEvent
    from turnwire.realtime.subscription import Subscription

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Transcript:
    """Words of one side.

    Attributes:
        role: Who said them: ``user`` or ``assistant``.
        item_id: In which item.
        text: The next words; all of the item's words if it is final.
        final: Whether the item's words are complete.
    """

    role: Literal["user", "assistant"]
    item_id: str
    text: str = field(repr=False)
    final: bool


class Stream(Generic[T]):
    """What a subscription has, as something else; iterate it, from one task.

    It takes part as long as somebody holds it, so that leaving a loop is enough.

    Args:
        events: The subscription.
        limit_bytes: How much of it may wait.

    Raises:
        SlowConsumer: While iterating: more than ``buffer_bytes`` had to wait, so that some of it
            is missing.
    """

    def __init__(self, events: Subscription, limit_bytes: int) -> None:
        self._events = events
        self._limit_bytes = limit_bytes

    def _read(self, event: RealtimeEvent) -> T:
        raise NotImplementedError

    def _asks(self) -> None:
        """Note that the next one is asked for."""

    def poll(self) -> T | None:
        """Return the next one, or None if none waits now.

        Raises:
            StopAsyncIteration: No more will come.
            TurnwireError: As while iterating.
        """
        self._asks()
        event = self._events.poll()
        return None if event is None else self._taken(event)

    def close(self) -> None:
        """Read no more, and forget what waits."""
        self._asks()
        self._events.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        """Return the next one; cancelling loses none."""
        self._asks()
        return self._taken(await anext(self._events))

    def _taken(self, event: RealtimeEvent) -> T:
        if isinstance(event, LaggedEvent):
            self._events.close()
            waited = f"{self._limit_bytes} bytes waited for this reader, and {event.count} events"
            advice = "read in a task that does nothing else, or raise `buffer_bytes`"
            raise SlowConsumer(f"{waited} did not fit; {advice}", limit_bytes=self._limit_bytes)
        return self._read(event)


class AudioStream(Stream[AudioEvent]):
    """The model's audio.

    Args:
        events: All audio deltas.
        limit_bytes: How much of it may wait.
        played: Told of the size of a piece when the next one is asked for, and of how often the
            audio had been flushed when it was handed out; None if nobody is to be told.
        flushes: How often that is.
    """

    def __init__(
        self,
        events: Subscription,
        limit_bytes: int,
        played: Callable[[int, int], None] | None,
        flushes: Callable[[], int],
    ) -> None:
        super().__init__(events, limit_bytes)
        self._played = played
        self._flushes = flushes
        self._handed_out: tuple[int, int] | None = None

    def _asks(self) -> None:
        if self._handed_out is not None and self._played is not None:
            size_bytes, flushes = self._handed_out
            self._played(size_bytes, flushes)
        self._handed_out = None

    def _read(self, event: RealtimeEvent) -> AudioEvent:
        assert isinstance(event, wire.ResponseAudioDeltaEvent)  # nothing else is subscribed to
        self._handed_out = len(event.audio), self._flushes()
        return AudioEvent(
            data=event.audio,
            response_id=event.response_id,
            item_id=event.item_id,
            content_index=event.content_index,
        )


class TranscriptStream(Stream[Transcript]):
    """The words of both sides."""

    def _read(self, event: RealtimeEvent) -> Transcript:
        match event:
            case wire.ResponseAudioTranscriptDeltaEvent() | wire.ResponseTextDeltaEvent():
                return Transcript("assistant", event.item_id, event.delta, final=False)
            case wire.ResponseAudioTranscriptDoneEvent():
                return Transcript("assistant", event.item_id, event.transcript, final=True)
            case wire.ResponseTextDoneEvent():
                return Transcript("assistant", event.item_id, event.text, final=True)
            case wire.ConversationItemInputAudioTranscriptionDeltaEvent():
                return Transcript("user", event.item_id, event.delta, final=False)
            case wire.ConversationItemInputAudioTranscriptionCompletedEvent():
                return Transcript("user", event.item_id, event.transcript, final=True)
            case _:
                raise AssertionError(f"{event.type} has no words; it was not asked for")


_WORDS = frozenset(
    {
        wire.ResponseAudioTranscriptDeltaEvent,
        wire.ResponseAudioTranscriptDoneEvent,
        wire.ResponseTextDeltaEvent,
        wire.ResponseTextDoneEvent,
        wire.ConversationItemInputAudioTranscriptionDeltaEvent,
        wire.ConversationItemInputAudioTranscriptionCompletedEvent,
    }
)


def has_audio(event: RealtimeEvent) -> bool:
    """Say whether an event is for ``AudioStream``."""
    return isinstance(event, wire.ResponseAudioDeltaEvent)


def has_words(event: RealtimeEvent) -> bool:
    """Say whether an event is for ``TranscriptStream``."""
    return type(event) in _WORDS
