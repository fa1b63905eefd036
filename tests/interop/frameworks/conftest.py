"""Leaves out the tests of adapters whose package is missing here, or too old for them."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

_PROJECT: Final = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8"))
_EXTRA_OF: Final = {
    "test_livekit_*.py": "livekit",
    "test_openai_agents_*.py": "openai-agents",
}
# Not behind an extra: what they import is younger than what the package itself asks for.
_MODULE_OF: Final = {"test_pydantic_ai_realtime_*.py": "pydantic_ai.realtime"}


def _is_met(extra: str) -> bool:
    texts: list[str] = _PROJECT["project"]["optional-dependencies"][extra]
    try:
        return all(version(each.name) in each.specifier for each in map(Requirement, texts))
    except PackageNotFoundError:
        return False


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even its package
        return False


collect_ignore_glob = [
    *(pattern for pattern, extra in _EXTRA_OF.items() if not _is_met(extra)),
    *(pattern for pattern, module in _MODULE_OF.items() if not _is_there(module)),
]
