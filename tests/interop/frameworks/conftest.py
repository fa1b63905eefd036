"""Leaves out the tests of adapters whose package is missing here, or too old for them."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

_PROJECT: Final = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8"))
_EXTRA_OF: Final = {
    "test_livekit_llm*.py": "livekit",
    "test_openai_agents_*.py": "openai-agents",
}


def _is_met(extra: str) -> bool:
    texts: list[str] = _PROJECT["project"]["optional-dependencies"][extra]
    try:
        return all(version(each.name) in each.specifier for each in map(Requirement, texts))
    except PackageNotFoundError:
        return False


collect_ignore_glob = [pattern for pattern, extra in _EXTRA_OF.items() if not _is_met(extra)]
