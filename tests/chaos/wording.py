"""What callers ask and what the model answers: a function of the question and all that led to it.

Callers and server compute it apart, each from its own book of the history, so that whatever was
lost, repeated or mixed up on the way shows in the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal
from zlib import crc32

from turnwire.testing.steps import message_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Json = dict[str, Any]
Meaning = tuple[str, ...]  # an item without ids and other things that differ from run to run
Kind = Literal["plain", "reason", "long", "tool"]

TOOL = "look"
_FOLLOW_UP = "+"  # the turn that answers a tool call is a question of its own


@dataclass(frozen=True, slots=True)
class Question:
    """What one turn asks.

    Attributes:
        id: Which one; no other turn has it.
        kind: What is answered to it.
        padding: Characters behind it.
    """

    id: str
    kind: Kind = "plain"
    padding: int = 0

    @property
    def text(self) -> str:
        return f"{self.id} {self.kind} {'.' * self.padding}"

    @property
    def item(self) -> Json:
        """A user's message that asks it."""
        return {"type": "message", "role": "user", "content": self.text}

    @property
    def found(self) -> str:
        """What the tool says: it asks the next question."""
        return self.follow_up.text

    @property
    def follow_up(self) -> Question:
        return Question(self.id + _FOLLOW_UP)

    def output_of(self, call_id: str) -> Json:
        """The tool's output as an item."""
        return {"type": "function_call_output", "call_id": call_id, "output": self.found}


def question_in(items: Sequence[Json]) -> Question:
    """Read the question out of a turn's new items: the last one asks."""
    last = meaning(items[-1])[-1]
    question_id, kind, padding = last.split(" ", 2)
    return Question(question_id, kind, len(padding))  # type: ignore[arg-type]  # one of ours


def meaning(item: Json) -> Meaning:
    """Return what an item says."""
    match item.get("type", "message"):
        case "message":
            return (str(item.get("role")), message_text(item))
        case "reasoning":
            return ("reasoning", "".join(part["text"] for part in item["summary"]))
        case "function_call":
            return ("call", str(item["call_id"]), str(item["arguments"]))
        case "function_call_output":
            return ("output", str(item["call_id"]), str(item["output"]))
        case other:
            return (str(other),)


def meanings(items: Iterable[Json]) -> list[Meaning]:
    return [meaning(item) for item in items]


def answer_to(question: Question, context: Sequence[Meaning]) -> list[Meaning]:
    """Return what the model says after this context, of which the question is the end."""
    digest = blake2b(repr(list(context)).encode(), digest_size=6).hexdigest()
    head = f"{question.id} {digest}"
    luck = crc32(question.id.encode())
    if question.kind == "tool":
        return [("call", f"call_{question.id}", f'{{"question":"{question.id}"}}')]
    if question.kind == "long":
        words = [f"{word:x>100}" for word in range(100 + luck % 60)]
        return [("assistant", " ".join([head, *words]))]
    words = [f"word{word}" for word in range(luck % 12)]
    said: list[Meaning] = [("assistant", " ".join([head, *words]))]
    if question.kind == "reason":
        said.insert(0, ("reasoning", f"thinking about {head}"))
    return said


def text_of(said: Iterable[Meaning]) -> str:
    """Return the text of an answer, as ``Response.output_text`` shows it."""
    return "".join(one[1] for one in said if one[0] == "assistant")
