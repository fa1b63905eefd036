"""What the lines of a user message tell the scripted model to do.

The grammar is in docs/reference/scripted-model.md.  Everything that is not a directive is the
question.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_CALL: Final = re.compile(r"(?P<then>THEN )?CALL (?P<name>[A-Za-z0-9_.-]+)(?P<arguments> .*)?")
_KNOB: Final = re.compile(r"(?P<name>WORDS|PACE|EXPLORE) (?P<value>[0-9]+(?:\.[0-9]+)?)")

_MOST_WORDS: Final = 1_000_000
_MOST_CALLS: Final = 1_000
_LONGEST_PAUSE: Final = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Call:
    """A function to call; ``arguments`` go out as they are, JSON or not."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Directives:
    """A user message, read.

    Attributes:
        question: The lines that are no directives.
        steps: Calls to make, one group a turn.
        words: How long the answer is to be, in words, or None.
        explore: How many calls to make over the files of a folder, or 0.
        pace: Seconds between two pieces of output.
    """

    question: str = ""
    steps: tuple[tuple[Call, ...], ...] = ()
    words: int | None = None
    explore: int = 0
    pace: float = 0.0


def read_directives(text: str) -> Directives:
    """Read the directives out of a user message."""
    together: list[Call] = []
    one_by_one: list[Call] = []
    knobs: dict[str, float] = {}
    question: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if call := _CALL.fullmatch(stripped):
            arguments = (call["arguments"] or "").strip() or "{}"
            group = one_by_one if call["then"] else together
            group.append(Call(call["name"], arguments))
        elif knob := _KNOB.fullmatch(stripped):
            knobs[knob["name"]] = float(knob["value"])
        else:
            question.append(line)
    steps = [tuple(together)] if together else []
    return Directives(
        question="\n".join(question).strip(),
        steps=(*steps, *((call,) for call in one_by_one)),
        words=min(int(knobs["WORDS"]), _MOST_WORDS) if "WORDS" in knobs else None,
        explore=min(int(knobs.get("EXPLORE", 0)), _MOST_CALLS),
        pace=min(knobs.get("PACE", 0.0), _LONGEST_PAUSE),
    )


def next_step(steps: tuple[tuple[Call, ...], ...], calls_made: int) -> tuple[Call, ...]:
    """Return the calls of the step that comes after so many calls; empty when all were made."""
    for step in steps:
        if calls_made < len(step):
            return step[calls_made:]
        calls_made -= len(step)
    return ()
