"""Write the pages that are made from the code: ``make docs``.

The tables of the core are the only source of the state diagrams; a test compares the two.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from turnwire.core import connection, lane, turn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import Enum

    Table = Mapping[tuple[Enum, Enum], Enum]

STATE_MACHINES = Path(__file__).parent / "reference" / "state-machines.md"


class Machine(NamedTuple):
    """A table and where it stands."""

    title: str
    source: str
    table: Table


# A new table in the core is one line here.
MACHINES = (
    Machine("A turn", "core/turn.py", turn.TRANSITIONS),
    Machine("A lane", "core/lane.py", lane.TRANSITIONS),
    Machine("A connection", "core/connection.py", connection.TRANSITIONS),
)

INTRODUCTION = """\
# State machines

Written by `make docs` from the tables in `src/turnwire/core`; do not edit.
An empty cell, and any signal in a state that has no row, cannot happen: the core raises
`IllegalTransition`, and that is a bug.
"""


def state_machines() -> str:
    """Render every machine as a page of Markdown."""
    return "\n".join([INTRODUCTION, *(_section(machine) for machine in MACHINES)])


def _section(machine: Machine) -> str:
    return "\n".join(
        [
            f"## {machine.title}",
            "",
            f"Source: `TRANSITIONS` in `src/turnwire/{machine.source}`.",
            "",
            _diagram(machine.table),
            "",
            _grid(machine.table),
            "",
        ]
    )


def _diagram(table: Table) -> str:
    states, _ = _axes(table)
    signals: dict[tuple[Enum, Enum], list[str]] = {}
    for (before, signal), after in table.items():
        signals.setdefault((before, after), []).append(_name(signal))
    alive = {before for before, _ in table}
    lines = [f"    [*] --> {_name(states[0])}"]
    lines += [
        f"    {_name(before)} --> {_name(after)}: {', '.join(names)}"
        for (before, after), names in signals.items()
    ]
    lines += [f"    {_name(state)} --> [*]" for state in states if state not in alive]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])


def _grid(table: Table) -> str:
    states, signals = _axes(table)
    rows = [
        ["state", *(f"`{_name(signal)}`" for signal in signals)],
        ["---"] * (len(signals) + 1),
    ]
    for state in [state for state in states if any((state, each) in table for each in signals)]:
        cells = [_name(table[state, each]) if (state, each) in table else "" for each in signals]
        rows.append([f"**{_name(state)}**", *cells])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _axes(table: Table) -> tuple[list[Enum], list[Enum]]:
    """Return all states and all signals; the first state is where a machine begins."""
    state, signal = next(iter(table))
    return list(type(state)), list(type(signal))


def _name(member: Enum) -> str:
    return str(member.value)


if __name__ == "__main__":
    STATE_MACHINES.parent.mkdir(exist_ok=True)
    STATE_MACHINES.write_text(state_machines(), encoding="utf-8")
    print(f"wrote {STATE_MACHINES}")
