from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

_ENVIRONMENT = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*_ENVIRONMENT, *_PROXIES, *(name.upper() for name in _PROXIES)):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=["httpx2", "httpx"])
def library(request: pytest.FixtureRequest) -> str:
    """Return the name of a library, and of our module for it."""
    return request.param


@pytest.fixture
def theirs(library: str) -> ModuleType:
    return import_module(library)


@pytest.fixture
def ours(library: str) -> ModuleType:
    return import_module(f"turnwire.{library}")


@pytest.fixture(params=["async", "blocking"])
def way(request: pytest.FixtureRequest, ours: ModuleType) -> tuple[ModuleType, bool]:
    """Return our module, and whether its async client is meant."""
    return ours, request.param == "async"
