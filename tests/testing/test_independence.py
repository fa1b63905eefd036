"""The peer is worth something because it shares nothing with what it tests."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import turnwire.testing

FOLDER = Path(turnwire.testing.__file__).parent
NOT_THE_PEER = ("pair", "recording", "replay")
PEER = sorted(
    path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith(("__", *NOT_THE_PEER))
)


def test_the_peer_is_here() -> None:
    assert {"peer", "rules", "lanes", "steering"} <= set(PEER)


@pytest.mark.parametrize("name", PEER)
def test_the_peer_imports_nothing_of_turnwire_but_itself(name: str) -> None:
    tree = ast.parse((FOLDER / f"{name}.py").read_text())
    imported = {
        module
        for node in ast.walk(tree)
        for module in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    }
    ours = {module for module in imported if module.split(".")[0] == "turnwire"}
    assert set() == {module for module in ours if not module.startswith("turnwire.testing.")}
