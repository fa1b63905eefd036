"""A blocking transport that is being closed while other threads use it."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from realtime.support import told, until
from realtime.test_sync import dial
from turnwire import ConnectionLost
from turnwire.testing.realtime import RealtimeServer

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.io


@pytest.mark.parametrize(
    "write",
    [
        lambda rt: rt.send_audio(bytes(9_600)),
        lambda rt: rt.feed(bytes(9_600)),
        lambda rt: rt.send_message("hello"),
        lambda rt: rt.request_response(),
        lambda rt: rt.interrupt(),
    ],
)
async def test_what_is_said_while_it_closes_is_said_in_one_thread(
    write: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with RealtimeServer() as server:
        rt = await asyncio.to_thread(dial(server).open)
        portal: Any = rt._thread._portal
        background = portal._background
        held, release, posted = threading.Event(), threading.Event(), threading.Event()
        beside: list[str] = []  # what ran while another thread ran the machine

        def hold() -> None:
            held.set()
            release.wait(10)

        def check(checks: Callable[[], None] = rt._transport._check_open) -> None:
            if not background.is_current and background._thread.is_alive():
                beside.append(threading.current_thread().name)
            checks()

        def post(work: Any, posts: Callable[[Any], Any] = background.post) -> Any:
            future = posts(work)
            posted.set()
            return future

        holding = asyncio.create_task(asyncio.to_thread(rt._thread.do, hold))
        await until(held.is_set)
        closing = asyncio.create_task(asyncio.to_thread(rt.close))
        await until(lambda: portal.closed)
        await asyncio.sleep(0)
        monkeypatch.setattr(rt._transport, "_check_open", check)
        monkeypatch.setattr(background, "post", post)
        writing = asyncio.create_task(asyncio.to_thread(write, rt))
        await until(lambda: posted.is_set() or writing.done())
        release.set()
        with pytest.raises(ConnectionLost, match="is closed"):
            await writing
        await asyncio.gather(holding, closing)
        assert beside == []
    assert told(server, "input_audio_buffer.append", "conversation.item.create") == []


async def test_what_is_said_after_its_end_is_refused() -> None:
    async with RealtimeServer() as server:
        rt = await asyncio.to_thread(dial(server).open)
        await asyncio.to_thread(rt.close)
        with pytest.raises(ConnectionLost, match="is closed"):
            rt.feed(bytes(9_600))
        with pytest.raises(ConnectionLost, match="is closed"):
            rt.update_session(instructions="x")


async def test_a_function_that_listens_is_told_that_it_closes() -> None:
    said: list[str] = []
    async with RealtimeServer() as server:
        rt = dial(server)

        def late(_: Any) -> None:
            try:
                rt.send_message("too late")
            except ConnectionLost as error:
                said.append(str(error))

        rt.on("disconnected", late)
        await asyncio.to_thread(rt.open)
        await asyncio.to_thread(rt.close)
    assert said == ["the Realtime session is closed"]
