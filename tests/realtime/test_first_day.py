"""What somebody who is new does, and what is said about it."""

from __future__ import annotations

import asyncio
import gc
import logging
from base64 import b64encode
from typing import Any

import pytest

from realtime.support import dial, talk, told, until
from turnwire import ConfigError, ConnectionLost, DialTimeout, QueueFull, TurnError
from turnwire.events.realtime import AudioDroppedEvent
from turnwire.realtime import sync
from turnwire.realtime.images import image_uri
from turnwire.realtime.inbox import Inbox
from turnwire.testing.realtime import RealtimeServer, faults

REFUSED = faults.refuse_event("session.update", "unknown_parameter", "no such thing")
PNG = b"\x89PNG\r\n\x1a\n..."
UNHEARD = "what was asked of a Realtime session failed"


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]


@pytest.mark.io
async def test_a_configuration_that_is_refused_raises_by_itself() -> None:
    async with RealtimeServer(faults=[REFUSED]) as server:
        with pytest.raises(TurnError, match="no such thing"):
            await dial(server).open()
        async with dial(server, wait_for="created") as rt:
            assert rt.status == "connected"


@pytest.mark.io
async def test_without_a_configuration_no_echo_is_waited_for() -> None:
    async with RealtimeServer(faults=[faults.leave_out(on="session.updated")]) as server:
        async with dial(server, session=None) as rt:
            assert rt.status == "connected"
        with pytest.raises(DialTimeout, match='`wait_for="created"` does without'):
            await dial(server, timeout=0.1).open()


@pytest.mark.io
async def test_a_failure_that_nobody_awaits_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with talk(server={"faults": [REFUSED]}, session=None) as (rt, _):
        rt.update_session(speed=3)
        await until(lambda: warnings(caplog))
    gc.collect()
    said = f"{UNHEARD} (server, unknown_parameter), and nobody awaited it"
    assert warnings(caplog) == [said]


@pytest.mark.io
async def test_a_failure_that_is_kept_is_logged_at_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with talk(server={"faults": [REFUSED]}, session=None) as (rt, _):
        kept = rt.update_session(speed=3)
        await until(lambda: kept.done)
        assert warnings(caplog) == []
    assert len(warnings(caplog)) == 1


@pytest.mark.io
async def test_a_failure_that_somebody_awaits_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with talk(server={"faults": [REFUSED]}, session=None) as (rt, _):
        with pytest.raises(TurnError):
            await rt.update_session(speed=3)
    gc.collect()
    assert warnings(caplog) == []


@pytest.mark.io
async def test_who_awaits_a_beginning_knows_of_the_end(caplog: pytest.LogCaptureFixture) -> None:
    refused = faults.refuse_event("response.create", "invalid_value", "no", nth=None)
    async with talk(server={"faults": [refused]}) as (rt, _):
        with pytest.raises(TurnError):
            await rt.request_response().created()
        with pytest.raises(TurnError):
            await rt.send({"type": "response.create"})
    gc.collect()
    assert warnings(caplog) == []


@pytest.mark.io
async def test_closing_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    silent = [faults.leave_out(on="conversation.item.added")]
    async with talk(server={"faults": silent}) as (rt, _):
        rt.send_message("hello", respond=False)
        waiting = rt.request_response()
    with pytest.raises(ConnectionLost):
        await waiting
    gc.collect()
    assert warnings(caplog) == []


@pytest.mark.io
async def test_two_loops_over_one_reader_are_refused() -> None:
    async with talk(session=None) as (rt, _):
        reader = aiter(rt)
        await anext(reader)
        while reader.poll() is not None:
            pass
        first = asyncio.create_task(anext(reader))
        await asyncio.sleep(0)
        with pytest.raises(ConfigError, match=r"`rt.events\(\)` gives a reader each"):
            await anext(aiter(rt))
        rt.send_message("hello", respond=False)
        assert (await first).type.startswith("conversation.item.")
        assert await anext(reader) is not None


def test_an_image_is_bytes_or_an_address() -> None:
    assert image_uri(PNG) == f"data:image/png;base64,{b64encode(PNG).decode()}"
    assert image_uri(b"\xff\xd8\xff.").startswith("data:image/jpeg;base64,")
    assert image_uri("https://example.com/a.png") == "https://example.com/a.png"


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (b"GIF89a", "neither a PNG nor a JPEG"),
        ("cat.png", "read_bytes"),
        (None, "`image` must be bytes or a URI, not NoneType"),
    ],
)
def test_what_is_no_image_is_refused(image: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        image_uri(image)


@pytest.mark.io
async def test_an_image_of_bytes_is_sent() -> None:
    async with talk() as (rt, server):
        await rt.send_image(PNG, respond=False)
        (event,) = told(server, "conversation.item.create")
        assert event["item"]["content"][0]["image_url"] == image_uri(PNG)


@pytest.mark.io
@pytest.mark.parametrize("content", [None, 3, b"hello", {"type": "input_text"}])
async def test_a_message_that_is_none_names_the_argument(content: Any) -> None:
    async with talk() as (rt, _):
        with pytest.raises(ConfigError, match="`content` must be a text or a list of parts"):
            rt.send_message(content)


def test_the_blocking_session_says_how_to_open_it() -> None:
    rt = sync.connect(api_key="k", base_url="http://127.0.0.1:1/v1")
    with pytest.raises(ConfigError, match=r"not open yet; use `with`, or `open\(\)`"):
        rt.send_message("hello")
    rt.close()


@pytest.mark.io
async def test_a_full_backlog_is_told_in_milliseconds() -> None:
    async with talk(overflow="error", backlog_ms=500) as (rt, _):
        with pytest.raises(
            QueueFull, match=r"1000 ms more do not fit: the limit is 500 ms"
        ) as full:
            rt.send_audio(bytes(48_000))
        assert full.value.limit_bytes == 24_000


async def test_dropped_audio_is_logged_once_in_a_while(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("turnwire.realtime.inbox.time.monotonic", lambda: now[0])
    inbox = Inbox()
    counts = []
    for seconds in (0.0, 9.0, 1.0):
        now[0] += seconds
        inbox.deliver(AudioDroppedEvent(ms=40.0, reason="backlog"))
        counts.append(len(warnings(caplog)))
    assert counts == [1, 1, 2]
    assert warnings(caplog)[0].startswith("40 ms of audio were dropped")
    assert "`feed`" in warnings(caplog)[0]
