from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from turnwire.testing import Peer

TERMINAL = {"response.completed", "response.failed", "response.incomplete", "error"}


class Socket:
    """A bare WebSocket client."""

    def __init__(self, raw: aiohttp.ClientWebSocketResponse) -> None:
        self.raw = raw

    async def create(self, **members: Any) -> None:
        event = {"type": "response.create", "model": "m", **members}
        await self.raw.send_str(msgspec.json.encode(event).decode())

    async def event(self) -> dict[str, Any]:
        message = await self.raw.receive()
        assert message.type is aiohttp.WSMsgType.TEXT, message
        return msgspec.json.decode(message.data)

    async def turn(self) -> list[dict[str, Any]]:
        events = [await self.event()]
        while events[-1]["type"] not in TERMINAL:
            events.append(await self.event())
        return events

    async def run(self, **members: Any) -> dict[str, Any]:
        """Send a create and return its terminal event."""
        await self.create(**members)
        return (await self.turn())[-1]


class Caller:
    """Sockets and POSTs of one test, closed at its end."""

    def __init__(self, session: aiohttp.ClientSession, stack: AsyncExitStack) -> None:
        self.session = session
        self._stack = stack

    async def dial(self, peer: Peer, **options: Any) -> Socket:
        raw = await self.session.ws_connect(peer.websocket_url, **options)
        self._stack.push_async_callback(raw.close)
        return Socket(raw)

    async def post(self, peer: Peer, **body: Any) -> tuple[int, dict[str, Any]]:
        url = f"{peer.base_url}/responses"
        async with self.session.post(url, json={"model": "m", **body}) as response:
            return response.status, msgspec.json.decode(await response.read())


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Caller(session, stack)
