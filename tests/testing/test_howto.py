"""The page about testing: its tests pass, its one-line scripts are scripts, it names every word."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import turnwire.testing
from turnwire.testing import Create, Gate, Peer, faults, pytest_plugin, script
from turnwire.testing.plan import plan

pytest_plugins = ["pytester"]

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "testing.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(?:python|py)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SOURCE = str(Path(turnwire.testing.__file__).parents[2])
FAULTS = PAGE.split("## Faults")[1].split("## Gates")[0]
# The cells of a row behind the first one; there is one line of script to each pair of backquotes.
LINES = [
    line
    for row in re.findall(r"^\| .* \| (.*) \|$", FAULTS, re.MULTILINE)
    for line in re.findall(r"`([^`]+)`", row)
]


@pytest.mark.io
@pytest.mark.slow
def test_the_tests_of_the_page_pass(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", SOURCE, prepend=os.pathsep)
    pytester.makepyfile("\n".join(block[1] for block in BLOCK.finditer(PAGE)))
    result = pytester.runpytest_subprocess(
        *("-p", "no:turnwire", "-p", "turnwire.testing.pytest_plugin", "-p", "no:cacheprovider"),
        *("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"),
        *("-W", "error", "--strict-markers"),
    )
    result.assert_outcomes(passed=PAGE.count("def test_"))


def test_there_are_lines() -> None:
    assert len(LINES) > 60


@pytest.mark.parametrize("line", LINES)
def test_every_line_is_a_script(line: str) -> None:
    names = {name: getattr(turnwire.testing, name) for name in turnwire.testing.__all__}
    names |= {"gate": Gate(), "peer": Peer()}
    if " = " in line:
        exec(line, names)  # our own page
        return
    made = eval(line, names)
    if isinstance(made, list):
        assert plan(Create(1, 0, None, {"model": "m"}), made, "resp_1").acts
    else:
        assert made is None or isinstance(made, Peer) or callable(made)


def words(module: object) -> set[str]:
    """Return the public functions of a module of the vocabulary."""
    return {
        name
        for name, value in vars(module).items()
        if callable(value) and value.__module__ == module.__name__ and name[0].islower()  # type: ignore[attr-defined]
    }


def test_the_page_names_every_word_of_the_vocabulary() -> None:
    vocabulary = words(script) | words(faults) | {"refuse", "redirect", "virtual_time"}
    explained = {name for name in vocabulary if re.search(rf"`[^`]*\b{name}\b", PAGE)}
    assert vocabulary - explained == {"echo"}  # what a peer does without a script
    assert vocabulary <= set(turnwire.testing.__all__)


def test_the_page_names_every_fixture_and_argument() -> None:
    fixtures = [name for name in vars(pytest_plugin) if name.startswith("turnwire_")]
    assert [name for name in fixtures if f"`{name}`" not in PAGE] == []
    arguments = set(Peer.__init__.__annotations__) - {"return", "script", "clock"}
    assert {name for name in arguments if f"{name}=" not in PAGE} == set()
