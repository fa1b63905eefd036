from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from client.colours import opened
from turnwire import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    Open = Callable[..., AbstractAsyncContextManager[Any]]

_ENVIRONMENT = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*_ENVIRONMENT, *_PROXIES, *(name.upper() for name in _PROXIES)):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=["async", "blocking"])
def open_client(request: pytest.FixtureRequest) -> Open:
    """Return how to open a client in each colour; it dials twice again, at once."""
    return partial(opened, request.param, dial_backoff=Backoff((0.0, 0.0), jitter=False))


@pytest.fixture(params=["websocket", "http"])
def transport(request: pytest.FixtureRequest) -> str:
    return request.param
