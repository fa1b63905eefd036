"""The parts of which messages and reasoning are made, and the events of each one (R16).

What is said is text everywhere; the names differ, and stand in one table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from turnwire.gateway.upstreams.deltas import (
    ReasoningDelta,
    ReasoningTextDelta,
    RefusalDelta,
    TextDelta,
)

if TYPE_CHECKING:
    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.upstreams.deltas import Delta

Words = TextDelta | RefusalDelta | ReasoningDelta | ReasoningTextDelta
ItemType = Literal["message", "reasoning"]


class PartKind(NamedTuple):
    """How the wire names one kind of part.

    Attributes:
        item: The type of item that holds it.
        member: Where in the item it stands.
        number: What the events call its place there.
        part: The middle of the events that open and close it.
        text: The middle of the events of its text.
        type: The type of the part itself.
        whole: What the part and the last event call all of the text.
    """

    item: ItemType
    member: str
    number: str
    part: str
    text: str
    type: str
    whole: str


PART_KINDS: Final[dict[type[Delta], PartKind]] = {
    TextDelta: PartKind(
        "message", "content", "content_index", "content_part", "output_text", "output_text", "text"
    ),
    RefusalDelta: PartKind(
        "message", "content", "content_index", "content_part", "refusal", "refusal", "refusal"
    ),
    ReasoningDelta: PartKind(
        "reasoning", "summary", "summary_index", "reasoning_summary_part",
        "reasoning_summary_text", "summary_text", "text",
    ),
    ReasoningTextDelta: PartKind(
        "reasoning", "content", "content_index", "content_part",
        "reasoning_text", "reasoning_text", "text",
    ),
}  # fmt: skip


class Part:
    """One part while it is said.

    Args:
        place: What its events say about its item.
        number: Its place in the item's list.
    """

    def __init__(self, kind: PartKind, place: Json, number: int) -> None:
        self._kind = kind
        self._place = {**place, kind.number: number}
        self._pieces: list[str] = []
        self._logprobs: list[Json] = []
        self._has_logprobs = kind.type == "output_text"
        # Copied for each delta: all but the text is the same every time.
        self._growth: Json = {"type": f"response.{kind.text}.delta", **self._place, "delta": ""}
        if self._has_logprobs:
            self._growth["logprobs"] = []

    def opened(self) -> Json:
        """Begin the part."""
        part = self._part("", [])
        return {"type": f"response.{self._kind.part}.added", **self._place, "part": part}

    def grew(self, words: Words) -> Json:
        """Add some characters."""
        event = self._growth.copy()
        event["delta"] = words.text
        self._pieces.append(words.text)
        if type(words) is TextDelta and words.logprobs:
            event["logprobs"] = [*words.logprobs]
            self._logprobs += words.logprobs
        return event

    def closed(self) -> tuple[Json, list[Json]]:
        """Return the whole part and the events that end it."""
        kind = self._kind
        text = "".join(self._pieces)
        part = self._part(text, self._logprobs)
        done: Json = {"type": f"response.{kind.text}.done", **self._place, kind.whole: text}
        if self._has_logprobs:
            done["logprobs"] = self._logprobs
        return part, [done, {"type": f"response.{kind.part}.done", **self._place, "part": part}]

    def _part(self, text: str, logprobs: list[Json]) -> Json:
        part: Json = {"type": self._kind.type, self._kind.whole: text}
        return part | {"annotations": [], "logprobs": logprobs} if self._has_logprobs else part
