"""The scenarios of the clients that are installed."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

from packaging.requirements import Requirement

if TYPE_CHECKING:
    from interop.gateway.lab import Scenario

# What each file needs; not every environment has all of it.
CLIENTS: Final = {
    "openai_scenarios": ("openai>=3.50",),  # and all others, for the models of events
    "openai_agents_scenarios": ("openai-agents>=0.24",),
    "pydantic_ai_scenarios": ("pydantic-ai-slim>=2.68",),
    "livekit_scenarios": ("livekit-plugins-openai>=1.8.9",),
    "litellm_scenarios": ("litellm>=1.83",),
}
SERVER: Final = ("xllamacpp>=2026.10", "gguf>=0.19", "typer>=0.20")


def scenarios() -> list[Scenario]:
    """Return the scenarios of all clients that are installed, and new enough."""
    found: list[Scenario] = []
    for name, needed in CLIENTS.items():
        if all(map(is_met, needed)):
            found += import_module(f"interop.gateway.{name}").SCENARIOS
    return found


def is_met(text: str) -> bool:
    """Return whether this environment has what a requirement asks for."""
    requirement = Requirement(text)
    try:
        return version(requirement.name) in requirement.specifier
    except PackageNotFoundError:
        return False
