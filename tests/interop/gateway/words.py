"""A small model that does what the last user message says, for servers of every kind.

``CALL name {json}`` lines are called in one turn, and each ``THEN CALL`` in a turn of its own;
after that it answers with the outputs.  Asked for JSON by a schema, it takes each property from a
line ``name: value``.  Anything else is quoted, with the number of items of the whole context: so an
answer is right only if everything arrived, once.  It says what the gateway's scripted model says,
and shares no code with it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

Json = dict[str, Any]

THOUGHT: Final = "What am I told?"

_CALL: Final = re.compile(r"^(THEN )?CALL (\w+) (\{.*\})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a model is shown.

    Attributes:
        text: The last user message.
        outputs: What tools returned since.
        items: How many items the context has.
        schema: By which it answers, or None.
    """

    text: str
    outputs: Sequence[str]
    items: int
    schema: Json | None = None


def calls(asked: Asked) -> list[tuple[str, str]]:
    """Return names and arguments of what is called now; empty if there is an answer."""
    steps: list[list[tuple[str, str]]] = [[]]
    for then, name, arguments in _CALL.findall(asked.text):
        if then:
            steps.append([])
        steps[-1].append((name, arguments))
    done = 0
    for step in steps:
        if done == len(asked.outputs) and step:
            return step
        done += len(step)
    return []


def answer(asked: Asked) -> str:
    """Return what is said once nothing is to be called."""
    if asked.schema is not None:
        return json.dumps(_by_schema(asked.schema, asked.text), ensure_ascii=False)
    if asked.outputs:
        return "FINAL after tool: \n" + "\n".join(asked.outputs)
    items = "1 item" if asked.items == 1 else f"{asked.items} items"
    return f'You said: "{asked.text}". The context holds {items}.'


def pieces(text: str) -> list[str]:
    """Return a text in the pieces in which a model might say it."""
    return re.findall(r"\s*\S{1,5}\s*", text)


def _by_schema(schema: Json, text: str) -> Json:
    said = dict(re.findall(r"^(\w+): (.+)$", text, re.MULTILINE))
    kinds = {"integer": int, "string": str}
    return {name: kinds[each["type"]](said[name]) for name, each in schema["properties"].items()}
