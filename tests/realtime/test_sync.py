"""The blocking transport, on threads of its callers."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from realtime.support import FAST, MANUAL, kinds, told
from turnwire import (
    AuthenticationError,
    ConfigError,
    ConnectionLost,
    DialTimeout,
    SlowConsumer,
    TurnError,
)
from turnwire.realtime import Transcript, sync
from turnwire.testing import Gate, wait
from turnwire.testing.realtime import RealtimeServer, call, counted, faults, heard_ms, reply, text

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.io

HELLO = reply(counted(400, "one two three four"))


def dial(server: RealtimeServer, **options: Any) -> sync.SyncRealtimeTransport:
    given = {"base_url": server.http_url, "api_key": "key", "session": MANUAL}
    return sync.connect(**{**given, **options})


async def played(script: Any, use: Callable[[Any], Any], **options: Any) -> RealtimeServer:
    """Let a thread use a session, from its opening to its end."""
    async with RealtimeServer(script, **FAST) as server:

        def work() -> None:
            with dial(server, **options) as rt:
                use(rt)

        await asyncio.to_thread(work)
    return server


def until(events: Any, kind: str) -> list[Any]:
    came = []
    for event in events:
        came.append(event)
        if event.type == kind:
            return came
    raise AssertionError(f"it ended before {kind}: {kinds(came)}")


async def test_a_whole_talk() -> None:
    seen: dict[str, Any] = {}

    def use(rt: Any) -> None:
        audio, words, events = rt.audio(), rt.transcripts(), rt.events()
        item = rt.send_message("hello", respond=False)
        assert item.result(10).item.id == item.item_id
        pending = rt.request_response(instructions="be brief")
        begun = pending.created(10)
        response = pending.result(10)
        assert (response.id, pending.response_id) == (begun.id, begun.id)
        assert (pending.done, pending.failed) == (True, False)
        heard = b""
        for piece in audio:
            heard += piece.data
            if len(heard) == 19_200:
                break
        assert heard_ms(heard, 1) == 400
        for one in words:
            if one.final:
                seen["words"] = one
                break
        came = kinds(until(events, "response.done"))
        assert came[:2] == ["connection_change", "connection_change"]
        assert "response.output_audio.delta" in came
        rt.played(9_600)
        assert [part.heard_ms for part in rt.heard] == [200]
        assert rt.is_playing
        assert rt.interrupt() is True
        rt.wait_played()
        assert rt.position_of("none", 0, 1) is None
        assert [one["role"] for one in rt.history] == ["user", "assistant"]
        assert rt.item(item.item_id) == rt.history[0]
        seen["rt"], seen["events"] = rt, events

    await played(HELLO, use, playback="reported")
    assert (seen["words"].text, seen["words"].final) == ("one two three four", True)
    assert isinstance(seen["words"], Transcript)
    rt = seen["rt"]
    assert (rt.status, rt.error) == ("disconnected", None)
    assert kinds(seen["events"])[-2:] == ["connection_change", "connection_change"]
    assert list(rt.events()) == []
    assert repr(rt) == "<SyncRealtimeTransport disconnected generation=1>"
    with pytest.raises(ConnectionLost, match="is closed"):
        rt.send_message("too late")
    with pytest.raises(ConfigError):
        rt.open()


async def test_all_else_that_can_be_said_and_asked() -> None:
    def use(rt: Any) -> None:
        item = rt.send_message("hello", respond=False)
        rt.request_response().result(10)
        assert rt.update_session(instructions="x").result(10).type == "session.updated"
        assert rt.session["instructions"] == "x"
        assert rt.model == "gpt-realtime-2.1"
        assert rt.expires_at is not None
        assert (rt.generation, rt.status, rt.error) == (1, "connected", None)
        assert (rt.awaits_response, rt.muted, rt.backlog_ms) == (False, False, 0.0)
        assert rt.statistics().responses == 1
        assert rt.input_format == rt.output_format
        rt.mute()
        rt.send_audio(bytes(9_600))
        rt.mute(muted=False)
        rt.send_audio(bytes(9_600), commit=True)
        rt.feed(bytes(9_600))
        rt.commit()
        rt.clear()
        assert rt.send({"type": "response.create"}).result(10).type == "response.created"
        assert rt.delete_item(item.item_id).result(10).type == "conversation.item.deleted"
        changes = [change.result(10).type for change in rt.reset_history([])]
        assert set(changes) == {"conversation.item.deleted"}
        assert rt.history == []

    await played(HELLO, use)


async def test_a_loop_over_the_transport_goes_on_where_the_last_one_was_left() -> None:
    def use(rt: Any) -> None:
        until(rt, "session.created")
        rt.request_response().result(10)
        assert kinds(until(rt, "response.done")).count("response.created") == 1
        assert rt.events().poll() is None

    await played(HELLO, use)


async def test_errors_are_raised_here() -> None:
    def use(rt: Any) -> None:
        with pytest.raises(ConfigError, match="0 ms of audio"):
            rt.commit()
        with pytest.raises(TurnError):
            rt.delete_item("item_none").result(10)
        with pytest.raises(TimeoutError):
            rt.request_response().result(0.05)
        with pytest.raises(ConfigError, match="did you mean `audio`"):
            rt.on("audo", print)
        with pytest.raises(ConfigError, match="audio is bytes"):
            rt.send_audio("text")

    await played(lambda _: reply(counted(60_000)), use, overflow="error")


async def test_a_reader_that_leaves_too_much_is_told() -> None:
    def use(rt: Any) -> None:
        audio = rt.audio()
        rt.request_response().result(10)
        with pytest.raises(SlowConsumer):
            list(audio)
        audio.close()
        assert list(audio) == []

    await played(reply(counted(3_000)), use, buffer_bytes=60_000)


async def test_functions_may_block_and_use_the_transport() -> None:
    script = [reply(call("weather", "call_1", city="Oslo")), reply(text("It rains."))]
    done = threading.Event()
    threads: set[str] = set()

    def use(rt: Any) -> None:
        @rt.on("function_call")
        def answer(event: Any) -> None:
            threads.add(threading.current_thread().name)
            rt.send_function_output(event, {"rain": True}).result(10)

        rt.on("turn_done", lambda event: event.output[0].text == "It rains." and done.set())
        rt.send_message("How is it in Oslo?")
        assert done.wait(10)

    server = await played(script, use)
    assert len(told(server, "conversation.item.create")) == 2
    assert all(name.startswith("turnwire-function") for name in threads)


async def test_functions_hear_the_end_and_can_be_removed() -> None:
    heard: list[str] = []

    def use(rt: Any) -> None:
        rt.on("disconnected", lambda event: heard.append(event.status))
        rt.on("disconnected", print)()
        with pytest.raises(ConfigError, match="nobody awaits here"):
            rt.on("audio", asyncio.sleep)
        with pytest.raises(ConfigError, match="`on` takes a function"):
            rt.on("audio", 3)

    await played(HELLO, use)
    assert heard == ["disconnected"]


async def test_audio_waits_for_room_if_it_is_to_block() -> None:
    def use(rt: Any) -> None:
        rt.send_audio(bytes(480_000), commit=True)
        assert rt.statistics().dropped_ms == 0
        assert rt.backlog_ms <= 100

    server = await played(HELLO, use, overflow="block", backlog_ms=100)
    assert sum(len(each["audio"]) for each in told(server, "input_audio_buffer.append")) > 400_000


async def test_a_session_that_is_lost_raises_where_it_is_read() -> None:
    async with RealtimeServer(HELLO, **FAST) as server:

        def work() -> None:
            with dial(server, reconnect=False, wait_for="created") as rt:
                waiting = rt.events()
                with pytest.raises(ConnectionLost, match="4000"):
                    for _ in waiting:
                        pass
                assert isinstance(rt.error, ConnectionLost)

        working = asyncio.create_task(asyncio.to_thread(work))
        await server.wait_until(lambda: bool(told(server, "session.update")))
        await server.connections[0].close(4000, "enough")
        await working


async def test_closing_from_another_thread_ends_all_who_wait() -> None:
    async with RealtimeServer(reply(counted(60_000)), speed=1.0) as server:
        rt = await asyncio.to_thread(dial(server, playback="reported").open)
        pending = rt.request_response()

        def fails(wait: Callable[[], Any]) -> BaseException | None:
            try:
                wait()
            except ConnectionLost as error:
                return error
            return None

        begun = asyncio.to_thread(pending.created, 10)
        await begun
        waits = [
            pending.result,
            rt.wait_played,
            lambda: list(rt.events()),
            lambda: list(rt.audio()),
        ]
        waiting = [asyncio.create_task(asyncio.to_thread(fails, each)) for each in waits]
        await server.wait_until(lambda: len(rt._transport._inbox._readers) >= 3)
        await asyncio.to_thread(rt.close)
        results = await asyncio.gather(*waiting)
        assert [type(result).__name__ for result in results] == [
            "ConnectionLost",
            "NoneType",
            "NoneType",
            "NoneType",
        ]


async def test_an_open_that_fails_leaves_no_thread() -> None:
    async with RealtimeServer(handshake=[401, wait(Gate())]) as server:
        refused, slow = dial(server), dial(server, timeout=0.05)
        with pytest.raises(AuthenticationError):
            await asyncio.to_thread(refused.open)
        with pytest.raises(DialTimeout):
            await asyncio.to_thread(slow.open)
    assert [t.name for t in threading.enumerate() if t.name == "turnwire-portal"] == []


async def test_it_is_opened_once_and_that_leaves_it_open() -> None:
    def use(rt: Any) -> None:
        with pytest.raises(ConfigError, match="opened already"):
            rt.open()
        assert rt.status == "connected"

    await played(HELLO, use)


async def test_before_it_is_open_nothing_can_be_said() -> None:
    async with RealtimeServer() as server:
        rt = dial(server)
        rt.on("audio", print)
        with pytest.raises(ConfigError, match="not open yet"):
            rt.send_message("hello")
        rt.close()
        assert server.handshakes == []


async def test_it_is_renewed_from_here() -> None:
    def use(rt: Any) -> None:
        rt.renew()
        until(rt, "reconnected")
        assert rt.generation == 2

    server = await played(HELLO, use)
    assert len(server.connections) == 2


async def test_a_response_is_cancelled_from_here() -> None:
    async with RealtimeServer(
        reply(counted(60_000)), speed=1.0, faults=[faults.unknown(on="response.done")]
    ) as server:

        def work() -> None:
            with dial(server) as rt:
                pending = rt.request_response()
                pending.created(10)
                assert rt.cancel_response() is True
                assert pending.result(10).status == "cancelled"
                image = rt.send_image("data:image/png;base64,AA==", respond=False)
                assert image.result(10).item.id == image.item_id
                mcp = {"id": "mcpr_1"}
                item = {"type": "message", "role": "user", "content": [], "id": "item_a"}
                assert rt.create_item(item).result(10).item.id == "item_a"
                with pytest.raises(TurnError):
                    rt.truncate_item("item_a", 0, 1).result(10)
                assert rt.retrieve_item("item_a").result(10).item.id == "item_a"
                rt.send_mcp_response(mcp["id"], approve=True)

        await asyncio.to_thread(work)
