"""The example that relays a browser's talk: both directions, what was played, an interruption."""

from __future__ import annotations

import importlib.util
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType, web

from architecture.repository import ROOT
from turnwire.audio import PCM16, tone
from turnwire.testing.realtime import RealtimeServer, counted, reply

pytestmark = pytest.mark.io

HALF_A_SECOND = 24_000  # bytes


def example() -> Any:
    path = ROOT / "examples" / "realtime_web_relay.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_a_page_talks_and_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    async with RealtimeServer(reply(counted(2000)), speed=1000.0) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "k")
        monkeypatch.setenv("OPENAI_BASE_URL", server.http_url)
        runner = web.AppRunner(example().app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            await _use(server, f"http://127.0.0.1:{runner.addresses[0][1]}/talk")
        finally:
            await runner.cleanup()


async def _use(server: RealtimeServer, url: str) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as page:
        await server.wait_until(lambda: bool(server.sessions))
        (served,) = server.sessions
        await page.send_bytes(tone(440, 400) + bytes(PCM16.bytes_in(600)))
        heard = b""
        while len(heard) < HALF_A_SECOND:
            message = await page.receive()
            assert message.type is WSMsgType.BINARY
            heard += message.data
        await page.send_json({"played": HALF_A_SECOND})
        await page.send_bytes(tone(440, 400))
        while (message := await page.receive()).type is WSMsgType.BINARY:
            pass
        assert message.json() == {"clear": True}
        await server.wait_until(lambda: served.received_of("conversation.item.truncate"))
        (cut,) = served.received_of("conversation.item.truncate")
        assert cut["audio_end_ms"] == 500
