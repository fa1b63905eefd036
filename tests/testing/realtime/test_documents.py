"""The page about testing voice agents is true: its tests run, as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.io

PAGE = Path(__file__).parents[3] / "docs/howto/testing-realtime.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROGRAM = "\n\n".join(BLOCK.findall(PAGE.read_text(encoding="utf-8")))
NAMES: dict[str, object] = {}
exec(compile(PROGRAM, str(PAGE), "exec", dont_inherit=True), NAMES)
TESTS = [name for name in NAMES if name.startswith("test_")]


@pytest.mark.parametrize("name", TESTS)
async def test_the_page_works(name: str) -> None:
    await NAMES[name]()  # type: ignore[operator]


def test_the_page_has_tests() -> None:
    assert len(TESTS) == 4
