"""The page about recordings runs, and names every kind of line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from turnwire.recording.lines import AnyLine, Header

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "recording.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [code for found, code in BLOCK.findall(TEXT) if found == language]


@pytest.mark.io
async def test_the_snippets_record_and_replay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    names: dict[str, Any] = {"__name__": "recording"}
    for snippet in blocks("python"):
        exec(compile(snippet, str(PAGE), "exec"), names)  # our own page
    await names["record"]()
    await names["test_it_says_the_same_again"]()


def test_the_lines_that_are_shown_are_lines() -> None:
    header, *lines = blocks("json")[0].splitlines()
    assert msgspec.json.decode(header, type=Header).turnwire_recording == 1
    for line in lines:
        again = msgspec.json.encode(msgspec.json.decode(line, type=AnyLine))
        assert again.decode() == line


def test_every_kind_of_line_is_described() -> None:
    section = TEXT.split("## Format")[1].split("## In a program")[0]
    rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    described = {kind for row in rows for kind in re.findall(r"`(\w+)`", row)}
    kinds = {kind.__struct_config__.tag for kind in get_args(AnyLine)}
    assert described == kinds
