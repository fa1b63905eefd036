"""Write the pages that are made from the code: ``make docs``.

The tables of the core are the only source of the state diagrams and of the table of recoveries,
and the structs of the gateway of its configuration's reference; a test compares the two.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import NODEFAULT, Struct

from turnwire.core import breaker, connection, lane, recovery, served_steer, steer, turn
from turnwire.core.realtime import connection as realtime_connection
from turnwire.core.realtime import sequencer
from turnwire.gateway.config import reading, schema
from turnwire.gateway.upstreams.routed import health

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import Enum

    from msgspec.inspect import Field

    Table = Mapping[tuple[Enum, Enum], Enum]

REFERENCE = Path(__file__).parent / "reference"
STATE_MACHINES = REFERENCE / "state-machines.md"
RECOVERY = REFERENCE / "recovery.md"
GATEWAY_CONFIG = REFERENCE / "gateway-config.md"


class Machine(NamedTuple):
    """A table and where it stands."""

    title: str
    source: str
    table: Table
    name: str = "TRANSITIONS"


# A new table in the core is one line here.
MACHINES = (
    Machine("A turn", "core/turn.py", turn.TRANSITIONS),
    Machine("A lane", "core/lane.py", lane.TRANSITIONS),
    Machine("A connection", "core/connection.py", connection.TRANSITIONS),
    Machine("A steer, at the client", "core/steer.py", steer.TRANSITIONS),
    Machine("A steer, at the server", "core/served_steer.py", served_steer.TRANSITIONS),
    Machine("The breaker", "core/breaker.py", breaker.TRANSITIONS),
    Machine("A Realtime socket", "core/realtime/connection.py", realtime_connection.STEPS, "STEPS"),
    Machine(
        "The place for a Realtime response", "core/realtime/sequencer.py", sequencer.SLOTS, "SLOTS"
    ),
    Machine("An upstream's health", "gateway/upstreams/routed/health.py", health.TRANSITIONS),
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
            f"Source: `{machine.name}` in `src/turnwire/{machine.source}`.",
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


RECOVERY_INTRODUCTION = """\
# The recovery table

Written by `make docs` from `RULES` in `src/turnwire/core/recovery.py`; do not edit.
The first rule that fits a situation decides; an empty cell fits everything.
Where no rule fits, the turn fails.
What can be chosen: [When the way breaks](../howto/recovery.md).
The reasons: [0009](../decisions/0009-recovery.md).
"""

COLUMNS = {
    "shown": "its caller has seen output",
    "id_known": "the response can be fetched: `resume`, stored, its id known",
    "home": "where the response is that it continues",
    "may_repeat": "another model run is allowed: by `replay`, and once",
    "may_wait": "the budget for later tries allows one more",
    "may_fall_back": "it may change to HTTP: `auto`, and no warm-up",
}


def recovery_table() -> str:
    """Render the rules of recovery as a page of Markdown."""
    header = ["what went wrong", "delivery", *(f"`{name}`" for name in COLUMNS), "then"]
    rows = [header, ["---"] * len(header), *(_rule(row) for row in recovery.RULES)]
    lists = [
        *_meanings("What went wrong", recovery.Cause),
        *_meanings("Delivery", recovery.Delivery),
        *_meanings("Where the response is that it continues", recovery.Home),
        *_meanings("Then", recovery.Recovery),
        "## The other columns",
        "",
        *(f"* `{name}`: {meaning}." for name, meaning in COLUMNS.items()),
        "",
    ]
    table = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([RECOVERY_INTRODUCTION, *table, "", *lists])


def _rule(row: recovery.Row) -> list[str]:
    delivery = "" if row.delivery is None else ", ".join(map(_name, row.delivery))
    conditions = [_condition(getattr(row, name)) for name in COLUMNS]
    return [_name(row.cause), delivery, *conditions, f"**{_name(row.recovery)}**"]


def _condition(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case _:
            return str(getattr(value, "value", value))


def _meanings(title: str, members: type[Enum]) -> list[str]:
    """List the members of an enum with the comments behind them."""
    source = inspect.getsource(members)
    found = re.findall(r'= "(.*?)"(?:  # (.*))?$', source, re.MULTILINE)
    lines = [f"* {value}: {meaning}." if meaning else f"* {value}." for value, meaning in found]
    return [f"## {title}", "", *lines, ""]


GATEWAY_CONFIG_INTRODUCTION = """\
# The gateway's configuration

Written by `make docs` from the tables in `src/turnwire/gateway/config/tables.py`; do not edit.

A file in [TOML](https://toml.io), for `turnwire serve --config FILE`.
`turnwire serve --check FILE` says what a gateway with it would do, or every mistake in it.
`turnwire serve --schema` prints the JSON schema.
Everything may be left out but what has no default; options of the command win over the file.

No secret is in it.
Keys of clients are there as hashes, which `turnwire serve --new-key NAME` prints.
What the gateway itself needs comes from environment variables.
Those are the ones that `api_key_env` names, and `TURNWIRE_STORE_URL`.

How to put it to use: [A gateway for others](../howto/gateway-production.md).

```toml
workers = 4

[server]
host = "0.0.0.0"
allowed_hosts = ["models.example.com"]

[store]
kind = "sqlite"
path = "/var/lib/turnwire"

[[upstream]]
name = "vllm"
kind = "chat"
url = "http://127.0.0.1:8000/v1"
models = ["qwen*"]

[[upstream]]
name = "hosted"
kind = "websocket"
url = "https://api.openai.com/v1"
models = ["gpt-*"]
api_key_env = "OPENAI_API_KEY"

[[key]]
name = "alice"
hash = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
limits = { sockets = 20, requests_per_minute = 600 }
```
"""

ARRAYS = {"upstream", "key"}


def gateway_config() -> str:
    """Render the tables of the gateway's configuration as a page of Markdown."""
    sections = (_table(name, kind) for name, kind in schema.TABLES.items())
    return "\n".join([GATEWAY_CONFIG_INTRODUCTION, *sections])


def _table(name: str, kind: type) -> str:
    heading = f"`[[{name}]]`" if name in ARRAYS else f"`[{name}]`" if name else "At the top"
    meanings = schema.meanings(kind)
    rows = [
        ["field", "takes", "default", "what"],
        ["---"] * 4,
        *(
            [f"`{each.name}`", reading.expectation(hint), _default(each), meanings[each.name]]
            for each, hint in schema.fields_of(kind)
        ),
    ]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    first_line = (inspect.getdoc(kind) or "").partition("\n")[0]
    return "\n".join([f"## {heading}", "", first_line, "", *lines, ""])


def _default(field: Field) -> str:
    if field.required:
        return "none: it must be there"
    value = field.default_factory() if field.default is NODEFAULT else field.default
    if value is None or is_dataclass(value) or isinstance(value, Struct):
        return ""
    return f"`{msgspec.json.encode(value).decode()}`"


PAGES = {
    STATE_MACHINES: state_machines,
    RECOVERY: recovery_table,
    GATEWAY_CONFIG: gateway_config,
}


if __name__ == "__main__":
    REFERENCE.mkdir(exist_ok=True)
    for page, render in PAGES.items():
        page.write_text(render(), encoding="utf-8")
        print(f"wrote {page}")
