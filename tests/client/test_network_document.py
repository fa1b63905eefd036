"""The page about proxies and certificates runs."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from client.tls_front import Authority, Front
from turnwire.testing import Peer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "network.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def snippets() -> Iterator[CodeType]:
    for found in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        yield compile(found[1], PAGE.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.io
async def test_the_snippets_of_the_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    authority = Authority()
    authority.write(tmp_path)
    authority.write_client(tmp_path)
    monkeypatch.chdir(tmp_path)
    # The last snippet shows a certificate; the one before has none to show.
    async with (
        Peer() as peer,
        Front(peer, authority.server()) as front,
        Front(peer, authority.server(asks=True)) as asking,
    ):
        names: dict[str, Any] = {}
        for snippet in (every := list(snippets())):
            last = snippet is every[-1]
            monkeypatch.setenv("OPENAI_BASE_URL", (asking if last else front).base_url)
            monkeypatch.setenv("OPENAI_API_KEY", "key")
            waiting = eval(snippet, names)  # our own page
            if inspect.isawaitable(waiting):
                await waiting
        assert (front.dialled, asking.dialled, peer.model_runs) == (1, 3, 3)
    assert capsys.readouterr().out == "0\nHello.\nHello.\nHello.\nTrue\n"
