"""The three kinds of output item and the events that each one opens, grows and closes with (R16).

Every method returns the events to send, in order; an item that is closed early is incomplete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from turnwire.gateway.json_shapes import Json

Status = Literal["completed", "incomplete"]


class MessageItem:
    """What the model says."""

    def __init__(self, item_id: str, index: int) -> None:
        self.index = index
        self._id = item_id
        self._pieces: list[str] = []

    def opened(self) -> list[Json]:
        """Begin the item and its one part."""
        return [
            {
                "type": "response.output_item.added",
                "output_index": self.index,
                "item": self._item("in_progress", []),
            },
            {
                "type": "response.content_part.added",
                "item_id": self._id,
                "output_index": self.index,
                "content_index": 0,
                "part": _text_part(""),
            },
        ]

    def grew(self, text: str) -> Json:
        """Add some characters."""
        self._pieces.append(text)
        return {
            "type": "response.output_text.delta",
            "item_id": self._id,
            "output_index": self.index,
            "content_index": 0,
            "delta": text,
            "logprobs": [],
        }

    def closed(self, status: Status) -> tuple[Json, list[Json]]:
        """Return the whole item and the events that end it."""
        text = "".join(self._pieces)
        place = {"item_id": self._id, "output_index": self.index, "content_index": 0}
        item = self._item(status, [_text_part(text)])
        return item, [
            {"type": "response.output_text.done", **place, "text": text, "logprobs": []},
            {"type": "response.content_part.done", **place, "part": _text_part(text)},
            _item_done(self.index, item),
        ]

    def _item(self, status: str, content: list[Json]) -> Json:
        return {
            "id": self._id,
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": content,
        }


class ReasoningItem:
    """How the model came to its answer, as a summary of one part."""

    def __init__(self, item_id: str, index: int) -> None:
        self.index = index
        self._id = item_id
        self._pieces: list[str] = []

    def opened(self) -> list[Json]:
        """Begin the item and its one part."""
        return [
            {
                "type": "response.output_item.added",
                "output_index": self.index,
                "item": self._item([]),
            },
            {
                "type": "response.reasoning_summary_part.added",
                "item_id": self._id,
                "output_index": self.index,
                "summary_index": 0,
                "part": _summary_part(""),
            },
        ]

    def grew(self, text: str) -> Json:
        """Add some characters."""
        self._pieces.append(text)
        return {
            "type": "response.reasoning_summary_text.delta",
            "item_id": self._id,
            "output_index": self.index,
            "summary_index": 0,
            "delta": text,
        }

    def closed(self, status: Status) -> tuple[Json, list[Json]]:  # noqa: ARG002  # has none
        """Return the whole item and the events that end it."""
        text = "".join(self._pieces)
        place = {"item_id": self._id, "output_index": self.index, "summary_index": 0}
        item = self._item([_summary_part(text)])
        return item, [
            {"type": "response.reasoning_summary_text.done", **place, "text": text},
            {
                "type": "response.reasoning_summary_part.done",
                **place,
                "part": _summary_part(text),
            },
            _item_done(self.index, item),
        ]

    def _item(self, summary: list[Json]) -> Json:
        return {"id": self._id, "type": "reasoning", "summary": summary}


class CallItem:
    """A function that the model wants called."""

    def __init__(self, item_id: str, index: int, call_id: str, name: str) -> None:
        self.index = index
        self.call_id = call_id
        self._id = item_id
        self._name = name
        self._pieces: list[str] = []

    def opened(self) -> list[Json]:
        """Begin the item, its arguments still empty."""
        return [
            {
                "type": "response.output_item.added",
                "output_index": self.index,
                "item": self._item("in_progress", ""),
            }
        ]

    def grew(self, text: str) -> Json:
        """Add some characters of the arguments."""
        self._pieces.append(text)
        return {
            "type": "response.function_call_arguments.delta",
            "item_id": self._id,
            "output_index": self.index,
            "delta": text,
        }

    def closed(self, status: Status) -> tuple[Json, list[Json]]:
        """Return the whole item and the events that end it."""
        arguments = "".join(self._pieces)
        item = self._item(status, arguments)
        return item, [
            {
                "type": "response.function_call_arguments.done",
                "item_id": self._id,
                "output_index": self.index,
                "name": self._name,
                "arguments": arguments,
            },
            _item_done(self.index, item),
        ]

    def _item(self, status: str, arguments: str) -> Json:
        return {
            "id": self._id,
            "type": "function_call",
            "status": status,
            "call_id": self.call_id,
            "name": self._name,
            "arguments": arguments,
        }


OutputItem = MessageItem | ReasoningItem | CallItem


def _item_done(index: int, item: Json) -> Json:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def _text_part(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _summary_part(text: str) -> Json:
    return {"type": "summary_text", "text": text}
