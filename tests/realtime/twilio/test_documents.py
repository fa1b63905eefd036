"""The page about the telephone does what it says."""

from __future__ import annotations

import re
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from architecture.repository import ROOT
from realtime.twilio.support import serving
from turnwire.testing import virtual_time
from turnwire.testing.realtime import RealtimeServer, counted, reply, twilio_line

PAGE = ROOT / "docs" / "howto" / "twilio.md"
EXAMPLES = ("realtime_twilio_aiohttp", "realtime_twilio_starlette")


def blocks(language: str) -> list[str]:
    text = PAGE.read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.io
def test_its_program_answers_the_phone(monkeypatch: pytest.MonkeyPatch) -> None:
    (program,) = blocks("python")
    names: dict[str, Any] = {}
    exec(compile(program, PAGE.name, "exec"), names)

    async def call(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)

        async def receive() -> str | None:
            message = await socket.receive()
            return message.data if message.type is WSMsgType.TEXT else None

        await names["answer"](receive, socket.send_str)
        await socket.close()
        return socket

    @virtual_time
    async def story() -> None:
        async with RealtimeServer(reply(counted(200))) as server:
            monkeypatch.setenv("OPENAI_API_KEY", "k")
            monkeypatch.setenv("OPENAI_BASE_URL", server.http_url)
            async with serving(call) as url, twilio_line(url) as line:
                line.press("3")
                await line.wait_until(lambda: line.call.heard_ms >= 400)
                line.hang_up()
                await line.wait_until(lambda: line.close_code is not None)

    story()


def test_its_twiml_is_that_of_the_examples() -> None:
    (twiml,) = blocks("xml")
    short = re.sub(r"\s*<Parameter[^>]*>", "", twiml)
    short = re.sub(r">\s+<", "><", short).replace("></Stream>", "/>").strip()
    for name in EXAMPLES:
        source = (ROOT / "examples" / f"{name}.py").read_text("utf-8")
        assert short.replace("your.host", "{host}") in source
