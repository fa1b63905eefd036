"""The page about the drop-in transport runs."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from client.test_documents import blocks
from turnwire.testing import Peer, answer

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "drop-in.md"


@pytest.mark.io
@pytest.mark.interop
async def test_the_snippets_of_the_page_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-page")
    async with Peer(lambda create: [answer(f"You said: {create.text}")]) as peer:
        monkeypatch.setenv("OPENAI_BASE_URL", peer.base_url)
        names: dict[str, Any] = {"__name__": "drop_in"}
        for snippet in blocks(PAGE):
            waiting = eval(snippet, names)  # our own page
            if inspect.isawaitable(waiting):
                await waiting
        assert [len(create["input"]) for create in peer.creates] == [1, 1, 1]
        assert (len(peer.connections), peer.model_runs) == (1, 3)
        for name in ("client", "other"):
            await names[name].close()
        await names["http"].aclose()
    said = capsys.readouterr().out
    assert "You said: Say two." in said
    assert "Report(transport='websocket'" in said
