"""The machine and a served voice session with nothing between them but a delay, and no clock.

The server's half is another reading of the protocol than the machine's; see `gateway/voice`.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec

from turnwire.core.failure import CloseInfo, Failure
from turnwire.core.realtime import actions
from turnwire.core.realtime.machine import RealtimeMachine
from turnwire.core.realtime.playhead import VirtualClock
from turnwire.core.realtime.settings import RealtimeSettings
from turnwire.gateway.voice.session import Close, Send, VoiceSession
from turnwire.gateway.voice.settings import VoiceSettings
from turnwire.testing.realtime.script import ScriptedVoice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from turnwire.core.realtime.playhead import Playhead
    from turnwire.events.realtime import RealtimeEvent
    from turnwire.testing.realtime.script import Script

LATENCY = 0.005
STEPS_AT_ONCE = 3000  # more in one moment is a machine that spins
EPOCH = 1_000_000.0


@dataclass
class Served:
    """A socket, seen from the server: what it was told, and what it said."""

    session: VoiceSession
    told: list[dict[str, Any]] = field(default_factory=list)
    said: list[dict[str, Any]] = field(default_factory=list)
    open: bool = True

    def told_of(self, *kinds: str) -> list[dict[str, Any]]:
        """Return what it was told of some kinds, without what differs from run to run."""
        return [
            {name: event[name] for name in event if name != "event_id"}
            for event in self.told
            if event["type"] in kinds
        ]


class Line:
    """A machine, and the server that it dials."""

    def __init__(
        self,
        script: Script,
        *,
        session: Mapping[str, Any] | None = None,
        playhead: Playhead | None = None,
        voice: VoiceSettings | None = None,
        change: Callable[[dict[str, Any]], dict[str, Any] | None] = lambda event: event,
        **settings: Any,
    ) -> None:
        self.now = 0.0
        self.machine = RealtimeMachine(
            RealtimeSettings(**settings),
            session or {},
            playhead or VirtualClock(),
            began=EPOCH,
        )
        self.script = script
        self.voice = voice or VoiceSettings()
        self.change = change
        self.dials: list[str] = []  # what becomes of the next ones: "refuse", "fail", or served
        self.sockets: dict[int, Served] = {}
        self.events: list[RealtimeEvent] = []
        self.answers: dict[int, list[RealtimeEvent | Failure]] = {}
        self.flushes: list[float] = []
        self.logs: list[str] = []
        self.ended: list[Failure | None] = []
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._at_once = 0
        self._moment = -1.0
        self._ids = count()

    # What tests do.

    def start(self) -> Line:
        """Connect."""
        self.machine.open(self.now)
        self.run(1.0)
        return self

    def run(self, seconds: float) -> None:
        """Let time pass."""
        until = self.now + seconds
        self._act()
        while (due := self._next_due()) is not None and due <= until + 1e-9:
            self.now = max(self.now, due)
            self._do_due()
        self.now = max(self.now, until)
        self._act()

    def until(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        """Let time pass until something is so."""
        end = self.now + seconds
        self._act()
        while not condition():
            due = self._next_due()
            assert due is not None, "nothing will happen any more"
            assert due <= end, "it did not happen"
            self.now = max(self.now, due)
            self._do_due()

    def do(self, wish: Callable[[RealtimeMachine], Any]) -> Any:
        """Have the caller wish for something now."""
        result = wish(self.machine)
        self._act()
        return result

    def drop(self, code: int = 1006, reason: str = "") -> None:
        """Drop the live socket."""
        generation = self.machine.generation
        self.sockets[generation].open = False
        self.machine.lost(generation, CloseInfo(code, reason), self.now)
        self._act()

    def say(self, event: dict[str, Any]) -> None:
        """Have the server say something out of the line."""
        self.machine.received(self.machine.generation, msgspec.json.encode(event), self.now)
        self._act()

    @property
    def live(self) -> Served:
        """The socket that is spoken on."""
        return self.sockets[self.machine.generation]

    def types(self) -> list[str]:
        """Return the types of the events so far."""
        return [event.type for event in self.events]

    def of(self, kind: type[Any]) -> list[Any]:
        """Return the events of a kind."""
        return [event for event in self.events if isinstance(event, kind)]

    # How it goes.

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (self.now + seconds, next(self._order), what))

    def _next_due(self) -> float | None:
        due = [self._queue[0][0]] if self._queue else []
        due += [one for one in (self.machine.deadline(self.now),) if one is not None]
        due += [
            served.session.deadline
            for served in self.sockets.values()
            if served.open and served.session.deadline is not None
        ]
        return min(due, default=None)

    def _do_due(self) -> None:
        self._at_once = self._at_once + 1 if self.now == self._moment else 0
        self._moment = self.now
        assert self._at_once < STEPS_AT_ONCE, "the machine spins"
        while self._queue and self._queue[0][0] <= self.now + 1e-9:
            heapq.heappop(self._queue)[2]()
            self._act()
        for generation, served in list(self.sockets.items()):
            if served.open:
                served.session.advance(self.now)
                self._speak(generation)
        deadline = self.machine.deadline(self.now)
        if deadline is not None and deadline <= self.now + 1e-9:
            self.machine.tick(self.now)
        self._act()

    def _act(self) -> None:
        while found := self.machine.actions():
            for action in found:
                self._perform(action)

    def _perform(self, action: actions.Action) -> None:
        match action:
            case actions.Dial(generation):
                self._later(LATENCY, lambda: self._dialled(generation))
            case actions.Wake(generation):
                self._write(generation)
            case actions.Close(generation):
                if generation in self.sockets:
                    self.sockets[generation].open = False
            case actions.Deliver(event):
                self.events.append(event)
            case actions.Settle(ticket, answer):
                self.answers.setdefault(ticket, []).append(answer)
            case actions.Flush():
                self.flushes.append(self.now)
            case actions.Log(message):
                self.logs.append(message)
            case actions.End(failure):
                self.ended.append(failure)

    def _dialled(self, generation: int) -> None:
        becomes = self.dials.pop(0) if self.dials else "open"
        if becomes == "fail":
            self.machine.lost(generation, CloseInfo(1006, "no answer", reached=False), self.now)
            return
        session = VoiceSession(
            ScriptedVoice(self.script, None),
            self.voice,
            model="tones",
            now=self.now,
            wall_time=self.now + EPOCH,
            new_id=lambda kind: f"{kind}_s{next(self._ids)}",
        )
        self.sockets[generation] = Served(session)
        self.machine.opened(generation, self.now)
        self._speak(generation)

    def _write(self, generation: int) -> None:
        served = self.sockets.get(generation)
        while (message := self.machine.pull(generation, self.now)) is not None:
            if served is not None and served.open:
                self._later(LATENCY, lambda message=message: self._hear(generation, message))

    def _hear(self, generation: int, message: bytes) -> None:
        served = self.sockets[generation]
        if served.open:
            served.told.append(msgspec.json.decode(message))
            served.session.received(message, self.now)
            self._speak(generation)

    def _speak(self, generation: int) -> None:
        served = self.sockets[generation]
        for action in served.session.actions():
            match action:
                case Send(event):
                    changed = self.change(dict(event))
                    if changed is not None:
                        served.said.append(changed)
                        data = msgspec.json.encode(changed)
                        self._later(LATENCY, lambda data=data: self._arrive(generation, data))
                case Close(code, reason):
                    info = CloseInfo(code, reason)
                    self._later(LATENCY, lambda info=info: self._closed(generation, info))

    def _arrive(self, generation: int, data: bytes) -> None:
        if self.sockets[generation].open:
            self.machine.received(generation, data, self.now)

    def _closed(self, generation: int, info: CloseInfo) -> None:
        if self.sockets[generation].open:
            self.sockets[generation].open = False
            self.machine.lost(generation, info, self.now)
