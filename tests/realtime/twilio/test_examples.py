"""The examples answer the phone: the webhook, a greeting, a key, the end."""

from __future__ import annotations

import importlib.util
import re
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

from architecture.repository import ROOT
from realtime.twilio.asgi import served
from turnwire.testing import virtual_time
from turnwire.testing.realtime import RealtimeServer, counted, read, reply, twilio_line

if TYPE_CHECKING:
    from types import ModuleType

pytestmark = pytest.mark.io


def example(name: str) -> ModuleType:
    path = ROOT / "examples" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def application(name: str) -> web.Application:
    if name == "realtime_twilio_starlette":
        pytest.importorskip("starlette")
        return served(example(name).app)
    return example(name).app


@pytest.mark.parametrize("name", ["realtime_twilio_aiohttp", "realtime_twilio_starlette"])
def test_an_example_answers_the_phone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app = application(name)

    @virtual_time
    async def story() -> None:
        async with RealtimeServer(reply(counted(300))) as server:
            monkeypatch.setenv("OPENAI_API_KEY", "k")
            monkeypatch.setenv("OPENAI_BASE_URL", server.http_url)
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            try:
                await talk(server, f"127.0.0.1:{runner.addresses[0][1]}")
            finally:
                await runner.cleanup()

    story()


async def talk(server: RealtimeServer, address: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://{address}/incoming", data={"From": "+15550100"}) as answer,
    ):
        assert answer.content_type in ("text/xml", "application/xml")
        (url,) = re.findall(r'<Stream url="wss(://[^"]*)"/>', await answer.text())
    assert url == f"://{address}/call"
    async with twilio_line(f"ws{url}") as line:
        await line.wait_until(lambda: line.call.heard_ms >= 300)
        line.press("5")
        await line.wait_until(lambda: line.call.heard_ms >= 600)
        (served_session,) = server.sessions
        items: list[Any] = served_session.received_of("conversation.item.create")
        assert [each["item"]["content"][0]["text"] for each in items] == ["I pressed 5."]
        (first, _) = served_session.received_of("response.create")
        assert first["response"]["instructions"] == "Greet the caller."
        heard = read(bytes(line.call.playing.heard), sample_bytes=1)
        assert [(run.item, run.count) for run in heard] == [(1, 2400), (2, 2400)]
        line.hang_up()
        await server.wait_until(lambda: "-> close 1000" in server.transcript())
        assert line.failure is None
