"""Writes ``docs/reference/interop.md`` by playing every scenario: ``python table.py``.

Some packages exclude others, so it plays those of the environment that it runs in, and keeps the
rows of other packages and versions, as far as ``newest.txt`` or ``oldest.txt`` still names them.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent
_TESTS: Final = _HERE.parents[1]
_PAGE: Final = _TESTS.parent / "docs" / "reference" / "interop.md"
sys.path.insert(0, str(_TESTS))

from interop.frameworks.book import Fault  # noqa: E402  # after the path
from interop.frameworks.catalogue import PACKAGES, scenarios  # noqa: E402
from interop.frameworks.lab import Scenario, Way, plain, play  # noqa: E402

_HEAD: Final = """\
# Frameworks over turnwire

Written by `python tests/interop/frameworks/table.py`; do not edit.

Each scenario is code as users of the package write it, played over its own HTTP client and over turnwire, with one argument changed.
The model asks for the pages of a book, one by one, and its answer contains a digest of all that it was shown; a page has about 600 bytes.
Bytes are what the client sent: bodies of POSTs over HTTP, messages over turnwire.

The result is *the same* if the answer, the tool calls, the history that the framework keeps, and what the model was shown at each turn are identical.
Where faults are named it was the same with each of them, once, in the middle of the loop:
*drop*, the socket is lost before the turn's first event;
*cut*, it is lost after `response.created`;
*lost chain*, the server answers `previous_response_not_found`;
*refused upgrade*, the server answers every upgrade with 426.

| package | version | scenario | turns | HTTP bytes | turnwire bytes | result |
| --- | --- | --- | ---: | ---: | ---: | --- |
"""  # noqa: E501  # Markdown: one sentence per line
_ROW: Final = re.compile(r"^\| (?P<package>[\w.-]+) \| (?P<version>[\w.]+) \| .* \|$", re.MULTILINE)
_PIN: Final = re.compile(r"^([\w.-]+)(?:\[.*\])?==([\w.]+)", re.MULTILINE)


def main() -> None:
    """Play, and write the page."""
    played = [_row(scenario) for scenario in scenarios()]
    rows = [*played, *_rows_of_other_environments({_key(row) for row in played})]
    rows.sort(key=_place)
    _PAGE.write_text(_HEAD + "\n".join(rows) + "\n", encoding="utf-8")
    print(f"{_PAGE.name}: {len(rows)} rows, {len(played)} of them played now")  # noqa: T201  # says what it does


def _row(scenario: Scenario) -> str:
    print(scenario, flush=True)  # noqa: T201  # says what it does
    expected, before = plain(scenario)
    outcomes = {fault: play(scenario, Way.TURNWIRE, fault) for fault in scenario.faults}
    after = outcomes[Fault.NONE][1]
    different = [str(fault) for fault, (outcome, _) in outcomes.items() if outcome != expected]
    if different:
        raise SystemExit(f"{scenario}: differs with {', '.join(different)}")
    faults = [str(fault) for fault in scenario.faults if fault is not Fault.NONE]
    result = "the same" + (f", also after {', '.join(faults)}" if faults else "")
    return (
        f"| {scenario.package} | {version(scenario.package)} | {scenario.name}"
        f" | {before.model_runs} | {before.http_bytes:,}"
        f" | {after.websocket_bytes + after.http_bytes:,} | {result} |"
    )


def _rows_of_other_environments(played: set[tuple[str, str]]) -> list[str]:
    if not _PAGE.exists():
        return []
    kept = _pins() - played
    return [row[0] for row in _ROW.finditer(_PAGE.read_text("utf-8")) if _key(row[0]) in kept]


def _key(row: str) -> tuple[str, str]:
    found = _ROW.match(row)
    assert found is not None
    return found["package"], found["version"]


def _place(row: str) -> tuple[int, list[int]]:
    """Sort by package as in the catalogue, then the newest version first."""
    package, numbers = _key(row)
    return list(PACKAGES.values()).index(package), [-int(each) for each in numbers.split(".")]


def _pins() -> set[tuple[str, str]]:
    texts = (path.read_text("utf-8") for path in sorted(_HERE.glob("*est*.txt")))
    return {(found[1], found[2]) for text in texts for found in _PIN.finditer(text)}


if __name__ == "__main__":
    main()
