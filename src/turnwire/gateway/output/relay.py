"""One response of an upstream that speaks Responses itself: its events in, the client's events out.

Pure.  What is the gateway's own is put in its place: the response's id, the parent's id, and all
that the create said.  Everything else passes as it came: ids of items and calls (interop rule R14),
texts, kinds of items and of events that nobody here knows.  Numbers and lanes are added by whoever
sends the events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from turnwire.core.failure import failure_of_event
from turnwire.core.history import HistoryItem, unanswered, without_half_calls
from turnwire.core.signals import signal_of
from turnwire.core.snapshot import DELTAS, Snapshot
from turnwire.core.turn import TERMINAL_SIGNALS, TurnSignal
from turnwire.events import (
    STEERS,
    Event,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    TurnRestartedEvent,
    TurnResumedEvent,
)
from turnwire.gateway.json_shapes import Json, is_object, object_or_empty
from turnwire.gateway.output.positions import Positions
from turnwire.gateway.output.response import usage_object
from turnwire.gateway.output.unstreamed import call_done, is_call, item_done, whole_item_events
from turnwire.gateway.upstreams import UpstreamFailed
from turnwire.gateway.upstreams.failures import CUT
from turnwire.gateway.upstreams.responses.failing import upstream_failed

if TYPE_CHECKING:
    from turnwire.core.snapshot import Delta

_decode: Final = msgspec.json.Decoder(Json).decode

# Strict clients want `logprobs` in these, and some servers leave them out (R16).
_WITH_LOGPROBS: Final = frozenset({"response.output_text.delta", "response.output_text.done"})
# What an upstream knows and the create does not: how it went.
_OUTCOME: Final = frozenset(
    {
        "completed_at", "error", "incomplete_details", "output", "service_tier", "status", "usage",
    }
)  # fmt: skip
_CALL_DONE: Final = frozenset(
    {"response.custom_tool_call_input.done", "response.function_call_arguments.done"}
)
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Relay:
    """Builds the events of one response from those of the upstream's.

    Args:
        response: The response object at its start; not changed.

    Attributes:
        finish: Why the response ended: ``"stop"``, or why it is incomplete; None until then.
    """

    def __init__(self, response: Json) -> None:
        self._response = response
        self._ours = {name: value for name, value in response.items() if name not in _OUTCOME}
        self._snapshot = Snapshot()
        self._positions = Positions()
        self._whole_calls: set[int | None] = set()  # output indexes
        self._begun: set[int] = set()  # output indexes of the items that were shown
        self._terminal: Event | None = None
        self._shown = False
        self.finish: str | None = None

    def feed(self, event: Event) -> list[Json]:
        """Take one event of the upstream and return those for the client.

        Raises:
            UpstreamFailed: The response failed, or began anew after output of it was shown, or
                the event cannot be read.
        """
        try:
            event = self._positions.placed(event)
            if type(event) in DELTAS:  # by far the most common event
                return [self._delta(event)]  # type: ignore[arg-type]  # the classes of Delta
            return self._feed(event)
        except _UNREADABLE as error:
            message = "The model server sent an event that cannot be read."
            raise UpstreamFailed(message, code=CUT) from error

    def _feed(self, event: Event) -> list[Json]:
        signal = signal_of(event)
        if signal in TERMINAL_SIGNALS:
            self._end(event, signal)
            return []
        if isinstance(event, TurnRestartedEvent | TurnResumedEvent):
            self._check_beginning(event)
            return []
        if signal is TurnSignal.ACCEPT or type(event) in STEERS:
            return []  # the client has its own beginning, and nobody here has steered
        self._note(event)
        self._shown |= signal is TurnSignal.PRODUCE
        members = self._as_ours(_members(event))
        return [*self._call_done(members), members]

    def _call_done(self, event: Json) -> list[Json]:
        """Return what a server has left out that ends a call, before the event that ends its item.

        llama.cpp does, and clients may wait for it (interop rule R16).
        """
        kind, index = event["type"], event.get("output_index")
        if kind in _CALL_DONE:
            self._whole_calls.add(index)
        item = object_or_empty(event.get("item"))
        if kind != "response.output_item.done" or index in self._whole_calls or not is_call(item):
            return []
        return [call_done(item, event["output_index"])]

    def _delta(self, delta: Delta) -> Json:
        self._snapshot.add_delta(delta)
        self._shown = True
        self._begun.add(delta.output_index)
        return _members(delta)

    def _note(self, event: Event) -> None:
        self._snapshot.add(event)
        if isinstance(event, ResponseOutputItemAddedEvent | ResponseOutputItemDoneEvent):
            self._begun.add(event.output_index)

    def _check_beginning(self, event: TurnRestartedEvent | TurnResumedEvent) -> None:
        """Refuse to begin anew once output was shown; before that there is nothing to forget."""
        goes_on = isinstance(event, TurnResumedEvent) and event.starting_after is not None
        if self._shown and not goes_on:
            message = "The model server broke off, and output cannot be taken back."
            raise UpstreamFailed(message, code=CUT)

    def _end(self, event: Event, signal: TurnSignal | None) -> None:
        if signal is TurnSignal.FAIL:
            raise upstream_failed(failure_of_event(event))
        self._terminal = event
        self.finish = "stop"
        response = _response_in(event)
        # vLLM says it in a `response.completed`.
        if signal is TurnSignal.INCOMPLETE or response.get("status") == "incomplete":
            details = object_or_empty(response.get("incomplete_details"))
            self.finish = str(details.get("reason") or "unknown")

    def _as_ours(self, event: Json) -> Json:
        """Put the gateway's response in the place of the upstream's, if the event has it."""
        if isinstance(event.get("response"), dict):
            event["response"] |= self._ours
        if isinstance(event.get("response_id"), str):
            event["response_id"] = self._response["id"]
        return event

    def end(self, completed_at: int) -> tuple[list[Json], Json]:
        """Return the last events, the terminal one apart.

        The caller has seen ``finish``: the upstream said everything it will say.

        Args:
            completed_at: Unix time, if the upstream does not say when that was.
        """
        assert self.finish is not None  # a stream without it was cut: the caller calls `fail`
        final, theirs = self._snapshot.partial(), dict[str, Any]()
        if self._terminal is not None:
            final = self._snapshot.final(self._terminal)
            theirs = _response_in(self._terminal)
        output = [_decode(raw) for raw in final.output_raw or ()]
        response = self._response | _without_null(theirs) | self._ours
        response |= {"output": output, "error": None, "usage": completed_usage(theirs.get("usage"))}
        if self.finish == "stop":
            kind = "response.completed"
            response |= {"status": "completed", "incomplete_details": None}
            response["completed_at"] = response["completed_at"] or completed_at
        else:
            kind = "response.incomplete"
            response |= {"status": "incomplete", "completed_at": None}
            if self._terminal is None:
                response["incomplete_details"] = {"reason": self.finish}
        return self._unstreamed(output), {"type": kind, "response": response}

    def _unstreamed(self, output: list[Json]) -> list[Json]:
        """Return the events of what only the last event has shown."""
        events: list[Json] = []
        for index, item in enumerate(output):
            if index not in self._begun:
                events += whole_item_events(item, index)
            elif index not in self._snapshot.finished:
                events.append(item_done(item, index))
        return events

    @property
    def at_boundary(self) -> bool:
        """True if no item is open, and no call waits for the client."""
        finished = self._snapshot.finished
        if not self._begun <= finished.keys():
            return False
        return not unanswered([HistoryItem(bytes(raw)) for raw in finished.values()])

    def ends_before(self, piece: Event) -> bool:
        """Say whether a response that is steered ends before this event: it begins an item."""
        return isinstance(piece, ResponseOutputItemAddedEvent) and self.at_boundary

    def steered(self) -> list[Json]:
        """End between two items."""
        self.finish = "steered"
        return []

    def cancelled(self) -> tuple[list[Json], Json]:
        """End the response at once; as ``Responder`` does."""
        return [], {"type": "response.incomplete", "response": self._cut({"status": "cancelled"})}

    def fail(self, message: str, code: str) -> tuple[list[Json], Json]:
        """End the response because the model run failed."""
        changes: Json = {"status": "failed", "error": {"code": code, "message": message}}
        return [], {"type": "response.failed", "response": self._cut(changes)}

    def _cut(self, changes: Json) -> Json:
        """Return the response as far as it came; half a call is no item."""
        partial = self._snapshot.partial()
        items = without_half_calls([HistoryItem(bytes(raw)) for raw in partial.output_raw or ()])
        output = [_closed(_decode(item.encoded)) for item in items if item.kind.id]
        return self._response | {"output": output, "usage": usage_object(None)} | changes


def _closed(item: Json) -> Json:
    """Return an item that will not be finished as strict clients want it."""
    if item.get("status") != "in_progress":
        return item
    closed = item | {"status": "incomplete"}
    if item["type"] == "message":
        closed["content"] = [{"annotations": list[Any]()} | part for part in item["content"]]
    return closed


def completed_usage(given: Any) -> Json:
    """Return an upstream's usage with all that strict clients want; zeros for what it leaves out.

    What nobody here knows stays in it (interop rule R15).
    """
    whole = _counted(usage_object(None), given)
    if not isinstance(object_or_empty(given).get("total_tokens"), int):
        whole["total_tokens"] = whole["input_tokens"] + whole["output_tokens"]
    return whole


def _counted(zeros: Json, given: Any) -> Json:
    """Put the numbers that were given in the place of zeros, and what has no zero beside them."""
    members = _without_null(object_or_empty(given))
    counted = zeros | {name: value for name, value in members.items() if name not in zeros}
    for name, zero in zeros.items():
        value = members.get(name)
        if is_object(zero):
            counted[name] = _counted(zero, value)
        elif isinstance(value, int):
            counted[name] = value
    return counted


def _without_null(given: Json) -> Json:
    return {name: value for name, value in given.items() if value is not None}


def _members(event: Event) -> Json:
    """Return an event as it came, without what its sender and its lane have put on it."""
    members = _decode(event.raw)
    members.pop("sequence_number", None)
    members.pop("stream_id", None)
    if members["type"] in _WITH_LOGPROBS:
        members.setdefault("logprobs", [])
    return members


def _response_in(event: Event) -> Json:
    return object_or_empty(_decode(event.raw).get("response"))
