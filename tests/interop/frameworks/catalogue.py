"""The scenarios of the frameworks that are installed."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from interop.frameworks.lab import Scenario

# What each file needs; more than one environment, because some packages exclude others.
PACKAGES: Final = {
    "openai_scenarios": "openai",
    "openai_agents_scenarios": "openai-agents",
    "pydantic_ai_scenarios": "pydantic-ai-slim",
    "langchain_scenarios": "langchain-openai",
    "langgraph_scenarios": "langgraph",
    "langchain_agent_scenarios": "langchain",
    "livekit_scenarios": "livekit-plugins-openai",
    "litellm_scenarios": "litellm",
}


def scenarios() -> list[Scenario]:
    """Return the scenarios of all frameworks that are installed."""
    found: list[Scenario] = []
    for name, package in PACKAGES.items():
        if is_installed(package):
            found += import_module(f"interop.frameworks.{name}").SCENARIOS
    return found


def is_installed(package: str) -> bool:
    """Return whether this environment has a package."""
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True
