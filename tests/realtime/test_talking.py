"""What is said to a session, and what becomes of it."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from realtime.support import FAST, SECOND, dial, kinds, take, talk, told, until
from turnwire import ConfigError, ConnectionLost, FirstEventTimeout, QueueFull, TurnError
from turnwire.events.realtime import (
    ConversationItemAdded,
    ConversationItemDeletedEvent,
    ConversationItemRetrieved,
    ConversationItemTruncatedEvent,
    ResponseCreatedEvent,
    SessionUpdatedEvent,
)
from turnwire.realtime import RealtimeSettings
from turnwire.testing.realtime import (
    RealtimeServer,
    counted,
    failed,
    faults,
    lost,
    read,
    reply,
    text,
)

pytestmark = pytest.mark.io

HELLO = reply(counted(400, "one two three four"))


# Audio.


async def test_audio_arrives_whole_however_it_is_cut() -> None:
    async with talk(HELLO) as (rt, server):
        for start in range(0, 9_600, 7):  # odd pieces
            rt.send_audio(memoryview(SECOND)[start : min(start + 7, 9_600)])
        rt.commit()
        await server.wait_until(lambda: told(server, "input_audio_buffer.commit"))
        assert appended(server) == SECOND[:9_600]
        longest = max(len(each["audio"]) for each in told(server, "input_audio_buffer.append"))
        assert longest <= 4_800 * 4 // 3


def appended(server: RealtimeServer, connection: int = -1) -> bytes:
    messages = told(server, "input_audio_buffer.append", connection=connection)
    return b"".join(base64.b64decode(each["audio"]) for each in messages)


async def test_muted_audio_is_not_sent() -> None:
    async with talk(HELLO) as (rt, server):
        assert rt.muted is False
        rt.mute()
        rt.send_audio(SECOND)
        rt.mute(muted=False)
        assert (rt.muted, rt.backlog_ms) == (False, 0.0)
        rt.send_audio(SECOND[:9_600], commit=True)
        await server.wait_until(lambda: told(server, "input_audio_buffer.commit"))
        assert appended(server) == SECOND[:9_600]


async def test_too_little_is_not_committed() -> None:
    async with talk(HELLO) as (rt, server):
        with pytest.raises(ConfigError, match=r"99 ms of audio .* takes 100 ms at least"):
            rt.send_audio(SECOND[: 48 * 99], commit=True)
        rt.send_audio(SECOND[:48], commit=True)
        await server.wait_until(lambda: told(server, "input_audio_buffer.commit"))


async def test_cleared_audio_is_not_committed() -> None:
    async with talk(HELLO) as (rt, server):
        rt.send_audio(SECOND[:9_600])
        rt.clear()
        with pytest.raises(ConfigError, match="0 ms of audio"):
            rt.commit()
        await server.wait_until(lambda: told(server, "input_audio_buffer.clear"))


async def test_what_is_no_audio_is_refused() -> None:
    async with talk(HELLO) as (rt, _):
        with pytest.raises(ConfigError, match="audio is bytes, not str"):
            rt.send_audio("a text")  # type: ignore[arg-type]


@pytest.mark.parametrize("overflow", ["error", "block"])
async def test_a_full_backlog_is_told(overflow: str) -> None:
    async with talk(HELLO, overflow=overflow, backlog_ms=100) as (rt, _):
        rt.send_audio(SECOND[:4_800])
        with pytest.raises(QueueFull, match=r"100 ms .* 1 ms more do not fit: .* 100 ms .*feed"):
            rt.send_audio(SECOND[:48])
        assert rt.backlog_ms == 100


async def test_a_full_backlog_of_live_audio_drops_the_oldest_and_says_so() -> None:
    async with talk(HELLO, backlog_ms=100) as (rt, _):
        events = rt.events()
        rt.send_audio(SECOND[:4_800])
        rt.send_audio(SECOND[:4_800])
        dropped = (await take(events, "audio_dropped"))[-1]
        assert (dropped.ms, dropped.reason) == (100.0, "backlog")
        assert rt.statistics().dropped_ms == 100.0


async def test_feeding_waits_for_room() -> None:
    async with talk(HELLO, overflow="error", backlog_ms=100) as (rt, server):
        await rt.feed(SECOND * 2)
        rt.commit()
        await server.wait_until(lambda: told(server, "input_audio_buffer.commit"))
        assert appended(server) == SECOND * 2


async def test_feeding_a_session_that_is_lost_raises() -> None:
    async with talk(HELLO, backlog_ms=100, reconnect=False) as (rt, server):
        server.connections[0].stop_reading()
        feeding = asyncio.create_task(rt.feed(SECOND * 600))
        await asyncio.sleep(0)
        server.connections[0].drop(reset=True)
        with pytest.raises(ConnectionLost):
            await feeding


async def test_control_overtakes_audio_that_waits() -> None:
    """The server reads nothing until much audio waits; what is urgent comes before it."""
    session = {"turn_detection": None}
    async with talk(
        reply(counted(5000)), session=session, backlog_ms=60_000, playback="reported"
    ) as (rt, server):
        await rt.request_response()
        rt.played(48_000)
        server.connections[0].stop_reading()
        sent = 0
        while rt.backlog_ms < 5_000 and sent < 600:  # the system's buffers are full then
            rt.send_audio(SECOND)
            sent += 1
            await asyncio.sleep(0)
        waiting = rt.backlog_ms
        assert waiting >= 5_000
        assert rt.interrupt()
        assert rt.backlog_ms >= waiting - 1_000
        server.connections[0].read_on()
        await server.wait_until(lambda: told(server, "conversation.item.truncate"))
        behind = sent * 1_000 - len(appended(server)) / 48
        assert behind >= waiting - 1_000
        assert told(server, "conversation.item.truncate")[0]["audio_end_ms"] == 1_000


# Items.


async def test_an_item_is_confirmed_when_the_server_has_it() -> None:
    async with talk(HELLO) as (rt, server):
        pending = rt.send_message("hello", respond=False, item_id="item_a")
        assert (pending.item_id, pending.done) == ("item_a", False)
        assert isinstance(await pending, ConversationItemAdded)
        assert await pending is await pending
        made = rt.send_message("before", respond=False, previous_item_id="root", role="system")
        await made
        assert [item["id"] for item in rt.history] == [made.item_id, "item_a"]
        assert [i["item"]["role"] for i in told(server, "conversation.item.create")] == [
            "user",
            "system",
        ]


async def test_messages_have_parts_and_fields() -> None:
    async with talk(HELLO) as (rt, server):
        await rt.send_message([{"type": "input_text", "text": "a"}], respond=False, event_id="mine")
        await rt.send_image("data:image/png;base64,AA==", detail="low", respond=False)
        create, image = told(server, "conversation.item.create")
        assert create["item"]["content"] == [{"type": "input_text", "text": "a"}]
        assert image["item"]["content"][0]["detail"] == "low"
        assert server.connections[0].received[1].event["event_id"] == "mine"


@pytest.mark.parametrize(
    ("say", "said"),
    [
        (lambda rt: rt.send_message("a", role="robot"), "must be user, system or assistant"),
        (lambda rt: rt.send_message([], role="system"), "a message of the system is a text"),
        (lambda rt: rt.create_item({"id": object()}), "it cannot be sent as JSON"),
        (lambda rt: rt.request_response(tools=[print]), "it cannot be sent as JSON"),
        (lambda rt: rt.update_session(voice=print), "it cannot be sent as JSON"),
        (lambda rt: rt.update_session(session={}), "give the fields themselves"),
        (lambda rt: rt.update_session(input_format="mp3"), "`input_format` must be pcm16"),
        (lambda rt: rt.send({"no": "type"}), "an event needs a `type`"),
        (lambda rt: rt.send({"type": "conversation.item.delete"}), "a `conversation.item.delete`"),
        (lambda rt: rt.send({"type": "session.update"}), "needs `session`"),
        (lambda rt: rt.send({"type": "input_audio_buffer.append", "audio": "§"}), "not base64"),
    ],
)
async def test_what_cannot_be_sent_is_refused_and_nothing_is_sent(say: Any, said: str) -> None:
    async with talk(HELLO) as (rt, server):
        with pytest.raises(ConfigError, match=said):
            say(rt)
        await rt.send_message("the end", respond=False)
        assert len(told(server)) == 2  # the configuration, and this


async def test_items_are_deleted_retrieved_and_truncated() -> None:
    async with talk(HELLO, playback="reported") as (rt, server):
        response = await rt.request_response()
        item_id = response.output[0].id or ""
        assert isinstance(await rt.retrieve_item(item_id), ConversationItemRetrieved)
        assert isinstance(await rt.truncate_item(item_id, 0, 200), ConversationItemTruncatedEvent)
        assert [part["transcript"] for part in rt.history[0]["content"]] == ["one two"]
        assert isinstance(await rt.delete_item(item_id), ConversationItemDeletedEvent)
        assert rt.history == []
        assert len(told(server, "conversation.item.truncate")) == 1


async def test_the_servers_refusals_are_raised_where_they_are_awaited() -> None:
    async with talk(HELLO) as (rt, _):
        await rt.send_message("a", respond=False, item_id="item_a")
        pending: list[Any] = [
            rt.send_message("b", respond=False, item_id="item_a"),
            rt.delete_item("item_none"),
            rt.retrieve_item("item_none"),
            rt.truncate_item("item_none", 0, 10),
            rt.update_session(speed=9.0),
        ]
        errors = await asyncio.gather(*pending, return_exceptions=True)
        assert [type(error) for error in errors] == [TurnError] * 5
        assert errors[0].code == "item_create_duplicate_item_id"
        assert [(one.done, one.failed) for one in pending] == [(True, True)] * 5


async def test_the_history_is_replaced() -> None:
    async with talk(HELLO) as (rt, _):
        await rt.send_message("old", respond=False, item_id="item_old")
        await rt.send_message("kept", respond=False, item_id="item_kept")
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]}
        changes = rt.reset_history([{**item, "id": "item_new"}, rt.history[1]])
        await asyncio.gather(*changes)
        assert [each["id"] for each in rt.history] == ["item_new", "item_kept"]
        assert rt.item("item_old") is None


async def test_an_mcp_call_is_approved_right_after_its_request() -> None:
    async with talk(HELLO) as (rt, server):
        request = {"id": "mcpr_1", "type": "mcp_approval_request", "name": "x", "arguments": "{}"}
        added = {"type": "conversation.item.done", "item": request, "previous_item_id": None}
        asked: list[Any] = []
        rt.on("mcp_approval_request", asked.append)
        await server.connections[0].send(added)
        await until(lambda: asked)
        assert asked[0].arguments == {}
        rt.send_mcp_response(asked[0], approve=False, reason="no")
        await server.wait_until(lambda: told(server, "conversation.item.create"))
        (create,) = told(server, "conversation.item.create")
        assert create["previous_item_id"] == "mcpr_1"
        assert create["item"] | {"id": ""} == {
            "id": "",
            "type": "mcp_approval_response",
            "approval_request_id": "mcpr_1",
            "approve": False,
            "reason": "no",
        }


# Responses.


async def test_a_response_is_known_when_it_begins_and_when_it_ends() -> None:
    async with talk(HELLO) as (rt, server):
        pending = rt.request_response(instructions="be brief", metadata={"mine": "1"})
        assert pending.response_id is None
        begun = await pending.created()
        assert begun.id == pending.response_id
        done = await pending
        assert (done.id, done.status, done.output[0].text) == (
            begun.id,
            "completed",
            "one two three four",
        )
        (create,) = told(server, "response.create")
        assert create["response"]["instructions"] == "be brief"
        assert create["response"]["metadata"]["mine"] == "1"


async def test_wishes_that_come_together_are_one_response() -> None:
    async with talk(HELLO) as (rt, server):
        rt.send_message("a")
        rt.request_response()
        await rt.request_response()
        assert server.responses == 1


async def test_a_response_waits_until_none_is_active() -> None:
    async with talk([reply(text("a")), reply(text("b"))]) as (rt, server):
        first = rt.request_response(instructions="1")
        second = rt.request_response(instructions="2")
        responses = [await first, await second]
        assert [each.output[0].text for each in responses] == ["a", "b"]
        assert server.sessions[0].sent_of("error") == []


async def test_a_refused_response_raises_and_the_next_one_goes_on() -> None:
    refused = faults.refuse_event("response.create", "invalid_value", "no such tool")
    async with talk(HELLO, server={**FAST, "faults": [refused]}) as (rt, _):
        pending = rt.request_response()
        with pytest.raises(TurnError, match="no such tool"):
            await pending
        with pytest.raises(TurnError, match="no such tool"):
            await pending.created()
        assert pending.response_id is None
        assert (await rt.request_response()).status == "completed"


async def test_a_failed_response_is_returned_with_its_status() -> None:
    async with talk(reply(failed("server_error", "oh"))) as (rt, _):
        assert (await rt.request_response()).status == "failed"


async def test_a_response_that_does_not_begin_is_given_up() -> None:
    ignored = faults.ignore("response.create")
    settings = RealtimeSettings(create_timeout=0.05)
    async with talk(HELLO, settings=settings, server={**FAST, "faults": [ignored]}) as (rt, _):
        with pytest.raises(FirstEventTimeout, match=r"0.05 s \(`create_timeout`\)"):
            await rt.request_response()


async def test_a_response_is_cancelled() -> None:
    async with talk(reply(counted(10_000)), server={"speed": 1.0}) as (rt, server):
        pending = rt.request_response()
        assert rt.cancel_response() is False
        await pending.created()
        assert rt.cancel_response() is True
        assert (await pending).status == "cancelled"
        assert told(server, "response.cancel") == [
            {"type": "response.cancel", "response_id": pending.response_id}
        ]


async def test_who_waits_is_told_when_the_session_is_closed() -> None:
    async with talk(reply(counted(10_000)), server={"speed": 1.0}) as (rt, _):
        response = rt.request_response()
        await response.created()
        update = rt.update_session(instructions="x")
    for pending in (response, update):
        with pytest.raises(ConnectionLost, match="the session was closed"):
            await pending  # type: ignore[misc]


# The session.


async def test_an_update_says_only_what_is_given() -> None:
    async with talk(HELLO, session={"turn_detection": None, "voice": "ash"}) as (rt, server):
        updated = await rt.update_session(instructions="be brief", transcription=None)
        assert isinstance(updated, SessionUpdatedEvent)
        assert rt.session["instructions"] == "be brief"
        assert told(server, "session.update")[-1]["session"] == {
            "type": "realtime",
            "instructions": "be brief",
            "audio": {"input": {"transcription": None}},
        }
        assert rt.model == "gpt-realtime-2.1"
        assert rt.expires_at is not None


async def test_the_session_is_a_copy_to_be_read() -> None:
    async with talk(HELLO) as (rt, _):
        with pytest.raises(AttributeError):
            rt.session.update(voice="ash")  # type: ignore[attr-defined]
        rt.session["audio"]["output"]["voice"] = "mine"
        assert rt.session["audio"]["output"]["voice"] != "mine"


# Events in the shape of the wire.


async def test_whatever_is_sent_can_be_awaited() -> None:
    async with talk(HELLO, playback="reported") as (rt, server):
        audio = base64.b64encode(SECOND[:9_600]).decode()
        item = {"id": "item_a", "type": "message", "role": "user", "content": []}
        events: list[Any] = [
            {"type": "session.update", "session": {"type": "realtime", "instructions": "x"}},
            {"type": "input_audio_buffer.append", "audio": audio},
            {"type": "input_audio_buffer.commit"},
            {"type": "input_audio_buffer.clear"},
            {"type": "conversation.item.create", "item": item, "event_id": "mine"},
            {"type": "conversation.item.retrieve", "item_id": "item_a"},
            {"type": "conversation.item.delete", "item_id": "item_a"},
            {"type": "response.create", "response": {"instructions": "y"}},
        ]
        answers = [await rt.send(event) for event in events]
        assert [getattr(each, "type", None) for each in answers] == [
            "session.updated",
            None,
            None,
            None,
            "conversation.item.added",
            "conversation.item.retrieved",
            "conversation.item.deleted",
            "response.created",
        ]
        created = answers[-1]
        assert isinstance(created, ResponseCreatedEvent)
        assert await rt.send({"type": "response.cancel"}) is None
        assert await rt.send({"type": "output_audio_buffer.clear", "event_id": "e"}) is None
        await server.wait_until(lambda: told(server, "output_audio_buffer.clear"))
        received = [each.event for each in server.connections[0].received]
        assert [e["event_id"] for e in received if e["type"] == "conversation.item.create"] == [
            "mine"
        ]


async def test_a_wish_in_the_shape_of_the_wire_waits_its_turn() -> None:
    async with talk([reply(text("a")), reply(text("b"))]) as (rt, server):
        events = rt.events()
        await rt.send({"type": "response.create"})
        await rt.send({"type": "response.create"})
        came = kinds(await take(events, "response.created"))
        came += kinds(await take(events, "response.created"))
        assert came.index("response.done") < len(came) - 1
        assert server.sessions[0].sent_of("error") == []


async def test_who_sends_nothing_known_while_nothing_is_open_is_told() -> None:
    handshake: list[Any] = [None, 503, 503, 503, 503, 503, 503]
    async with RealtimeServer(HELLO, handshake=handshake, **FAST) as server, dial(server) as rt:
        server.connections[0].drop(reset=True)
        await until(lambda: rt.status == "reconnecting")
        with pytest.raises(ConnectionLost, match="nothing was sent"):
            rt.send({"type": "output_audio_buffer.clear"})


async def test_what_was_heard_is_exactly_what_was_played() -> None:
    async with talk(reply(counted(1000), counted(1000)), playback="reported") as (rt, server):
        audio = rt.audio()
        await rt.request_response()
        heard = b""
        async for piece in audio:
            heard += piece.data
            if len(heard) >= 96_000:
                break
        rt.played(48_000 + 12_000)
        assert rt.interrupt()
        await server.wait_until(lambda: told(server, "conversation.item.truncate"))
        (truncate,) = told(server, "conversation.item.truncate")
        second = rt.heard[1]
        assert truncate["audio_end_ms"] == 250
        assert truncate["item_id"] == second.part.item_id
        assert [(part.heard_ms, part.interrupted) for part in rt.heard] == [
            (1000, False),
            (250, True),
        ]
        assert [run.item for run in read(heard)] == [1, 2]
        assert lost(heard, 1) == []
