"""One client's session: what it said, what it is answered, and when.

Inputs come with the time; what is to be done is drained after each of them as actions, in order.
``deadline`` says when to come back if nothing happens sooner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from turnwire.gateway.json_shapes import UNREADABLE, is_object
from turnwire.gateway.voice.client_events import ANSWERS
from turnwire.gateway.voice.conversation import Items
from turnwire.gateway.voice.defaults import session_object
from turnwire.gateway.voice.formats import AudioFormat, format_of
from turnwire.gateway.voice.input_audio import InputAudio
from turnwire.gateway.voice.listening import Listening
from turnwire.gateway.voice.refusals import (
    Refused,
    expired_words,
    missing,
    not_json,
    session_expired,
    wrong_value,
)
from turnwire.gateway.voice.responding import Responding
from turnwire.gateway.voice.settings import VoiceSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.voice.model import Voice
    from turnwire.gateway.voice.responding import Allow

GOING_AWAY: Final = 1001
SHAPE_DISABLED: Final = 4000  # by which the service closes on errors of its own


@dataclass(frozen=True, slots=True)
class Send:
    """Send an event."""

    event: Json


@dataclass(frozen=True, slots=True)
class Close:
    """Close the socket, once all that was to be sent is out."""

    code: int
    reason: str = ""


Action = Send | Close


class VoiceSession:
    """The server's half of one socket.

    Args:
        voice: Who answers.
        settings: The defaults if None.
        model: The name that was dialled.
        now: The time in seconds, of any monotonic clock.
        wall_time: The same moment in seconds since 1970.
        new_id: Makes an id of a prefix that no other has.
        allow: Asked before each response; none are refused by default.

    Attributes:
        session: The session object, as the last ``session.updated`` has it.
        items: The default conversation.
        input: The input audio buffer.
        listening: What the user says.
        responding: What the model says.
        now: When the last thing happened.
        open: False once it is to be closed.
    """

    def __init__(
        self,
        voice: Voice,
        settings: VoiceSettings | None = None,
        *,
        model: str,
        now: float,
        wall_time: float,
        new_id: Callable[[str], str],
        allow: Allow | None = None,
    ) -> None:
        self.voice = voice
        self.settings = settings or VoiceSettings()
        self.new_id = new_id
        self.now = now
        self.open = True
        self._actions: list[Action] = []
        self._timers: list[tuple[float, Callable[[], None]]] = []
        max_age = self.settings.max_age
        expires_at = None if max_age is None else int(wall_time + max_age)
        self.session = session_object(new_id("sess"), model, expires_at)
        self.chain_id = new_id("conv")
        self.items = Items(self.settings.item_bytes)
        self.input = InputAudio(
            self.settings, self.input_format, self.session["audio"]["input"]["turn_detection"]
        )
        self.listening = Listening(self)
        self.responding = Responding(self, allow)
        if max_age is not None:
            self.later(max_age, lambda: self._expire(max_age))
        self.emit({"type": "session.created", "session": self.session})
        if self.settings.says_chain_created:
            chain = {"id": self.chain_id, "object": "realtime.conversation"}
            self.emit({"type": "conversation.created", "conversation": chain})

    @property
    def input_format(self) -> AudioFormat:
        """What the client says to send."""
        return format_of(self.session["audio"]["input"]["format"])

    @property
    def detection(self) -> Json | None:
        """How turns are detected, or None if the client says where they end."""
        detection: Json | None = self.session["audio"]["input"]["turn_detection"]
        return detection

    # Inputs

    def received(self, message: bytes | str, now: float) -> None:
        """Take one text message; whatever it is, it gets an answer."""
        self.advance(now)
        if not self.open:
            return
        event: Any = None
        try:
            event = msgspec.json.decode(message)
            if not is_object(event):
                raise not_json()
            self._answer(event)
        except UNREADABLE:
            self.refuse(not_json(), None)
        except Refused as refused:
            name = event.get("event_id") if is_object(event) else None
            self.refuse(refused, name if isinstance(name, str) else None)
        self.advance(now)

    def _answer(self, event: Json) -> None:
        kind = event.get("type")
        if kind is None:
            raise missing("type")
        if not isinstance(kind, str) or kind not in ANSWERS:
            raise wrong_value("type", kind, ANSWERS)
        ANSWERS[kind](self, event)

    def advance(self, now: float) -> None:
        """Do all that is due by this time, in its order."""
        while self.open:
            due = self.deadline
            if due is None or due > now:
                break
            self.now = max(self.now, due)
            if due == self.responding.due:
                self.responding.step()
            else:
                timer = min(self._timers, key=lambda each: each[0])
                self._timers.remove(timer)
                timer[1]()
        self.now = max(self.now, now)

    @property
    def deadline(self) -> float | None:
        """When something is due, or None."""
        if not self.open:
            return None
        times = [at for at, _ in self._timers]
        if self.responding.due is not None:
            times.append(self.responding.due)
        return min(times, default=None)

    def actions(self) -> list[Action]:
        """Take what is to be done."""
        actions, self._actions = self._actions, []
        return actions

    # What the parts of it do

    def emit(self, event: Json) -> None:
        """Send an event, which gets an id."""
        self._actions.append(
            Send({"type": event["type"], "event_id": self.new_id("event"), **event})
        )

    def refuse(self, refused: Refused, client_event_id: str | None = None) -> None:
        """Say no."""
        self.emit(refused.event(client_event_id))

    def close(self, code: int, reason: str = "") -> None:
        """Do nothing any more, and close."""
        if self.open:
            self.open = False
            self._actions.append(Close(code, reason))

    def later(self, seconds: float, what: Callable[[], None]) -> Callable[[], None]:
        """Do something after so many seconds; return what prevents it."""
        timer = (self.now + seconds, what)
        self._timers.append(timer)

        def prevent() -> None:
            if timer in self._timers:
                self._timers.remove(timer)

        return prevent

    def _expire(self, max_age: float) -> None:
        self.refuse(session_expired(max_age))
        self.close(GOING_AWAY, expired_words(max_age))
