"""What the page about the gateway shows is run."""

import ast
import inspect
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from turnwire.gateway import Settings

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "gateway.md"


@pytest.mark.io
async def test_the_snippets_run() -> None:
    found = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert len(found) == 6
    names: dict[str, Any] = {"__name__": "gateway"}
    for snippet in found:
        code = compile(snippet, str(PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        waiting = eval(code, names)  # our own page
        if inspect.isawaitable(waiting):
            await waiting


def test_the_limits_on_the_page_are_settings() -> None:
    table = PAGE.read_text("utf-8").partition("## Limits")[2].partition("\n## ")[0]
    named = {
        name
        for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for name in row.split("`")[1::2]
    }
    known = {field.name for field in fields(Settings)}
    apart = {"host", "port", "allowed_hosts", "allowed_origins", "websocket"}
    apart |= {"status", "operator_key", "access_log"}
    assert named == known - apart
