"""The snippets about turnwire's own model in the page about the OpenAI Agents SDK run."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from agents.tracing import set_trace_processors

from turnwire.testing import Create, Peer, Step, accept, answer, call

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "openai-agents.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def script(create: Create) -> list[Step]:
    if create.steered:
        return [answer("It is XLII.")]
    if create.input[-1].get("type") == "function_call_output":
        return [answer("It is " + create.input[-1]["output"] + ".")]
    return [call("add", {"a": 17, "b": 25}, call_id=f"call_{create.number}")]


@pytest.mark.interop
@pytest.mark.io
async def test_the_snippets_about_the_model_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_trace_processors([])
    section = PAGE.read_text(encoding="utf-8").partition("\n## turnwire's own model\n")[2]
    snippets = BLOCK.findall(re.split(r"^## ", section, flags=re.MULTILINE)[0])
    names: dict[str, Any] = {"__name__": "page"}
    async with Peer(script, steer=[accept(interrupts=False)]) as peer:
        monkeypatch.setenv("OPENAI_BASE_URL", peer.base_url)
        for snippet in snippets:
            code = compile(snippet, str(PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            waiting = eval(code, names)
            if inspect.isawaitable(waiting):
                await waiting
        assert (len(snippets), peer.model_runs, peer.refusals) == (3, 6, [])
    shown = capsys.readouterr().out
    assert (shown.count("It is 42."), shown.count("It is XLII. committed")) == (2, 1)
