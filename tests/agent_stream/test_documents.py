"""The page about stream functions runs, and names what there is."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from client.test_documents import blocks, script
from turnwire.agent_stream import StreamOptions
from turnwire.testing import Peer

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "agent-stream.md"


@pytest.mark.io
async def test_the_snippets_of_the_page_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with Peer(script) as peer:
        monkeypatch.setenv("OPENAI_BASE_URL", peer.base_url)
        names: dict[str, Any] = {"__name__": "agent_stream"}
        for snippet in blocks(PAGE):
            waiting = eval(snippet, names)  # our own page
            if inspect.isawaitable(waiting):
                await waiting
        assert peer.refusals == []
        assert [len(create["input"]) for create in peer.creates[:4]] == [1, 1, 1, 1]
    said = capsys.readouterr().out
    assert "You said: And now goodbye." in said
    assert "From elsewhere." in said
    assert said.count("You said: Say hello. True") == 1


def test_the_page_names_every_option() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in StreamOptions.__annotations__ if f"`{name}`" not in page] == []
