"""What the page about the chat upstream shows is so."""

from __future__ import annotations

import re
from pathlib import Path

from turnwire.gateway.upstreams.chat import ChatOptions

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "chat-upstream.md"


def test_the_options_on_the_page_are_all_there_are() -> None:
    table = PAGE.read_text("utf-8").partition("## Options")[2]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [*ChatOptions.__struct_fields__]


def test_the_fields_on_the_page_are_those_that_are_passed_on() -> None:
    row = next(line for line in PAGE.read_text("utf-8").splitlines() if "`seed`" in line)
    assert sorted(re.findall(r"`(\w+)`", row.split("|")[1])) == sorted(ChatOptions().passed_on)


def test_the_snippet_runs() -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    exec(compile(snippet, str(PAGE), "exec"), {})  # our own page
