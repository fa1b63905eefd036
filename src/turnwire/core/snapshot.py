"""What has arrived of a response so far.

Deltas are kept as they come and joined when somebody asks, so that reading a stream costs nothing.
A terminal response without its output is completed from the items that were streamed; where both
show an item the terminal form wins.  Source: docs/protocol/events.md#terminal-events.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from turnwire.core.history import HistoryItem
from turnwire.events import (
    Event,
    Lifecycle,
    Response,
    ResponseCreatedEvent,
    ResponseCustomToolCallInputDeltaEvent,
    ResponseFunctionCallArgumentsDeltaEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseReasoningSummaryTextDeltaEvent,
    ResponseReasoningTextDeltaEvent,
    ResponseRefusalDeltaEvent,
    ResponseTextDeltaEvent,
    salvage_response,
)

Json = dict[str, Any]
Delta = (
    ResponseTextDeltaEvent
    | ResponseRefusalDeltaEvent
    | ResponseReasoningTextDeltaEvent
    | ResponseReasoningSummaryTextDeltaEvent
    | ResponseFunctionCallArgumentsDeltaEvent
    | ResponseCustomToolCallInputDeltaEvent
)

# Where the text of a delta belongs in its item: in a field; or by the item's type in a list of
# parts of a type, in their field.
_FIELD: Final[dict[type[Event], str]] = {
    ResponseFunctionCallArgumentsDeltaEvent: "arguments",
    ResponseCustomToolCallInputDeltaEvent: "input",
}
_PARTS: Final[dict[type[Event], tuple[str, str, str, str]]] = {
    ResponseTextDeltaEvent: ("message", "content", "output_text", "text"),
    ResponseRefusalDeltaEvent: ("message", "content", "refusal", "refusal"),
    ResponseReasoningTextDeltaEvent: ("reasoning", "content", "reasoning_text", "text"),
    ResponseReasoningSummaryTextDeltaEvent: ("reasoning", "summary", "summary_text", "text"),
}
DELTAS: Final = frozenset({*_FIELD, *_PARTS})
_JOIN_AFTER: Final = 8192  # bounds what deltas cost in memory beyond their text

_Key = tuple[int, type[Event], int]  # output index, kind of delta, part index


class Snapshot:
    """Everything that has arrived of one response."""

    __slots__ = ("_deltas", "_started", "_texts", "finished", "first")

    def __init__(self) -> None:
        self.first: Response | None = None
        self.finished: dict[int, bytes] = {}
        self._started: dict[int, bytes] = {}
        self._deltas: list[Delta] = []
        self._texts: dict[_Key, list[str]] = {}

    def add(self, event: Event) -> None:
        """Note one event."""
        if type(event) in DELTAS:
            self.add_delta(event)  # type: ignore[arg-type]  # DELTAS are the classes of Delta
        elif isinstance(event, ResponseOutputItemDoneEvent):
            self._finish(event.output_index, bytes(event.item_raw))
        elif isinstance(event, ResponseOutputItemAddedEvent):
            self._started[event.output_index] = bytes(event.item_raw)
        elif isinstance(event, ResponseCreatedEvent):
            self.first = event.response

    def add_delta(self, event: Delta) -> None:
        """Note one delta: by far the most common event."""
        self._deltas.append(event)
        if len(self._deltas) > _JOIN_AFTER:
            self._join()

    def _join(self) -> None:
        for delta in self._deltas:
            part = getattr(delta, "content_index", None)
            index: int = getattr(delta, "summary_index", 0) if part is None else part
            key = (delta.output_index, type(delta), index)
            self._texts.setdefault(key, []).append(delta.delta)
        self._deltas.clear()

    def _finish(self, output_index: int, item: bytes) -> None:
        """Keep the whole item instead of the pieces that it came in."""
        self.finished[output_index] = item
        self._started.pop(output_index, None)
        self._deltas = [delta for delta in self._deltas if delta.output_index != output_index]
        for key in [key for key in self._texts if key[0] == output_index]:
            del self._texts[key]

    def partial(self) -> Response:
        """Return what has arrived as a response of status ``in_progress``."""
        self._join()
        output = dict(self.finished)
        for output_index in sorted({*self._started, *(key[0] for key in self._texts)}):
            output[output_index] = self._unfinished(output_index)
        first = self.first or Response()
        return msgspec.structs.replace(
            first,
            status="in_progress",
            output_raw=[msgspec.Raw(output[index]) for index in sorted(output)],
        )

    def _unfinished(self, output_index: int) -> bytes:
        item: Json = {"status": "in_progress"}
        if output_index in self._started:
            item = msgspec.json.decode(self._started[output_index])
        for (owner, kind, index), texts in self._texts.items():
            if owner != output_index:
                continue
            if kind in _FIELD:
                item[_FIELD[kind]] = "".join(texts)
                continue
            item_type, place, part_type, text_field = _PARTS[kind]
            item.setdefault("type", item_type)
            parts: list[Json] = item.get(place) or []
            parts += [{"type": part_type, text_field: ""}] * (index + 1 - len(parts))
            parts[index] = {"type": part_type, text_field: "".join(texts)}
            item[place] = parts
        item.setdefault("type", "function_call")
        return msgspec.json.encode(item)

    def final(self, event: Event) -> Response:
        """Return the response that a terminal event ends, its output completed."""
        response = _response_of(event)
        known = [HistoryItem(bytes(raw)) for raw in response.output_raw or ()]
        seen = {_identity(item) for item in known}
        streamed = [HistoryItem(self.finished[index]) for index in sorted(self.finished)]
        missing = [item for item in streamed if _identity(item) not in seen]
        if known and missing:
            known = _in_streamed_order(known, streamed)
        elif missing:
            known = missing
        return msgspec.structs.replace(
            response, output_raw=[msgspec.Raw(item.encoded) for item in known]
        )

    def history(self, response: Response) -> list[HistoryItem]:
        """Return a final response's output as items that know every form they were shown in."""
        streamed: dict[str | None, bytes] = {}
        for raw in self.finished.values():
            streamed[_identity(HistoryItem(raw))] = raw
        items: list[HistoryItem] = []
        for raw in response.output_raw or ():
            encoded = bytes(raw)
            other = streamed.get(_identity(HistoryItem(encoded)), encoded)
            items.append(HistoryItem(encoded, *(() if other == encoded else (other,))))
        return items


def _in_streamed_order(
    terminal: list[HistoryItem], streamed: list[HistoryItem]
) -> list[HistoryItem]:
    """Merge two partial views of one output; the terminal form of an item wins."""
    by_identity = {_identity(item): item for item in terminal}
    merged = [by_identity.pop(_identity(item), item) for item in streamed]
    return merged + list(by_identity.values())


def _identity(item: HistoryItem) -> str | None:
    """Say which item this is: by id, else by call id, else by its bytes."""
    kind = item.kind
    return kind.id or kind.call_id or item.encoded.hex()


def _response_of(event: Event) -> Response:
    """Read the response out of a terminal event, even one of a type that nobody knows."""
    if isinstance(event, Lifecycle):
        return event.response
    return salvage_response(event.raw) or Response()
