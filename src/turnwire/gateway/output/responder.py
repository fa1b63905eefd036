"""One response: model deltas in, wire events out, in the one order that every client understands.

Pure: no clock, no I/O, no randomness; ids come from the caller.  Numbers and lanes are added by
whoever sends the events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from turnwire.gateway.output.items import ID_PREFIXES, CallItem, OutputItem, SpokenItem, Status
from turnwire.gateway.output.parts import PART_KINDS
from turnwire.gateway.output.response import usage_object
from turnwire.gateway.upstreams.deltas import (
    ArgumentsDelta,
    CallEnded,
    CallStarted,
    Delta,
    Finished,
    FinishReason,
    TextDelta,
    UsageReport,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.output.parts import Words


class Responder:
    """Builds the events of one response.

    Args:
        response: The response object at its start; not changed.
        new_id: Makes an id from its prefix, such as ``"msg"``.
    """

    def __init__(self, response: Json, new_id: Callable[[str], str]) -> None:
        self._response = response
        self._new_id = new_id
        self._speaking: SpokenItem | None = None
        self._calls: dict[int, CallItem] = {}
        self._output: dict[int, Json] = {}  # by output index: calls may end out of order
        self._opened = 0
        self._has_called = False
        self._usage: UsageReport | None = None
        self.finish: FinishReason | Literal["steered"] | None = None

    def begin(self) -> list[Json]:
        """Return the events that every response starts with."""
        return [
            {"type": "response.created", "response": self._response},
            {"type": "response.in_progress", "response": self._response},
        ]

    def feed(self, delta: Delta) -> list[Json]:
        """Take one piece from the model and return its events."""
        speaking = self._speaking
        if type(delta) is TextDelta and speaking is not None and speaking.says is TextDelta:
            return [speaking.grew(delta)]  # nearly all of them
        match delta:
            case CallStarted():
                return self._start_call(delta)
            case ArgumentsDelta(index, text):
                return [self._calls[index].grew(text)]
            case CallEnded(index):
                return self._close(self._calls.pop(index), "completed")
            case UsageReport():
                self._usage = delta
                return []
            case Finished(reason):
                self.finish = reason
                return []
            case _:
                return self._speak(delta)

    def _speak(self, words: Words) -> list[Json]:
        says = type(words)
        kind = PART_KINDS[says].item
        events: list[Json] = []
        if self._speaking is None or self._speaking.kind != kind:
            events = self._stop_speaking("completed")
            item_id = self._new_id(ID_PREFIXES[kind])
            self._speaking = SpokenItem(kind, item_id, self._next_index())
            events += self._speaking.opened()
        if self._speaking.says is not says:
            events += self._speaking.turned_to(says)
        events.append(self._speaking.grew(words))
        return events

    def _start_call(self, delta: CallStarted) -> list[Json]:
        events = self._stop_speaking("completed")
        call_id = delta.call_id or self._new_id("call")
        item_id = self._new_id(ID_PREFIXES[delta.kind])
        call = CallItem(item_id, self._next_index(), call_id, delta)
        self._calls[delta.index] = call
        self._has_called = True
        return events + call.opened()

    def _next_index(self) -> int:
        self._opened += 1
        return self._opened - 1

    def _stop_speaking(self, status: Status) -> list[Json]:
        speaking, self._speaking = self._speaking, None
        return self._close(speaking, status) if speaking else []

    def _close(self, item: OutputItem, status: Status) -> list[Json]:
        self._output[item.index], events = item.closed(status)
        return events

    @property
    def at_boundary(self) -> bool:
        """True if no item is open, and no call waits for the client."""
        return self._speaking is None and not self._has_called

    def ends_before(self, piece: Delta) -> bool:
        """Say whether a response that is steered ends before this piece: it begins an item."""
        if self._has_called:
            return False  # the client owes an answer, and what it says goes with that
        if type(piece) not in PART_KINDS:
            return isinstance(piece, CallStarted)
        speaking = self._speaking
        return speaking is None or speaking.kind != PART_KINDS[type(piece)].item

    def steered(self) -> list[Json]:
        """End between two items; return the events of the item that is whole now."""
        self.finish = "steered"
        return self._stop_speaking("completed")

    def cancelled(self) -> tuple[list[Json], Json]:
        """End the response at once; return the last events, the terminal one apart.

        No event is called after this status, and a failure would be tried again.
        """
        events = self._close_all("incomplete")
        return events, {
            "type": "response.incomplete",
            "response": self._final({"status": "cancelled"}),
        }

    def end(self, completed_at: int) -> tuple[list[Json], Json]:
        """Close what is open; return the last events, the terminal one apart.

        The caller has seen ``finish``: the model said everything it will say.
        """
        assert self.finish is not None  # a stream without it was cut: the caller calls `fail`
        whole = self.finish == "stop"
        events = self._close_all("completed" if whole else "incomplete")
        kind = "response.completed" if whole else "response.incomplete"
        changes: Json = (
            {"status": "completed", "completed_at": completed_at}
            if whole
            else {"status": "incomplete", "incomplete_details": {"reason": self.finish}}
        )
        return events, {"type": kind, "response": self._final(changes)}

    def fail(self, message: str, code: str) -> tuple[list[Json], Json]:
        """End the response because the model run failed."""
        events = self._close_all("incomplete")
        changes: Json = {"status": "failed", "error": {"code": code, "message": message}}
        return events, {"type": "response.failed", "response": self._final(changes)}

    def _close_all(self, status: Status) -> list[Json]:
        events = self._stop_speaking(status)
        for call in self._calls.values():
            events += self._close(call, status)
        self._calls.clear()
        return events

    def _final(self, changes: Json) -> Json:
        output = [self._output[index] for index in sorted(self._output)]
        return self._response | {"output": output, "usage": usage_object(self._usage)} | changes
