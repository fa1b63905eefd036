"""How a call ends, with a socket that is two functions; and what is never told."""

from __future__ import annotations

import asyncio
import base64
import logging
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from turnwire import realtime
from turnwire.errors import DialError, ProtocolError
from turnwire.realtime.twilio import TwilioBridge
from turnwire.testing import refuse, virtual_time
from turnwire.testing.realtime import RealtimeServer, counted, reply

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.io

START = '{"event":"start","start":{"streamSid":"MZ1","customParameters":{"pin":"hush-1"}}}'


class Socket:
    """The two functions of a socket, and what went through them."""

    def __init__(self, *said: str | None) -> None:
        self.said: asyncio.Queue[Any] = asyncio.Queue()
        for each in said:
            self.said.put_nowait(each)
        self.sent: list[Any] = []
        self.fails: Callable[[], Exception] | None = None

    async def receive(self) -> Any:
        return await self.said.get()

    async def send(self, text: str) -> None:
        if self.fails is not None:
            raise self.fails()
        self.sent.append(msgspec.json.decode(text))


def bridged(server: RealtimeServer, socket: Socket, **options: Any) -> Any:
    rt = realtime.connect(base_url=server.http_url, api_key="k-hush", **options)
    return rt, TwilioBridge(rt, socket.receive, socket.send)


@virtual_time
async def test_a_session_that_cannot_be_opened_is_an_error_of_the_call() -> None:
    async with RealtimeServer(handshake=refuse(401)) as server:
        rt, bridge = bridged(server, Socket(START))
        with pytest.raises(DialError):
            await bridge.run()
        assert rt.status == "disconnected"


@virtual_time
async def test_cancelling_closes_the_session() -> None:
    async with RealtimeServer() as server:
        rt, bridge = bridged(server, Socket(START))
        running = asyncio.ensure_future(bridge.run())
        await server.wait_until(lambda: "session.updated" in server.transcript())
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert rt.status == "disconnected"
        await server.wait_until(lambda: "-> close 1000" in server.transcript())
    assert [task.get_name() for task in asyncio.all_tasks() if "twilio" in task.get_name()] == []


@virtual_time
async def test_a_socket_that_takes_no_more_is_a_hang_up() -> None:
    async with RealtimeServer(reply(counted(500))) as server:
        socket = Socket(START)
        socket.fails = ConnectionResetError
        rt, bridge = bridged(server, socket)
        rt.on("call_started", lambda _: rt.request_response())
        await bridge.run()
        assert rt.status == "disconnected"


@virtual_time
async def test_a_mistake_in_the_two_functions_is_raised() -> None:
    async with RealtimeServer(reply(counted(500))) as server:
        socket = Socket(START)
        socket.fails = lambda: RuntimeError("a bug")
        rt, bridge = bridged(server, socket)
        rt.on("call_started", lambda _: rt.request_response())
        with pytest.raises(RuntimeError, match="a bug"):
            await bridge.run()
        assert rt.status == "disconnected"


@virtual_time
async def test_a_stranger_on_the_line_is_an_error() -> None:
    async with RealtimeServer() as server:
        rt, bridge = bridged(server, Socket("hush-2, who is there?"))
        with pytest.raises(ProtocolError) as refused:
            await bridge.run()
        assert "hush" not in str(refused.value)
        assert rt.status == "disconnected"


@virtual_time
async def test_messages_may_be_objects_and_stop_ends_the_call() -> None:
    async with RealtimeServer() as server:
        socket = Socket(msgspec.json.decode(START), {"event": "stop", "stop": {}})
        _, bridge = bridged(server, socket)
        await bridge.run()
        assert bridge.call.stream_id == "MZ1"
        assert socket.sent == []


def test_nothing_of_a_call_is_logged_or_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []

    @virtual_time
    async def story() -> None:
        async with RealtimeServer(reply(counted(100))) as server:
            spoken = base64.b64encode(b"hush" * 40).decode()
            socket = Socket(
                START,
                f'{{"event":"media","media":{{"payload":"{spoken}","timestamp":"0"}}}}',
                '{"event":"dtmf","dtmf":{"digit":"hush-3"}}',
                '{"event":"mark","mark":{"name":"hush-4"}}',
            )
            rt, bridge = bridged(server, socket)
            rt.on("*", lambda event: shown.append(repr(event)))
            rt.on("dtmf", lambda _: socket.said.put_nowait(None))
            await bridge.run()
            shown.extend(map(repr, (bridge, bridge.stream, bridge.call, rt)))

    story()
    assert any("KeyPressedEvent" in each for each in shown)
    assert "hush" not in caplog.text + "".join(shown)
