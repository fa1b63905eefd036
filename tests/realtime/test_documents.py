"""The page about talking runs, and the table of members is whole."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from turnwire import realtime
from turnwire.realtime import RealtimeOptions, sync
from turnwire.realtime.meaning import WORDS
from turnwire.testing.realtime import Asked, RealtimeServer, call, counted, reply

if TYPE_CHECKING:
    from types import CodeType

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "howto" / "realtime.md"
MEMBERS = (DOCS / "reference" / "realtime-members.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[CodeType]:
    """Compile a page's snippets as `python -m asyncio` does."""
    found = page.read_text(encoding="utf-8")
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    return [compile(each[1], str(page), "exec", flags=flags) for each in BLOCK.finditer(found)]


def script(asked: Asked) -> Any:
    item = asked.items[-1] if asked.items else None
    is_question = item is not None and "weather" in str(item)
    return reply(call("weather", None, city="Oslo")) if is_question else reply(counted(2000))


@pytest.mark.io
async def test_the_snippets_of_the_page_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    snippets = blocks(PAGE)
    assert len(snippets) == 8
    async with RealtimeServer(script, speed=40) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.http_url)
        names: dict[str, Any] = {"__name__": "realtime"}
        for snippet in snippets:
            waiting = eval(snippet, names)  # our own page
            if inspect.isawaitable(waiting):
                await waiting
        errors = [event for each in server.sessions for event in each.sent_of("error")]
        assert errors == []
        outputs = [
            event["item"]
            for each in server.sessions
            for event in each.received_of("conversation.item.create")
            if event["item"]["type"] == "function_call_output"
        ]
        assert [each["output"] for each in outputs] == ['{"rain":true}']
    shown = capsys.readouterr().out
    assert "response.done" in shown
    assert "['user']" in shown
    assert re.search(r"^True \[\(\d+, [\d.]+\)\]$", shown, re.MULTILINE)


def test_the_page_names_only_what_is_there() -> None:
    page = PAGE.read_text(encoding="utf-8")
    used = set(re.findall(r"\brt\.(\w+)", page))
    assert {name for name in used if not hasattr(realtime.RealtimeTransport, name)} == set()
    options = set(inspect.signature(RealtimeOptions).parameters)
    given = set(re.findall(r"connect\((\w+)=", page))
    assert given - options == set()
    assert len(given) > 5


def test_the_table_names_every_public_member() -> None:
    public = {
        name
        for base in realtime.RealtimeTransport.__mro__
        for name, member in vars(base).items()
        if base.__module__.startswith("turnwire") and not name.startswith("_") and callable(member)
    }
    assert {name for name in public if f"`{name}" not in MEMBERS} == set()
    assert "`SyncRealtimeTransport`" in MEMBERS
    assert sync.SyncRealtimeTransport.__name__ == "SyncRealtimeTransport"


def test_the_table_names_only_what_is_there() -> None:
    ours = {
        name
        for row in re.findall(r"^\| [^|]* \| ([^|]*) \|", MEMBERS, re.MULTILINE)
        for name in re.findall(r"`(\w+)\(?", row)
    }
    known = {*dir(realtime.RealtimeTransport), *dir(realtime), *WORDS, *_OTHERS}
    known |= set(inspect.signature(RealtimeOptions).parameters)
    assert ours - known == set()


# Events, values of options and attributes that the table names.
_OTHERS = {
    *("options", "error", "reconnected", "item_id", "events", "ek_", "previous_item_id"),
    *("TwilioBridge", "SpeakerPlayhead", "RealtimeModel", "SyncRealtimeTransport"),
    *(
        "aclose",
        "async",
        "open",
        "turnwire",
        "type",
        "text",
        "audio_end_ms",
        "clock",
        "raw",
        "output_latency_ms",
    ),
}


def test_the_table_names_every_word() -> None:
    assert {word for word in WORDS if f"`{word}`" not in MEMBERS} == set()
