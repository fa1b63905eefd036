"""Engines to ask, for tests of what they do on the wire."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from turnwire.core.history import HistoryItem
from turnwire.core.params import Params
from turnwire.core.request import Deadlines, TurnRequest
from turnwire.core.settings import PoolSettings
from turnwire.io.endpoint import Endpoint
from turnwire.io.engine import Engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from turnwire.core.actions import Finish
    from turnwire.core.pool_turn import PoolTurn
    from turnwire.io.inbox import Inbox

NONE = Deadlines(queue=None, write=None, first_event=None)


@asynccontextmanager
async def running(
    server: Any,
    *,
    key: Any = None,
    inbox_bytes: int = 2**20,
    client_bytes: int = 2**26,
    wall_clock: Any = None,
    **settings: Any,
) -> AsyncIterator[Engine]:
    """Run an engine for a peer, or for a server at a URL."""
    url = getattr(server, "base_url", server)
    engine = Engine(
        Endpoint(f"{url}/responses", api_key=key),
        PoolSettings(**settings),
        inbox_bytes=inbox_bytes,
        client_bytes=client_bytes,
        **{} if wall_clock is None else {"wall_clock": wall_clock},
    )
    try:
        yield engine
    finally:
        await engine.aclose()


def request(text: str = "x", **members: Any) -> TurnRequest:
    """Return a turn that asks for something, without deadlines."""
    item = HistoryItem.of({"type": "message", "role": "user", "content": text})
    return TurnRequest(Params({"model": "m"}), [item], **{"deadlines": NONE} | members)


def submitted(engine: Engine, asked: TurnRequest) -> tuple[PoolTurn, Inbox]:
    """Start a turn."""
    taken = engine.submit(asked)
    assert taken is not None
    return taken


async def ended(inbox: Inbox) -> Finish:
    """Wait for a turn's end."""
    while inbox.finish is None:
        await inbox.wait_changed()
    return inbox.finish


async def answered(engine: Engine, asked: TurnRequest | None = None) -> str:
    """Run a turn that ends well, and return what the model said."""
    _, inbox = submitted(engine, asked or request())
    finish = await ended(inbox)
    assert finish.failure is None, finish.failure
    assert finish.response is not None
    return finish.response.output_text
