"""The shape of the text: words, links, generated pages, nothing of one machine."""

from __future__ import annotations

import ast
import importlib.util
import re
from typing import TYPE_CHECKING

from architecture.repository import ROOT, SOURCE, files, name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# ARCHITECTURE.md, "Words".  In prose the names of the wire stand in backquotes: not looked at.
INSTEAD_OF = {
    "backend": "upstream",
    "channel": "lane",
    "conversation": "chain",
    "epoch": "generation",
    "frame": "message",
    "packet": "message",
    "payload": "event",
    "supervisor": "pool",
}
NO_ROLE = {"base", "handler", "helper", "manager", "util", "utils"}  # say what it is instead
THE_SDKS_PARAMETERS = {"conversation"}
THE_SDKS_EVENTS = SOURCE / "events/realtime"  # are named as in the official SDK: `Conversation…`

MACHINE = re.compile(
    r"/(?:home|Users|root|work|tmp)/\w|\bsk-[A-Za-z0-9_-]{20,}|BEGIN [A-Z ]*PRIVATE"
)
DOCS_REFERENCE = re.compile(r"docs/[\w/.-]+\.md(?:#[\w-]+)?")
MARKDOWN_LINK = re.compile(r"\]\((?!https?://|mailto:)([^)\s]*)\)")


def words(identifier: str) -> set[str]:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", identifier.replace("_", " "))
    return {re.sub(r"s$", "", word) for word in spaced.lower().split()} | set(
        spaced.lower().split()
    )


def names_of_roles(tree: ast.AST) -> Iterator[str]:
    classes = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    return (found for found in classes if words(found) & NO_ROLE)


def defined_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=found) | ast.FunctionDef(name=found) | ast.arg(arg=found):
                yield found
            case ast.AsyncFunctionDef(name=found) | ast.Name(id=found, ctx=ast.Store()):
                yield found
            case _:
                pass


def without_blocks(path: Path) -> str:
    """Return a page without its blocks of code."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def prose(path: Path) -> str:
    """Return a page without code and addresses."""
    return re.sub(r"`[^`]*`|\]\([^)]*\)|https?://\S+", " ", without_blocks(path))


def test_names_use_one_word_for_one_thing() -> None:
    wrong: list[str] = []
    for path in SOURCE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        defined = {*defined_names(tree)} - THE_SDKS_PARAMETERS
        theirs = {"conversation"} if THE_SDKS_EVENTS in path.parents else set[str]()
        bad = {
            *names_of_roles(tree),
            *(each for each in defined if words(each) & (INSTEAD_OF.keys() - theirs)),
        }
        wrong += [f"{name(path)}: {found}" for found in bad]
    assert sorted(wrong) == []


def test_pages_use_one_word_for_one_thing() -> None:
    wrong = [
        f"{name(path)}: {word[0]}, say {INSTEAD_OF[word[1].lower()]}"
        for path in files(".md")
        for word in re.finditer(rf"\b({'|'.join(INSTEAD_OF)})s?\b", prose(path), re.IGNORECASE)
    ]
    assert wrong == []


def anchors(page: Path) -> set[str]:
    """Return the anchors that a page's headings get."""
    text = re.sub(
        r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    titles = re.findall(r"^#+ +(.+?) *$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def is_broken(page: Path, anchor: str) -> bool:
    return not page.exists() or bool(anchor and anchor not in anchors(page))


def test_every_reference_to_a_page_leads_somewhere() -> None:
    wrong: list[str] = []
    for path in files(".py", ".toml", ".txt", ".md", ""):
        for reference in DOCS_REFERENCE.findall(path.read_text(encoding="utf-8")):
            page, _, anchor = reference.partition("#")
            if is_broken(ROOT / page, anchor):
                wrong.append(f"{name(path)}: {reference}")
    assert wrong == []


def test_every_link_between_pages_leads_somewhere() -> None:
    wrong: list[str] = []
    for path in files(".md"):
        for link in MARKDOWN_LINK.findall(path.read_text(encoding="utf-8")):
            target, _, anchor = link.partition("#")
            page = path.parent / target if target else path
            if is_broken(page, anchor if page.suffix == ".md" else ""):
                wrong.append(f"{name(path)}: {link}")
    assert wrong == []


def test_generated_pages_are_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    for page, render in generate.PAGES.items():
        assert page.read_text(encoding="utf-8") == render(), "run `make docs`"


def test_nothing_of_one_machine_and_no_key_is_here() -> None:
    wrong = [
        f"{name(path)}: {found[0]}"
        for path in files(".py", ".toml", ".txt", ".md", ".yml", ".json", ".sh", "")
        for found in MACHINE.finditer(path.read_text(encoding="utf-8"))
    ]
    assert wrong == []
