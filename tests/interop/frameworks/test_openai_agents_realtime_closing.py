"""The OpenAI Agents SDK's voice model, closed early, and listeners that fail oddly."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from agents.realtime import RealtimeModelListener

from turnwire.adapters.openai_agents.realtime import RealtimeModel
from turnwire.errors import ConnectionLost
from turnwire.realtime import RealtimeTransport
from turnwire.testing import Gate, wait
from turnwire.testing.realtime import RealtimeServer, reply, text

if TYPE_CHECKING:
    from agents.realtime.model_events import RealtimeModelEvent

pytestmark = [pytest.mark.interop, pytest.mark.io]


async def test_closing_ends_a_connect() -> None:
    async with RealtimeServer(handshake=[wait(Gate())]) as server:
        model = RealtimeModel(base_url=server.http_url)
        connecting = asyncio.create_task(model.connect({"api_key": "k"}))
        await server.wait_until(lambda: bool(server.handshakes))
        await model.close()
        with pytest.raises(ConnectionLost, match="closed"):
            await connecting
        assert model.transport is None
        await model.connect({"api_key": "k"})
        assert model.transport is not None
        await model.close()


async def test_closing_ends_a_connect_that_is_just_through(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[RealtimeTransport] = []
    opens = RealtimeTransport.open

    async def open_and_close(transport: RealtimeTransport) -> RealtimeTransport:
        await opens(transport)
        opened.append(transport)
        await model.close()
        return transport

    async with RealtimeServer() as server:
        model = RealtimeModel(base_url=server.http_url)
        monkeypatch.setattr(RealtimeTransport, "open", open_and_close)
        with pytest.raises(ConnectionLost, match="closed while it was opened"):
            await model.connect({"api_key": "k"})
        assert model.transport is None
        assert opened[0].status == "disconnected"


class Listener(RealtimeModelListener):
    """Waits, once, for what was cancelled."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def on_event(self, event: RealtimeModelEvent) -> None:
        self.told.append(event.type)
        if len(self.told) == 1:
            job: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            job.cancel()
            await job


async def test_a_listener_that_waited_for_what_was_cancelled_silences_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with RealtimeServer(reply(text("Hello."))) as server:
        model, listener = RealtimeModel(base_url=server.http_url), Listener()
        model.add_listener(listener)
        await model.connect({"api_key": "k"})
        assert model.transport is not None
        await model.transport.request_response()
        while "turn_ended" not in listener.told:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0)
        await model.close()
    assert "exception" not in listener.told
    assert "waited for what was cancelled" in caplog.text
