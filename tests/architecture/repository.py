"""What the architecture tests look at: the files of this repository, in a clone or not."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "turnwire"
FOLDERS = (".ci", "benchmarks", "changes", "deploy", "docs", "examples", "src", "tests")
GENERATED = {"__pycache__", ".hypothesis"}


def files(*suffixes: str) -> list[Path]:
    """Return our files with one of these suffixes; all of them if none is given."""
    found = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in FOLDERS:
        found += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    return sorted(
        path
        for path in found
        if GENERATED.isdisjoint(path.parts) and (not suffixes or path.suffix in suffixes)
    )


def name(path: Path) -> str:
    """Return a path as it is written in the repository."""
    return path.relative_to(ROOT).as_posix()
