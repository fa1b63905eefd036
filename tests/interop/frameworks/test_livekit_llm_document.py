"""The snippets about turnwire's own LLM in the page about LiveKit run."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from interop.frameworks.livekit_of_tests import Watched
from turnwire.testing import Peer

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "livekit.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.interop
@pytest.mark.io
async def test_the_snippets_about_the_llm_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    section = PAGE.read_text(encoding="utf-8").partition("\n## turnwire's own LLM\n")[2]
    snippets = BLOCK.findall(re.split(r"^## ", section, flags=re.MULTILINE)[0])
    names: dict[str, Any] = {"__name__": "page"}
    watched = Watched()
    async with Peer(watched) as peer:
        monkeypatch.setenv("OPENAI_BASE_URL", peer.base_url)
        for snippet in snippets:
            code = compile(snippet, str(PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            waiting = eval(code, names)
            if inspect.isawaitable(waiting):
                await waiting
    assert len(snippets) == 2
    assert watched.sent == [
        [("system", "Be brief."), ("user", "Hello.")],
        [("user", "My name is Ada.")],
        [("user", "What is my name?")],
    ]
    assert peer.refusals == []
    assert "You said What is my name?." in capsys.readouterr().out
