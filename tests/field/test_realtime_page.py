"""The page of Realtime names rows and tests that are there: docs/field-bugs-realtime.md."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "field-bugs-realtime.md"
COMPLAINTS, SITUATIONS = 30, 15
TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")


def tables() -> list[dict[int, list[str]]]:
    """Return the rows of each table: their cells by their number."""
    found: list[dict[int, list[str]]] = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        number, *cells = (cell.strip() for cell in line.strip("|").split(" | "))
        if number == "#":
            found.append({})
        if number.isdecimal():
            assert int(number) not in found[-1]
            found[-1][int(number)] = cells
    return found


@cache
def names(path: str) -> frozenset[str]:
    """Return the tests of a file: its functions, and the cases that are assigned in it."""
    body = ast.parse((TESTS / path).read_text(encoding="utf-8")).body
    functions = {
        one.name for one in body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    targets = [target for one in body if isinstance(one, ast.Assign) for target in one.targets]
    cases = {target.id for target in targets if isinstance(target, ast.Name)}
    return frozenset(name for name in functions | cases if name.lower().startswith("test"))


def test_every_row_is_there_and_complete() -> None:
    complaints, situations = tables()
    assert list(complaints) == list(range(1, COMPLAINTS + 1))
    assert list(situations) == list(range(1, SITUATIONS + 1))
    assert [number for number, cells in complaints.items() if len(cells) != 4] == []
    assert [number for number, cells in situations.items() if len(cells) != 2] == []


def test_every_row_has_tests_and_they_are_there() -> None:
    for table in tables():
        for number, cells in table.items():
            found = TEST.findall(cells[-1])
            assert found, number
            assert [one for one in found if one[1] not in names(one[0])] == [], number
