"""A client for tests of the voice session: no socket, time by hand, every event looked at.

Whatever the session sends is validated against the models of the official package.
"""

from __future__ import annotations

import base64
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

import msgspec
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from turnwire.gateway.voice.formats import PCM
from turnwire.gateway.voice.session import Close, Send, VoiceSession
from turnwire.gateway.voice.settings import VoiceSettings
from turnwire.gateway.voice.tones import Burst, Tones, TonesVoice, spoken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from turnwire.gateway.voice.formats import AudioFormat
    from turnwire.gateway.voice.model import Asked, Saying

Json = dict[str, Any]


@cache
def models() -> dict[str, TypeAdapter[Any]]:
    """Return what reads the events of each type in the official package."""
    (union, *_) = get_args(RealtimeServerEvent)
    return {
        get_args(each.model_fields["type"].annotation)[0]: TypeAdapter(each)
        for each in get_args(union)
    }


def assert_on_the_wire(event: Json) -> None:
    """Check that an event is one that the official package reads."""
    models()[event["type"]].validate_python(event)


def tone(ms: float, form: AudioFormat = PCM, hz: int = 440) -> bytes:
    """Return audio that is loud."""
    return Tones([Burst(0, ms, hz)], ms).audio(0, form.count(ms), form)


def base64_of(audio: bytes) -> str:
    return base64.b64encode(audio).decode()


class Says:
    """A voice that says what it is told; a word for each 200 ms by default."""

    def __init__(self, *replies: Sequence[Saying]) -> None:
        self._replies = replies
        self.asked: list[Asked] = []

    def reply(self, asked: Asked) -> Sequence[Saying]:
        self.asked.append(asked)
        if not self._replies:
            return [spoken("one two three four five")]
        return self._replies[min(len(self.asked), len(self._replies)) - 1]

    def transcribe(self, audio: bytes, form: AudioFormat) -> str:
        return TonesVoice().transcribe(audio, form)


class Story:
    """One session and what it said.

    Attributes:
        sent: Every event, with its time.
        closed: How it was closed, or None.
    """

    def __init__(
        self, *replies: Sequence[Saying], voice: Any = None, allow: Any = None, **settings: Any
    ) -> None:
        numbers = iter(range(10**6))
        self.voice = voice or Says(*replies)
        self.now = 0.0
        self.sent: list[tuple[float, Json]] = []
        self.closed: Close | None = None
        self.session = VoiceSession(
            self.voice,
            VoiceSettings(**settings),
            model="gpt-realtime-2.1",
            now=0.0,
            wall_time=1000.0,
            new_id=lambda prefix: f"{prefix}_{next(numbers)}",
            allow=allow,
        )
        self._take()

    def _take(self) -> list[Json]:
        events: list[Json] = []
        for action in self.session.actions():
            if isinstance(action, Close):
                self.closed = action
            else:
                assert isinstance(action, Send)
                # As bytes: what is sent must not change when the session goes on.
                event = msgspec.json.decode(msgspec.json.encode(action.event))
                assert_on_the_wire(event)
                events.append(event)
        self.sent += [(self.now, event) for event in events]
        return events

    def send(self, type: str, **members: Any) -> list[Json]:  # noqa: A002
        """Send an event; return what is answered at once."""
        return self.say({"type": type, **members})

    def say(self, message: Any) -> list[Json]:
        data = message if isinstance(message, bytes) else msgspec.json.encode(message)
        self.session.received(data, self.now)
        return self._take()

    def until(self, now: float) -> list[Json]:
        """Let time pass, event by event; return what is said meanwhile."""
        events: list[Json] = []
        while (due := self.session.deadline) is not None and due <= now:
            self.now = max(self.now, due)
            self.session.advance(self.now)
            events += self._take()
        self.now = now
        self.session.advance(now)
        return events + self._take()

    def quiet(self, horizon: float = 60.0) -> list[Json]:
        """Let everything come to its end."""
        return self.until(self.now + horizon)

    def append(self, audio: bytes) -> list[Json]:
        return self.send("input_audio_buffer.append", audio=base64_of(audio))

    def write(self, text: str, **members: Any) -> list[Json]:
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        return self.send("conversation.item.create", item={**item, **members})

    def configure(self, **session: Any) -> list[Json]:
        return self.send("session.update", session={"type": "realtime", **session})

    def respond(self, **response: Any) -> Json:
        """Ask for a response and return it when it is done."""
        events = self.send("response.create", response=response) + self.quiet()
        return next(event for event in events if event["type"] == "response.done")["response"]

    def session_events(self, type: str) -> list[Json]:  # noqa: A002
        """Return all events of a type."""
        return [event for _, event in self.sent if event["type"] == type]

    def refused(self, type: str, **members: Any) -> tuple[str, str]:  # noqa: A002
        """Send an event that is refused with its own name; return the code and the words."""
        (event,) = self.send(type, event_id="mine", **members)
        assert (event["type"], event["error"]["event_id"]) == ("error", "mine"), event
        return event["error"]["code"], event["error"]["message"]


def types(events: Sequence[Json]) -> list[str]:
    """Return the types of events, deltas in a row once."""
    found: list[str] = []
    for event in events:
        if not (found and found[-1] == event["type"] and found[-1].endswith("delta")):
            found.append(event["type"])
    return found


def only(events: Sequence[Json], type: str) -> Json:  # noqa: A002
    (event,) = (each for each in events if each["type"] == type)
    return event


def audio_of(events: Sequence[Json], pick: Callable[[Json], bool] = lambda _: True) -> bytes:
    """Return the audio of the deltas."""
    deltas = (
        each for each in events if each["type"] == "response.output_audio.delta" and pick(each)
    )
    return b"".join(base64.b64decode(each["delta"]) for each in deltas)
