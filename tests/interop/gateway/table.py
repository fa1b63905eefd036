"""Writes ``docs/reference/gateway-interop.md`` by playing every scenario: ``python table.py``.

It needs the environment of ``make interop``, which has all the clients.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent
_TESTS: Final = _HERE.parents[1]
PAGE: Final = _TESTS.parent / "docs" / "reference" / "gateway-interop.md"
sys.path.insert(0, str(_TESTS))

from interop.frameworks.overlooking import pydantic_warnings  # noqa: E402  # after the path
from interop.gateway.behind import KINDS  # noqa: E402
from interop.gateway.catalogue import scenarios  # noqa: E402
from interop.gateway.lab import KNOWN_STRANGERS, Scenario, expected, play  # noqa: E402

_HEAD: Final = """\
# Clients before the gateway

Written by `python tests/interop/gateway/table.py`; do not edit.

Each scenario is code as users of the package write it, against a gateway with each kind of [upstream](gateway-config.md).
*scripted* is the gateway's own model; *chat* is a strict chat completions server; *responses* speaks the Responses API over HTTP alone, *websocket* in WebSocket mode alone.
All have a model that calls the tools it is told to call, and then says what they returned and how much it was shown, so that an answer is right only if everything arrived, once.

With every upstream the results are the same and as expected; so are the tool calls, the number of model runs on both sides of the gateway, of sockets and of POSTs.
Nobody has logged a warning, and no server has refused anything.
Every event is valid by the models of the `openai` package, strictly; the columns of the upstreams say how many there were, whole responses included.

"""  # noqa: E501  # Markdown: one sentence per line
_COLUMNS: Final = f"""\
| package | version | scenario | turns | sockets | POSTs | {" | ".join(KINDS)} |
| --- | --- | --- | ---: | ---: | ---: |{" ---: |" * len(KINDS)}
"""
_TAIL: Final = """
## Members that the package does not know

{strangers}

## A real model server

`tests/interop/gateway/test_llama_cpp.py` runs `turnwire serve --upstream` before the HTTP server of llama.cpp ({server}), as a chat completions server, as one of the Responses API, and with the kind found out.
Its model is made by the test: two layers with random weights.
Checked with the official SDK over WebSocket and HTTP, strictly: answers and usage are those that the server gives without a gateway, chains show it the whole talk, two turns run at once, what nobody wants any more is stopped, and refusals are passed on.
"""  # noqa: E501  # as above


def main() -> None:
    """Play, and write the page."""
    rows = [asyncio.run(_row(scenario)) for scenario in scenarios()]
    PAGE.write_text(_HEAD + _COLUMNS + "\n".join(rows) + "\n" + _tail(), encoding="utf-8")
    print(f"{PAGE.name}: {len(rows)} rows")  # noqa: T201  # says what it does


async def _row(scenario: Scenario) -> str:
    counts: Counter[str] = Counter()
    for kind in KINDS:
        with pydantic_warnings():
            outcome, seen = await play(scenario, kind)
        if outcome != expected(scenario):
            raise SystemExit(f"{scenario} over {kind} is not as expected: {outcome}")
        counts[kind] = sum(map(len, (seen.socket_events, seen.stream_events, seen.responses)))
    numbers = (scenario.model_runs, scenario.sockets, scenario.posts, *counts.values())
    return " | ".join((head_of(scenario), *map(str, numbers))) + " |"


def head_of(scenario: Scenario) -> str:
    """Return the beginning of a scenario's row."""
    return f"| {scenario.package} | {version(scenario.package)} | {scenario.name}"


def _tail() -> str:
    strangers = "\n".join(f"* `{name}`" for name in sorted(KNOWN_STRANGERS))
    server = ", ".join(f"{name} {version(name)}" for name in ("xllamacpp", "gguf"))
    return _TAIL.format(strangers=strangers, server=server)


if __name__ == "__main__":
    main()
