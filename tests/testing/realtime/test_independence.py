"""The server is a check of the client because it shares nothing with it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import turnwire.gateway.voice
import turnwire.testing.realtime

FOLDERS = [
    Path(str(module.__file__)).parent
    for module in (turnwire.gateway.voice, turnwire.testing.realtime)
]
FILES = sorted(path for folder in FOLDERS for path in folder.glob("*.py"))
# How JSON is written, and how mistakes of those who call are.
SHARED = {"turnwire.events", "turnwire.errors"}


def test_the_files_are_here() -> None:
    assert {"session.py", "served.py"} <= {path.name for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_server_imports_nothing_of_the_client(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {
        node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
    } | {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    ours = {module for module in imported if module.startswith("turnwire")} - SHARED
    assert [each for each in ours if each.split(".")[1] not in {"gateway", "testing"}] == []
