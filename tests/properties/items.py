"""Items of a history in the forms in which they travel, and what each one means.

Every item has a mark that occurs nowhere else, so a context is compared as a tuple of marks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Context = tuple[str, ...]


def meaning(item: Json) -> str:
    """Reduce an item, in whatever form, to the mark that tells it from all others."""
    match item.get("type", "message"):
        case "message":
            content = item["content"]
            text = content if isinstance(content, str) else content[0]["text"]
            return f"{item['role']}:{text}"
        case "reasoning":
            return f"reasoning:{item['encrypted_content'].partition('.')[0]}"
        case "function_call":
            return f"call:{item['call_id']}:{item['arguments']}"
        case "function_call_output":
            return f"output:{item['call_id']}:{item['output']}"
        case other:
            raise ValueError(other)


def context(items: list[Json]) -> Context:
    return tuple(map(meaning, items))


def open_calls(marks: Context) -> set[str]:
    """Return the ids of the calls that have no output."""
    called = [mark.split(":")[1] for mark in marks if mark.startswith("call:")]
    return set(called) - {mark.split(":")[1] for mark in marks if mark.startswith("output:")}


def question(mark: str, *, parts: bool) -> Json:
    if parts:
        return {"role": "user", "content": [{"type": "input_text", "text": mark}]}
    return {"role": "user", "content": mark}


def tool_output(call_id: str, mark: str) -> Json:
    return {"type": "function_call_output", "call_id": call_id, "output": mark}


@dataclass
class Output:
    """One output item: as it is streamed, and as the terminal event shows it.

    Attributes:
        shown: The forms in which a client really saw it.
    """

    streamed: Json
    terminal: Json
    shown: list[Json] = field(default_factory=list)
    chosen: Json = field(default_factory=dict)  # the form that the caller keeps

    @property
    def meaning(self) -> str:
        return meaning(self.terminal)

    def echo(self, form: int) -> Json:
        """Return the item as some SDK would hand it back, in the same form each time."""
        if not self.chosen:
            self.chosen = self.shown[form % len(self.shown)]
        if form % 3:
            return self.chosen
        # Without what servers add: docs/protocol/continuation.md#canonical-form
        return {name: value for name, value in self.chosen.items() if name != "status" and value}


def answer(mark: str) -> Output:
    """A message of the model's; the server annotates it only in the end."""
    part = {"type": "output_text", "text": mark}
    head = {"type": "message", "id": f"msg_{mark}", "role": "assistant"}
    return Output(
        head | {"status": "in_progress", "content": [part]},
        head | {"status": "completed", "content": [part | {"annotations": [], "logprobs": []}]},
    )


def call(mark: str) -> Output:
    item = {"type": "function_call", "id": f"fc_{mark}", "call_id": mark, "name": "f"}
    return Output(
        item | {"arguments": "{}", "status": "completed"},
        item | {"arguments": "{}", "status": "completed"},
    )


def reasoning(mark: str) -> Output:
    """Reasoning, encrypted anew between the two events."""
    item = {"type": "reasoning", "id": f"rs_{mark}", "summary": [], "content": []}
    return Output(
        item | {"encrypted_content": f"{mark}.streamed"},
        item | {"encrypted_content": f"{mark}.terminal"},
    )


MAKERS = (answer, call, reasoning)


def edited(item: Json, mark: str) -> Json:
    """Return the item with another meaning under the same id."""
    match item.get("type", "message"):
        case "message":
            if isinstance(item["content"], str):
                return item | {"content": mark}
            return item | {"content": [item["content"][0] | {"text": mark}]}
        case "reasoning":
            return item | {"encrypted_content": f"{mark}.edited"}
        case "function_call":
            return item | {"arguments": f'{{"{mark}":1}}'}
        case _:
            return item | {"output": mark}
