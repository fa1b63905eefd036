"""Engines whose loop ends without a word."""

from __future__ import annotations

import asyncio
import gc
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from turnwire.core.history import HistoryItem
from turnwire.core.params import Params
from turnwire.core.request import TurnRequest
from turnwire.core.settings import PoolSettings
from turnwire.io.endpoint import Endpoint
from turnwire.io.engine import Engine
from turnwire.testing import Peer, silence

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.io


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer(lambda _: [silence()]) as served:
        yield served


def started(peer: Peer, transport: Any) -> tuple[Engine, Any]:
    endpoint = Endpoint(f"{peer.base_url}/responses")
    engine = Engine(endpoint, PoolSettings(), inbox_bytes=2**20, client_bytes=2**20)
    asked = TurnRequest(Params({"model": "m"}), [HistoryItem.of({"role": "user"})], transport)
    taken = engine.submit(asked)
    assert taken is not None
    return engine, taken[1]


@pytest.mark.parametrize("transport", ["websocket", "http"])
def test_a_loop_that_ends_ends_its_engine(peer: Peer, transport: Any) -> None:
    async def leave() -> tuple[Engine, Any]:
        left = started(peer, transport)
        await asyncio.to_thread(peer.block_until, lambda: peer.model_runs == 1)
        return left

    engine, inbox = asyncio.run(leave())
    assert (engine.closed, inbox.finish is not None) == (True, True)
    peer.block_until(lambda: not any(one.is_open for one in (*peer.connections, *peer.posts)))
    statistics = engine.statistics()
    assert (statistics.sockets, statistics.active) == (0, 0)


@pytest.mark.parametrize("transport", ["websocket", "http"])
def test_a_loop_that_ends_at_once_leaves_nothing_either(peer: Peer, transport: Any) -> None:
    async def leave() -> tuple[Engine, Any]:
        return started(peer, transport)

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        engine, _ = asyncio.run(leave())
        closed = engine.closed
        del engine, _
        gc.collect()
    assert (closed, [str(each.message) for each in warned]) == (True, [])


async def test_an_end_in_the_same_breath_as_the_beginning() -> None:
    async with Peer() as served:
        engine, inbox = started(served, "websocket")
        await engine.aclose()
        assert (engine.closed, inbox.finish.failure.kind.value) == (True, "closed")
