"""A served session without a socket: inputs with the time, what to write as steps, a deadline.

``RealtimeServer`` puts one under each of its sockets; a test without sockets drives one itself,
against a client's machine, on a clock of its own:

    served = ServedSession(reply(counted(3000)))
    served.received(b'{"type": "response.create"}', now=0.0)
    while served.deadline is not None and served.deadline < 10:
        served.advance(served.deadline)
        for step in served.steps(): ...
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec

from turnwire.gateway.voice.model import Spoken
from turnwire.gateway.voice.session import Close as SessionClose
from turnwire.gateway.voice.session import Send, VoiceSession
from turnwire.gateway.voice.settings import VoiceSettings
from turnwire.testing.realtime import dialect
from turnwire.testing.realtime.faults import FaultLine, Hold, Json, Pieces
from turnwire.testing.realtime.script import Script, ScriptedVoice, counted, reply
from turnwire.testing.realtime.sounds import Counted, Toned
from turnwire.testing.realtime.told import faults_of
from turnwire.testing.steps import Close, Drop, HalfOpen, Say, WithholdPongs

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.gateway.voice.formats import AudioFormat
    from turnwire.testing.realtime.faults import Step
    from turnwire.testing.realtime.told import Faults

WireStep = Say | Pieces | Close | Drop | HalfOpen | WithholdPongs


@dataclass(frozen=True, slots=True)
class Stamped:
    """An event and when it came or was written, in seconds of the clock."""

    at: float
    event: Json


class ServedSession:
    """One session of the scripted server.

    Args:
        script: What the model says; a second of counted audio by default.
        settings: How it behaves; the defaults if None.
        faults: What happens on the way; one of them or several.
        transcribe: What the user has said; by default as the built-in voice hears tones.
        model: The name that was dialled.
        now: The time in seconds.
        wall_time: The same moment in seconds since 1970.
        is_beta: Whether a flat ``session.update`` is understood.
        new_id: Makes an id of a prefix; counted from 1 if None.

    Attributes:
        session: The session itself: ``session.session``, ``session.items``, ``session.input``.
        received_events: Every JSON object that came, with its time.
        sent_events: Every event that was written, with its time, as it was written.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        settings: VoiceSettings | None = None,
        faults: Faults = (),
        transcribe: Callable[[bytes, AudioFormat], str] | None = None,
        model: str = "gpt-realtime-2.1",
        now: float = 0.0,
        wall_time: float = 1_700_000_000.0,
        is_beta: bool = False,
        new_id: Callable[[str], str] | None = None,
    ) -> None:
        self.voice = ScriptedVoice(reply(counted()) if script is None else script, transcribe)
        self._line = FaultLine(faults_of(faults))
        self._is_beta = is_beta
        self._waiting: deque[tuple[float, Step]] = deque()
        self._held_until = now
        self._steps: list[WireStep] = []
        self.received_events: list[Stamped] = []
        self.sent_events: list[Stamped] = []
        self.session = VoiceSession(
            self.voice,
            settings or replace(VoiceSettings(), says_chain_created=False),
            model=model,
            now=now,
            wall_time=wall_time,
            new_id=new_id or counting_ids(),
        )
        self._pump(now)

    # What a test asks

    @property
    def responses(self) -> int:
        """How many responses were generated: the model runs."""
        return self.session.responding.count

    @property
    def numbers(self) -> dict[str, int]:
        """The numbers of the items whose sound tells them, by the items' ids."""
        return {
            item_id: saying.sound.item
            for replied in self.voice.replies
            for item_id, saying in zip(replied.item_ids, replied.sayings, strict=False)
            if isinstance(saying, Spoken) and isinstance(saying.sound, Counted | Toned)
        }

    def received_of(self, type: str) -> list[Json]:  # noqa: A002  # the wire's word
        """Return the client's events of a type, in order."""
        return [each.event for each in self.received_events if each.event.get("type") == type]

    def sent_of(self, type: str) -> list[Json]:  # noqa: A002  # the wire's word
        """Return the events of a type that were written, in order."""
        return [each.event for each in self.sent_events if each.event.get("type") == type]

    # Inputs

    def received(self, message: bytes | str, now: float) -> None:
        """Take one text message of the client."""
        self.advance(now)
        event = _object(message)
        if event is None:
            self.session.received(message, now)
        else:
            self.received_events.append(Stamped(now, event))
            self._serve(event, now)
        self._pump(now)

    def _serve(self, event: Json, now: float) -> None:
        fault = self._line.client_fault(event)
        if fault is None:
            event = dialect.of_beta(event) if self._is_beta else event
            self.session.received(msgspec.json.encode(event), now)
        elif fault.error is not None:
            error = fault.error | {"event_id": event.get("event_id")}
            self.session.emit({"type": "error", "error": error})

    def advance(self, now: float) -> None:
        """Do all that is due by this time, each at its own."""
        while (due := self.deadline) is not None and due <= now:
            self.session.advance(due)
            self._pump(due)
        self.session.advance(now)
        self._pump(now)

    def send(self, event: Json, now: float) -> None:
        """Send any event, past the session's state."""
        self.session.emit(event)
        self._pump(now)

    def go_on(self, now: float) -> None:
        """End a stall."""
        self._held_until = now
        self._pump(now)

    @property
    def deadline(self) -> float | None:
        """When something is due, or None."""
        times = [] if self.session.deadline is None else [self.session.deadline]
        if self._waiting and self._held_until < float("inf"):
            times.append(self._held_until)
        return min(times, default=None)

    def steps(self) -> list[WireStep]:
        """Take what is to be written, in order."""
        steps, self._steps = self._steps, []
        return steps

    # On the way

    def _pump(self, now: float) -> None:
        for action in self.session.actions():
            match action:
                case Send(event):
                    self._note(event)
                    self._waiting.extend((now, step) for step in self._line.steps(event))
                case SessionClose(code, reason):
                    self._waiting.append((now, Close(code, reason)))
        while self._waiting and self._held_until <= now:
            since, step = self._waiting.popleft()
            if isinstance(step, Hold):  # counted from when it would have been sent
                self._held_until = max(self._held_until, since + step.seconds)
            else:
                self._write(step, now)

    def _write(self, step: Json | WireStep, now: float) -> None:
        if isinstance(step, dict):
            self.sent_events.append(Stamped(now, step))
            self._steps.append(Say(msgspec.json.encode(step)))
            return
        if isinstance(step, Pieces):
            self.sent_events.append(Stamped(now, msgspec.json.decode(step.data)))
        self._steps.append(step)
        if isinstance(step, Close | Drop | HalfOpen):
            self._waiting.clear()
            self._held_until = float("inf")
            self.session.open = False

    def _note(self, event: Json) -> None:
        """Keep which names the script's items got; the n-th response created is the n-th asked."""
        if event["type"] == "response.created":
            unnamed = (each for each in self.voice.replies if each.response_id is None)
            next(unnamed).response_id = event["response"]["id"]
        elif event["type"] == "response.output_item.added":
            for each in self.voice.replies:
                if each.response_id == event["response_id"]:
                    each.item_ids.append(event["item"]["id"])


def counting_ids() -> Callable[[str], str]:
    """Return what makes ids that are numbered from 1, so that stories run the same each time."""
    numbers = count(1)
    return lambda prefix: f"{prefix}_{next(numbers)}"


def _object(message: bytes | str) -> Json | None:
    try:
        value: Any = msgspec.json.decode(message)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None  # pyright: ignore[reportUnknownVariableType]
