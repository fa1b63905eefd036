"""The snippet of the page about voice sessions of the OpenAI Agents SDK runs."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from interop.frameworks.voices_of_tests import without_traces
from turnwire.gateway import Gateway

pytestmark = [pytest.mark.interop, pytest.mark.io]

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "realtime-openai-agents.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
URL = "ws://127.0.0.1:8080/v1"

_alone = pytest.fixture(autouse=True)(without_traces)


async def test_the_snippet_runs_with_the_gateway_s_own_voice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    (snippet,) = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert URL in snippet
    async with Gateway() as gateway:
        here = snippet.replace(URL, gateway.base_url.replace("http", "ws"))
        code = compile(here, str(PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        names: dict[str, Any] = {"__name__": "page"}
        waiting = eval(code, names)
        assert inspect.isawaitable(waiting)
        await waiting
    assert "HeardPart(" in capsys.readouterr().out
