"""One call's stream, both ways, without I/O: time is an argument, messages are texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from turnwire.core.realtime.playback import Part
from turnwire.events.realtime import (
    InputAudioBufferSpeechStartedEvent,
    InputAudioBufferSpeechStoppedEvent,
    ResponseAudioDeltaEvent,
    ResponseAudioDoneEvent,
    ResponseDoneEvent,
)
from turnwire.realtime.twilio.events import (
    CallStartedEvent,
    CallStoppedEvent,
    MarkPlayedEvent,
    MediaHeard,
)
from turnwire.realtime.twilio.hearing import Hearing, HearingSettings
from turnwire.realtime.twilio.words import decode, encode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from turnwire.events.realtime import RealtimeEvent
    from turnwire.realtime.twilio.playout import Playout


@dataclass(frozen=True, slots=True)
class Received:
    """What a message brought.

    Attributes:
        audio: For the model to hear, in the line's format; silence for gaps included.
        event: For the application, or None.
    """

    audio: bytes = b""
    event: RealtimeEvent | None = None


class MediaStream:
    """A call: what its messages mean, and which messages are to be sent.

    Args:
        playout: What the caller hears; the session's playhead too.
        hearing: How holes in what the caller says are filled.

    Attributes:
        started: The call, once it has begun: nothing is sent before.
        is_over: True once the line said that it is.
    """

    def __init__(self, playout: Playout, hearing: HearingSettings | None = None) -> None:
        self.playout = playout
        self.hearing = Hearing(hearing)
        self.started: CallStartedEvent | None = None
        self.is_over = False

    # The line.

    def received(self, message: str | bytes | Mapping[str, Any], now: float) -> Received:
        """Take a message.

        Raises:
            ProtocolError: It is none of the line's; nothing was changed.
        """
        event = decode(message)
        match event:
            case MediaHeard():
                return Received(audio=self.hearing.heard(event, now))
            case MarkPlayedEvent(name=name) if self.playout.echoed(name, now):
                return Received()
            case CallStartedEvent():
                self.started = event
            case CallStoppedEvent():
                self.is_over = True
            case _:
                pass
        return Received(event=event)

    def pull(self, now: float) -> str | None:
        """Return the next message to be sent; None if there is none for now."""
        if self.started is None or self.is_over:
            return None
        outgoing = self.playout.pull(now)
        return None if outgoing is None else encode(outgoing, self.started.stream_id)

    def deadline(self) -> float | None:
        """Return when ``tick`` has something to say, or None."""
        return None if self.is_over else self.hearing.deadline()

    def tick(self, now: float) -> bytes:
        """Return audio for the model to hear because the line is mute."""
        return self.hearing.tick(now)

    # The session.

    def told(self, event: RealtimeEvent) -> None:
        """Take an event of the session's in."""
        match event:
            case ResponseAudioDeltaEvent():
                part = Part(event.response_id, event.item_id, event.content_index)
                self.playout.play(part, event.audio)
            case ResponseAudioDoneEvent() | ResponseDoneEvent():
                self.playout.finish()
            case InputAudioBufferSpeechStartedEvent():
                self.hearing.speaks(speaking=True)
            case InputAudioBufferSpeechStoppedEvent():
                self.hearing.speaks(speaking=False)
            case _:
                pass
