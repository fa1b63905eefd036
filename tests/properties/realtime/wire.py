"""A line on which things go wrong, whose ends are watched by somebody who forgets nothing.

Knows the protocol, and nothing of what the machine thinks of it.
"""

from __future__ import annotations

from base64 import b64decode
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from core.realtime.line import LATENCY, Line
from properties.invariants import require
from turnwire.core.failure import CloseInfo, Failure, FailureKind
from turnwire.events import realtime as wire
from turnwire.gateway.voice.session import Send

if TYPE_CHECKING:
    from turnwire.core.realtime.actions import Action

Json = dict[str, Any]
NAME: Final = "turnwire_event_id"
BUSY: Final = "conversation_already_has_active_response"

# What becomes of an event of the server: its types, and how often it arrives.
MISHAPS: Final = {
    "created twice": ("response.created", 2),
    "done twice": ("response.done", 2),
    "added twice": ("conversation.item.added", 2),
    "item done twice": ("response.output_item.done", 2),
    "announced twice": ("response.output_item.added", 2),
    "delta twice": ("response.output_audio.delta", 2),
    "deleted twice": ("conversation.item.deleted", 2),
    "no created": ("response.created", 0),
    "no done": ("response.done", 0),
    "no audio done": ("response.output_audio.done", 0),
    "no stop": ("input_audio_buffer.speech_stopped", 0),
    "no echo": ("session.updated", 0),
    "nameless error": ("error", 1),
}


@dataclass
class Seen:
    """What came to one server, and from it, in the order of the wire."""

    items: set[str] = field(default_factory=set[str])  # created and not deleted
    gone: set[str] = field(default_factory=set[str])
    asked: set[str] = field(default_factory=set[str])  # creates without an end
    truncates: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    longer: Counter[str] = field(default_factory=Counter[str])  # truncates that were too long
    audio: bytearray = field(default_factory=bytearray)
    refused_commits: int = 0


class Wire(Line):
    """A line with mishaps, a writer that may stall, and invariants of what is written."""

    def __init__(self, script: Any, **options: Any) -> None:
        super().__init__(script, **options)
        self.mishaps: deque[str] = deque()
        self.hurt = False  # whether anything but sockets was harmed
        self.stalled = False
        self.seen: dict[int, Seen] = {}
        self.received_ms: Counter[tuple[str, int]] = Counter()

    def _act(self) -> None:
        super()._act()
        for generation, served in self.sockets.items():
            if not served.open:
                left = self.machine.pull(generation, self.now)
                require("nothing is written on a socket that is gone", left is None, left)

    def _perform(self, action: Action) -> None:
        super()._perform(action)
        if self.ended:
            require("the end comes last and once", len(self.ended) == 1, action)

    # Sockets.

    def _dialled(self, generation: int) -> None:
        if self.dials and self.dials[0] == "refuse":
            self.dials.pop(0)
            failure = Failure(FailureKind.REFUSED, "not now", status=503)
            self.machine.refused(generation, failure, self.now)
            return
        if self.dials and self.dials[0] == "close":  # taken, and closed before a word
            self.dials.pop(0)
            self.machine.opened(generation, self.now)
            info = CloseInfo(1013, "try again")
            self._later(LATENCY, lambda: self.machine.lost(generation, info, self.now))
            return
        self.seen[generation] = Seen()
        super()._dialled(generation)

    def _write(self, generation: int) -> None:
        if not self.stalled:
            super()._write(generation)

    def flow(self) -> None:
        """Have the writer go on."""
        self.stalled = False
        for generation, served in list(self.sockets.items()):
            if served.open:
                self._write(generation)

    # From the server.

    def _speak(self, generation: int) -> None:
        served = self.sockets[generation]
        for action in served.session.actions():
            if isinstance(action, Send):
                event = dict(action.event)
                served.said.append(event)
                self._note_said(self.seen[generation], event)
                for each in self._harmed(event):
                    data = msgspec.json.encode(each)
                    self._later(LATENCY, lambda data=data: self._arrive(generation, data))
            else:
                info = CloseInfo(action.code, action.reason)
                self._later(LATENCY, lambda info=info: self._closed(generation, info))

    def _harmed(self, event: Json) -> list[Json]:
        if not self.mishaps:
            return [event]
        kind, times = MISHAPS[self.mishaps[0]]
        if event["type"] != kind:
            return [event]
        self.mishaps.popleft()
        self.hurt = True
        if kind == "error":
            event = {**event, "error": {**event["error"], "event_id": None}}
        return [event] * times

    def _note_said(self, seen: Seen, event: Json) -> None:
        match event:
            case {"type": "response.done", "response": {"metadata": {"turnwire_event_id": name}}}:
                seen.asked.discard(name)
            case {"type": "error", "error": error}:
                seen.asked.discard(error["event_id"])
                if "already shorter" in error["message"]:
                    seen.longer[error["event_id"]] += 1
                seen.refused_commits += error["code"] == "input_audio_buffer_commit_empty"
            case {"type": "conversation.item.added", "item": {"id": item_id}}:
                seen.items.add(item_id)
                seen.gone.discard(item_id)
            case _:
                pass

    def _arrive(self, generation: int, data: bytes) -> None:
        event = msgspec.json.decode(data)
        is_spoken_on = generation == self.machine.generation
        if event["type"] == "response.output_audio.delta" and is_spoken_on:
            ms = len(b64decode(event["delta"])) / 48
            self.received_ms[event["item_id"], event["content_index"]] += ms
        super()._arrive(generation, data)

    # To the server.

    def _hear(self, generation: int, message: bytes) -> None:
        if self.sockets[generation].open:
            self._check(self.seen[generation], msgspec.json.decode(message))
        super()._hear(generation, message)

    def _check(self, seen: Seen, event: Json) -> None:
        match event["type"]:
            case "response.create":
                self._check_create(seen, event)
            case "conversation.item.create":
                item_id, place = event["item"]["id"], event.get("previous_item_id")
                require("no item is created twice on a session", item_id not in seen.items, event)
                seen.items.add(item_id)
                seen.gone.discard(item_id)
                require("no item follows one that is gone", place not in seen.gone, event)
            case "conversation.item.delete":
                require("no item is deleted twice", event["item_id"] not in seen.gone, event)
                seen.gone.add(event["item_id"])
                seen.items.discard(event["item_id"])
            case "conversation.item.truncate":
                self._check_truncate(seen, event)
            case "input_audio_buffer.append":
                seen.audio += b64decode(event["audio"])
            case _:
                pass

    def _check_create(self, seen: Seen, event: Json) -> None:
        if event["response"].get("conversation") == "none":
            return
        name = event["response"]["metadata"][NAME]
        require("one create at a time", not seen.asked or self.hurt, seen.asked, name)
        seen.asked.add(name)

    def _check_truncate(self, seen: Seen, event: Json) -> None:
        part = (event["item_id"], event["content_index"])
        require("nothing is said of what is gone", part[0] not in seen.gone, event)
        seen.truncates[part] += 1
        most = 1 + (len(seen.longer) > 0)
        require("a part is truncated once", seen.truncates[part] <= most, event)
        within = event["audio_end_ms"] <= self.received_ms[part]
        require("no more was heard than came", within, event, self.received_ms[part])


def is_busy(answer: wire.RealtimeEvent | Failure) -> bool:
    """Say whether a caller is told what is none of its business."""
    if isinstance(answer, Failure):
        return answer.code == BUSY
    return isinstance(answer, wire.RealtimeErrorEvent) and answer.error.code == BUSY
