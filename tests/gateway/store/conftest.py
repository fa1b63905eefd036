"""A Redis for all tests, and stores of each kind."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from gateway.store.redis_server import RedisServer
from gateway.store.support import Stores

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

_numbers = count()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stores]:
    """Stores of the kind that the test is marked with."""

    def redis_url() -> str:
        return request.getfixturevalue("redis_server").url

    opened = Stores(request.param, tmp_path, redis_url, prefix=f"test{next(_numbers)}")
    yield opened
    await opened.aclose()
