"""The shape of the code: layers, sizes, exports, the error tree."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import turnwire
import turnwire.errors
from architecture.repository import ROOT, SOURCE, files, name

if TYPE_CHECKING:
    from pathlib import Path

MAX_LINES = 400
LONGER_BECAUSE: dict[str, str] = {}  # "src/turnwire/…": the reason

# All that a decision needs.  None of these can open, wait, look at a clock or roll dice.
PURE = {
    "__future__",
    "bisect",
    "collections",
    "dataclasses",
    "email",  # reads dates
    "enum",
    "functools",
    "hashlib",
    "heapq",
    "itertools",
    "json",
    "math",
    "msgspec",
    "pybase64",  # decodes faster, if it is there
    "operator",
    "re",
    "string",
    "turnwire",
    "types",
    "typing",
    "weakref",
}
IMPURE_BUILTINS = {"breakpoint", "exec", "eval", "input", "open", "print"}

# What these need is only there in `make interop`, whose tests import them.
FRAMEWORKS = ("turnwire.adapters.livekit", "turnwire.adapters.openai_agents")

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(turnwire.__path__, "turnwire.")
    if not module.name.endswith("__main__") and not module.name.startswith(FRAMEWORKS)
)


def test_imports_point_down() -> None:
    command = "from importlinter.cli import lint_imports_command as c; c(['--no-cache'])"
    done = subprocess.run(
        [sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def imported_roots(tree: ast.AST) -> set[str]:
    roots: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            roots.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            roots.add(node.module.split(".")[0])
    return roots


def called_builtins(tree: ast.AST) -> set[str]:
    functions = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {function.id for function in functions if isinstance(function, ast.Name)}


def impurities(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    waits = {type(node).__name__ for node in ast.walk(tree)} & {"AsyncFunctionDef", "Await"}
    return (imported_roots(tree) - PURE) | (called_builtins(tree) & IMPURE_BUILTINS) | waits


def test_core_and_events_only_decide() -> None:
    pure = [path for layer in ("core", "events") for path in (SOURCE / layer).rglob("*.py")]
    assert pure
    assert {name(path): found for path in pure if (found := impurities(path))} == {}


def test_files_are_short() -> None:
    lengths = {
        name(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in files(".py")
        if SOURCE in path.parents
    }
    long = {path: length for path, length in lengths.items() if length > MAX_LINES}
    assert long.keys() == LONGER_BECAUSE.keys(), long


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for path in SOURCE.rglob("*.py")}
    assert [name(each) for each in sorted(folders) if not (each / "__init__.py").exists()] == []


def test_every_exported_name_exists_and_stands_in_order() -> None:
    wrong: dict[str, list[str]] = {}
    for module in [turnwire, *map(importlib.import_module, MODULES)]:
        exported: list[str] = list(getattr(module, "__all__", []))
        # Constants, classes, functions: the order that ruff wants (RUF022).
        ordered = sorted(set(exported), key=lambda each: (not each.isupper(), each.islower(), each))
        missing = [each for each in exported if not hasattr(module, each)]
        if missing or exported != ordered:
            wrong[module.__name__] = missing or ordered
    assert wrong == {}


def drawn_tree(docstring: str) -> dict[str, str]:
    """Read ``{class: parent}`` from the tree that the docstring draws, four columns a level."""
    above: list[str] = []
    parents: dict[str, str] = {}
    for line in docstring.splitlines():
        match = re.match(r"    ([ │├└─]*)([A-Z]\w+)", line)
        if match:
            depth = len(match[1]) // 4
            above[depth:] = [match[2]]
            parents[match[2]] = above[depth - 1] if depth else "Exception"
    return parents


def test_the_error_tree_is_what_its_docstring_draws_and_what_it_exports() -> None:
    classes = {
        each.__name__: each
        for each in vars(turnwire.errors).values()
        if isinstance(each, type) and each.__module__ == "turnwire.errors"
    }
    parents = {key: each.__bases__[0].__name__ for key, each in classes.items()}
    assert parents == drawn_tree(turnwire.errors.__doc__ or "")
    assert sorted(classes) == turnwire.errors.__all__
    assert all(issubclass(each, turnwire.errors.TurnwireError) for each in classes.values())
