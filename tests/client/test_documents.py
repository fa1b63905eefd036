"""The how-to pages run, and the reference is complete."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest

import turnwire.errors
from turnwire.core.chain import MissReason
from turnwire.testing import (
    Create,
    Gate,
    Peer,
    Steer,
    SteerStep,
    Step,
    accept,
    answer,
    call,
    wait,
)

if TYPE_CHECKING:
    from types import CodeType

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[CodeType]:
    """Compile a page's snippets as `python -m asyncio` does."""
    text = page.read_text(encoding="utf-8")
    return [
        compile(
            "\n" * text[: found.start(1)].count("\n") + found[1],
            str(page),
            "exec",
            flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
        )
        for found in BLOCK.finditer(text)
    ]


def script(create: Create) -> list[Step]:
    """Call the first tool once, then answer."""
    tools = create.request.get("tools") or [{}]
    answered = create.input and create.input[-1].get("type") == "function_call_output"
    if tools[0].get("name") and not answered:
        arguments = {"a": 17, "b": 25} if tools[0]["name"] == "add" else {}
        return [call(tools[0]["name"], arguments)]
    return [answer(f"You said: {create.text}")]


@pytest.mark.io
@pytest.mark.parametrize("name", ["client", "chains", "recovery"])
async def test_the_snippets_of_a_page_run(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    snippets = blocks(DOCS / "howto" / f"{name}.md")
    assert len(snippets) > 5
    async with Peer(script) as peer:
        monkeypatch.setenv("OPENAI_BASE_URL", peer.base_url)
        names: dict[str, Any] = {"__name__": name}
        for snippet in snippets:
            waiting = eval(snippet, names)  # our own page
            if inspect.isawaitable(waiting):
                await waiting
        assert peer.refusals == []
        assert peer.model_runs > 5
    assert "You said: " in capsys.readouterr().out


@pytest.mark.io
async def test_the_snippets_about_steering_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gates: list[Gate] = []

    def write(create: Create) -> list[Step]:
        if create.steered:
            return [answer("By train.")]
        gates.append(Gate())
        held = wait(gates[-1], after="response.output_text.delta")
        return [answer("By plane."), held, answer("And so on.")]

    def hear(_: Steer) -> list[SteerStep]:
        gates[-1].open()
        return [accept()]

    snippets = blocks(DOCS / "howto" / "steering.md")
    async with Peer(write, steer=hear) as peer:
        monkeypatch.setenv("OPENAI_BASE_URL", peer.base_url)
        names: dict[str, Any] = {"__name__": "steering", "turnwire": turnwire}
        for snippet in snippets:
            waiting = eval(snippet, names)  # our own page
            if inspect.isawaitable(waiting):
                await waiting
        assert (len(snippets), peer.refusals) == (2, [])
    shown = capsys.readouterr().out
    assert "By plane." in shown
    assert "committed ['incomplete', 'completed']" in shown
    assert "By train. committed" in shown


@pytest.mark.io
async def test_the_tests_of_the_page_about_testing_pass() -> None:
    names: dict[str, Any] = {"__name__": "testing"}
    for snippet in blocks(DOCS / "howto" / "testing.md"):
        eval(snippet, names)  # our own page
    tests = [value for name, value in names.items() if name.startswith("test_")]
    for test in tests:
        await test()
    assert len(tests) > 5


def test_the_reference_draws_the_tree_of_the_errors() -> None:
    page = (DOCS / "reference" / "errors.md").read_text(encoding="utf-8")
    drawn = re.findall(r"^([ │├└─]*)([A-Z]\w+)", page.split("```")[1], re.MULTILINE)
    of_code = re.findall(r"^    ([ │├└─]*)([A-Z]\w+)", turnwire.errors.__doc__ or "", re.MULTILINE)
    assert drawn == of_code
    assert {name for _, name in drawn} == set(turnwire.errors.__all__)


def test_the_reference_explains_every_error() -> None:
    page = (DOCS / "reference" / "errors.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    groups = {"SteerError", "TransportError", "TurnwireError"}
    assert set(turnwire.errors.__all__) - explained == groups


def test_the_reference_names_every_attribute() -> None:
    page = (DOCS / "reference" / "errors.md").read_text(encoding="utf-8")
    attributes = {
        name
        for cls in map(turnwire.errors.__dict__.get, turnwire.errors.__all__)
        for name in inspect.signature(cls.__init__).parameters  # type: ignore[union-attr]
    } - {"self", "message", "args", "kwargs"}
    assert {name for name in attributes if f"`{name}`" not in page} == set()


def test_the_page_of_chains_explains_every_miss() -> None:
    page = (DOCS / "howto" / "chains.md").read_text(encoding="utf-8")
    section = page.split("## Misses")[1]
    explained = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert sorted(explained) == sorted(get_args(MissReason))
