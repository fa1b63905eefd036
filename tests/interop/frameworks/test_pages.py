"""The snippets of the pages about frameworks run as they stand."""

from __future__ import annotations

import ast
import inspect
import re
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

import interop.frameworks.lab  # noqa: F401  # it keeps the frameworks from telling the world
from interop.frameworks.catalogue import is_installed
from interop.frameworks.overlooking import all_warnings
from turnwire.testing import Create, Peer, answer, call

if TYPE_CHECKING:
    from turnwire.testing import Step

pytestmark = pytest.mark.interop

_PAGES: Final = Path(__file__).parents[3] / "docs" / "howto"
_BLOCK: Final = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_OWN: Final = re.compile(r"^## turnwire's own ", re.MULTILINE)  # tested with the adapters
_EXPECTED: Final = {
    page: expected
    for page, package, expected in (
        ("openai.md", "openai", "42"),
        ("openai-agents.md", "openai-agents", "425"),
        ("pydantic-ai.md", "pydantic-ai-slim", "42"),
        ("langchain.md", "langchain", "42"),
        ("livekit.md", "livekit-plugins-openai", "42"),
        ("litellm.md", "litellm", "42"),
    )
    if is_installed(package)
}
# The pages name the module of today's SDK.
_HTTP2: Final = int(version("openai").partition(".")[0]) >= 3


def _script(create: Create) -> list[Step]:
    last = create.input[-1]
    if last.get("type") == "function_call_output":
        return [answer(f"It is {last['output']}.")]
    tool = create.request["tools"][0]["name"]
    return [call(tool, {"a": 17, "b": 25}, call_id="call_1")]


@pytest.mark.parametrize(("page", "expected"), _EXPECTED.items(), ids=_EXPECTED)
async def test_the_snippets_run(
    page: str, expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (_PAGES / page).read_text("utf-8")
    text = _OWN.split(text)[0]
    if not _HTTP2:
        text = text.replace("turnwire.httpx2", "turnwire.httpx")
    names: dict[str, Any] = {"__name__": "page"}
    async with Peer(_script) as peer:
        monkeypatch.setenv("OPENAI_BASE_URL", peer.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "k")
        if page == "openai-agents.md":  # the page sets it; it is put back afterwards
            monkeypatch.setattr("agents.models._openai_shared._default_openai_client", None)
        for snippet in _BLOCK.findall(text):
            code = compile(snippet, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            with all_warnings():  # some packages find fault with themselves
                waiting = eval(code, names)
                if inspect.isawaitable(waiting):
                    await waiting
    assert capsys.readouterr().out == f"It is {expected}.\n"
    assert (peer.model_runs, peer.posts) == (2, [])
