"""A session with the scripted server, on real sockets."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from turnwire import realtime
from turnwire.testing.realtime import RealtimeServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from turnwire.events.realtime import RealtimeEvent
    from turnwire.realtime import RealtimeTransport

Json = dict[str, Any]

MANUAL = {"turn_detection": None}
SECOND = b"\x01\x02" * 24_000
FAST: Json = {"speed": 1000.0}


def dial(server: RealtimeServer, **options: Any) -> RealtimeTransport:
    """Return a session with a server, to be opened; nobody detects turns unless told so."""
    given: Json = {"base_url": server.http_url, "api_key": "key", "session": MANUAL}
    return realtime.connect(**{**given, **options})


@asynccontextmanager
async def talk(
    script: Any = None, *, server: Json | None = None, **options: Any
) -> AsyncIterator[tuple[RealtimeTransport, RealtimeServer]]:
    """Open a session with a server that plays a script."""
    async with RealtimeServer(script, **(server or FAST)) as served, dial(served, **options) as rt:
        yield rt, served


async def until(condition: Callable[[], object]) -> None:
    """Wait until something holds that nobody announces; a test that hangs times out."""
    while not condition():  # noqa: ASYNC110  # what is waited for has no event
        await asyncio.sleep(0)


async def take(events: Any, kind: str) -> list[Any]:
    """Read up to an event of a type."""
    taken: list[Any] = []
    async for event in events:
        taken.append(event)
        if event.type == kind:
            return taken
    raise AssertionError(f"it ended before {kind}: {kinds(taken)}")


def kinds(events: Iterable[RealtimeEvent]) -> list[str]:
    return [event.type for event in events]


def told(server: RealtimeServer, *types: str, connection: int = -1) -> list[Json]:
    """Return what the server was told on a socket, without ids of events."""
    sockets = server.connections
    return [
        {name: value for name, value in each.event.items() if name != "event_id"}
        for each in (sockets[connection].received if sockets else ())
        if not types or each.event["type"] in types
    ]
