"""The kinds of output item and the events that each one opens, grows and closes with (R16).

Every method returns the events to send, in order; an item that is closed early is incomplete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from turnwire.gateway.output.parts import PART_KINDS, Part

if TYPE_CHECKING:
    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.output.parts import ItemType, Words
    from turnwire.gateway.upstreams.deltas import CallStarted

Status = Literal["completed", "incomplete"]

ID_PREFIXES: Final = {"message": "msg", "reasoning": "rs", "function": "fc", "custom": "ctc"}


class SpokenItem:
    """What the model says, or how it came to say it: parts, one after the other.

    Attributes:
        says: The kind of words that the open part is made of.
    """

    def __init__(self, kind: ItemType, item_id: str, index: int) -> None:
        self.kind = kind
        self.index = index
        self.says: type[Words] | None = None
        self._id = item_id
        self._place: Json = {"item_id": item_id, "output_index": index}
        self._part: Part | None = None
        self._parts: dict[str, list[Json]] = {"content": [], "summary": []}

    def opened(self) -> list[Json]:
        """Begin the item."""
        item = self._item("in_progress")
        return [{"type": "response.output_item.added", "output_index": self.index, "item": item}]

    def turned_to(self, says: type[Words]) -> list[Json]:
        """End the open part, if there is one, and begin one of these words."""
        events = self._end_part()
        kind = PART_KINDS[says]
        self.says = says
        self._part = Part(kind, self._place, len(self._parts[kind.member]))
        return [*events, self._part.opened()]

    def grew(self, words: Words) -> Json:
        """Add some characters to the open part."""
        assert self._part is not None  # whoever lets it grow has turned it to these words
        return self._part.grew(words)

    def closed(self, status: Status) -> tuple[Json, list[Json]]:
        """Return the whole item and the events that end it."""
        events = self._end_part()
        item = self._item(status)
        return item, [*events, _item_done(self.index, item)]

    def _end_part(self) -> list[Json]:
        if self._part is None or self.says is None:
            return []
        part, events = self._part.closed()
        self._parts[PART_KINDS[self.says].member].append(part)
        return events

    def _item(self, status: str) -> Json:
        content = [*self._parts["content"]]
        if self.kind == "reasoning":
            item: Json = {"id": self._id, "type": "reasoning", "summary": [*self._parts["summary"]]}
            return item | {"content": content} if content else item
        return {
            "id": self._id,
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": content,
        }


class _CallShape(NamedTuple):
    """How the wire names one kind of call: its item, its events, what it hands over."""

    type: str
    events: str
    text: str


_CALL_SHAPES: Final = {
    "function": _CallShape("function_call", "function_call_arguments", "arguments"),
    "custom": _CallShape("custom_tool_call", "custom_tool_call_input", "input"),
}


class CallItem:
    """A tool that the model wants called."""

    def __init__(self, item_id: str, index: int, call_id: str, started: CallStarted) -> None:
        self.index = index
        self._id = item_id
        self._call_id = call_id
        self._shape = _CALL_SHAPES[started.kind]
        self._started = started
        self._pieces: list[str] = []
        self._growth: Json = {
            "type": f"response.{self._shape.events}.delta",
            "item_id": item_id,
            "output_index": index,
            "delta": "",
        }

    def opened(self) -> list[Json]:
        """Begin the item, its arguments still empty."""
        item = self._item("in_progress", "")
        return [{"type": "response.output_item.added", "output_index": self.index, "item": item}]

    def grew(self, text: str) -> Json:
        """Add some characters of the arguments."""
        self._pieces.append(text)
        event = self._growth.copy()
        event["delta"] = text
        return event

    def closed(self, status: Status) -> tuple[Json, list[Json]]:
        """Return the whole item and the events that end it."""
        text = "".join(self._pieces)
        item = self._item(status, text)
        done: Json = {
            "type": f"response.{self._shape.events}.done",
            "item_id": self._id,
            "output_index": self.index,
        }
        if self._started.kind == "function":
            done["name"] = self._started.name
        done[self._shape.text] = text
        return item, [done, _item_done(self.index, item)]

    def _item(self, status: str, text: str) -> Json:
        started = self._started
        item: Json = {
            "id": self._id,
            "type": self._shape.type,
            "status": status,
            "call_id": self._call_id,
            "name": started.name,
            self._shape.text: text,
        }
        return item | {"namespace": started.namespace} if started.namespace else item


OutputItem = SpokenItem | CallItem


def _item_done(index: int, item: Json) -> Json:
    return {"type": "response.output_item.done", "output_index": index, "item": item}
