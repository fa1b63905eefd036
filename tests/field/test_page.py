"""The page names every row and every test of it: docs/field-bugs.md."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "field-bugs.md"
ROWS = 83
TEST = re.compile(r"`(\w+\.py)::(test_\w+)`")


def rows() -> dict[int, list[str]]:
    """Return the cells of each row: symptom, where, what is done, tests."""
    found: dict[int, list[str]] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        number, *cells = (cell.strip() for cell in line.strip("|").split(" | "))
        if number.isdecimal():
            assert int(number) not in found
            found[int(number)] = cells
    return found


def known_tests() -> set[tuple[str, str]]:
    """Return every test of a row as file and name."""
    return {
        (path.name, node.name)
        for path in HERE.glob("test_*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_row_")
    }


def test_every_row_is_there_and_complete() -> None:
    found = rows()
    assert list(found) == list(range(1, ROWS + 1))
    assert [number for number, cells in found.items() if len(cells) != 4 or not all(cells)] == []


def test_every_row_has_a_test() -> None:
    assert {number for number, cells in rows().items() if not TEST.search(cells[3])} == set()


def test_each_test_is_there_and_is_named_once_in_its_own_row() -> None:
    named = [
        (number, *found) for number, cells in rows().items() for found in TEST.findall(cells[3])
    ]
    own = [(int(name.split("_")[2]), path, name) for path, name in known_tests()]
    assert sorted(named) == sorted(own)
