"""Voice sessions of the OpenAI Agents SDK on turnwire's transport: turns, tools, the history."""

from __future__ import annotations

from typing import Any

import pytest
from agents import UserError, function_tool
from agents.realtime import (
    OpenAIRealtimeWebSocketModel,
    RealtimeAgent,
    RealtimeModelSendRawMessage,
    realtime_handoff,
)

from interop.frameworks.voices_of_tests import (
    VAD,
    audio_of,
    history_of,
    items_sent,
    kinds,
    session_on,
    texts_of,
    told,
    transport_of,
    until,
    without_traces,
)
from turnwire.adapters.openai_agents.realtime import RealtimeModel
from turnwire.errors import DialError
from turnwire.testing.realtime import (
    PCM,
    RealtimeServer,
    assert_no_errors,
    assert_one_response_at_a_time,
    call,
    counted,
    counted_audio,
    failed,
    faults,
    heard_ms,
    reply,
    speech,
    text,
)

pytestmark = [pytest.mark.interop, pytest.mark.io]

_alone = pytest.fixture(autouse=True)(without_traces)
# What the SDK's own model does right is done the same way.
both = pytest.mark.parametrize("make", [RealtimeModel, OpenAIRealtimeWebSocketModel])


@function_tool
def weather(city: str) -> str:
    """Tell the weather."""
    return f"rain in {city}"


@both
async def test_a_turn(make: Any) -> None:
    async with RealtimeServer(reply(counted(400, "good day")), speed=50, key="k") as server:
        async with session_on(server, model=make()) as session:
            await session.send_message("hello")
            events = await until(session, "agent_end")
        assert heard_ms(audio_of(events), 1) == 400
        assert texts_of(events) == [("user", "hello"), ("assistant", "good day")]
        assert [kind for kind in kinds(events) if kind.startswith(("agent", "audio_"))] == [
            "agent_start",
            "audio_end",
            "agent_end",
        ]
        (used,) = told(events, "usage")
        assert used.usage.requests == 1
        assert used.usage.total_tokens == used.usage.input_tokens + used.usage.output_tokens > 0
        assert_no_errors(server.sessions[0])
        assert server.responses == 1


@both
async def test_a_written_turn(make: Any) -> None:
    async with (
        RealtimeServer(reply(text("a b"))) as server,
        session_on(server, model=make(), output_modalities=["text"]) as session,
    ):
        await session.send_message("hello")
        events = await until(session, "agent_end")
        assert "".join(each.delta for each in told(events, "output_text_delta")) == "a b"
        assert texts_of(events) == [("user", "hello"), ("assistant", "a b")]


@both
async def test_a_spoken_turn(make: Any) -> None:
    async with RealtimeServer(reply(speech("one two")), speed=50) as server:
        async with session_on(server, model=make(), turn_detection=VAD) as session:
            await session.send_audio(counted_audio(9, 0, 9600) + PCM.silence(300))
            events = await until(session, "agent_end")
            assert ("assistant", "one two") in texts_of(events)
        assert_no_errors(server.sessions[0])


async def test_the_words_of_the_user_stand_in_the_history() -> None:
    async with (
        RealtimeServer(reply(speech("one")), speed=50, transcribe=lambda *_: "hear me") as server,
        session_on(server, turn_detection=VAD) as session,
    ):
        await session.send_audio(counted_audio(9, 0, 9600) + PCM.silence(300))
        events = await until(session, "input_audio_transcription_completed")
        events += await until(session, "history_updated")
        assert ("user", "hear me") in texts_of(events)
        # The SDK's own model asks for an item here, with all its audio, and for the wrong one.
        assert server.sessions[0].received_of("conversation.item.retrieve") == []


async def test_audio_that_is_committed_by_hand() -> None:
    async with (
        RealtimeServer(reply(speech("one")), speed=50) as server,
        session_on(server, turn_detection=None) as session,
    ):
        await session.send_audio(counted_audio(9, 0, 72_000), commit=True)
        await until(session, "history_added")
        served = server.sessions[0]
        assert served.session.session["audio"]["input"]["turn_detection"] is None
        assert len(served.sent_of("input_audio_buffer.committed")) == 1


@both
async def test_a_function_is_called_and_answered(make: Any) -> None:
    script = [reply(call("weather", city="Oslo")), reply(speech("It rains."))]
    async with RealtimeServer(script, speed=50) as server:
        async with session_on(server, model=make(), tools=(weather,)) as session:
            await session.send_message("The weather in Oslo?")
            events = await until(session, "agent_end", 2)
        assert ("assistant", "It rains.") in texts_of(events)
        (tool,) = [item for item in history_of(events) if item.type == "function_call"]
        assert (tool.status, tool.output) == ("completed", "rain in Oslo")
        outputs = [item.get("output") for item in items_sent(server.sessions[0])]
        assert outputs == [None, "rain in Oslo"]
        assert_one_response_at_a_time(server.sessions[0])


@both
async def test_a_handoff_gives_the_session_another_agent(make: Any) -> None:
    second = RealtimeAgent(name="Second", instructions="Be kind.", tools=[weather])
    first = RealtimeAgent(
        name="First", instructions="Be brief.", handoffs=[realtime_handoff(second)]
    )
    script = [reply(call("transfer_to_second")), reply(speech("Hello."))]
    async with RealtimeServer(script, speed=50) as server:
        async with session_on(server, model=make(), agent=first, voice="cedar") as session:
            await session.send_message("Somebody kind, please.")
            events = await until(session, "agent_end", 2)
        (handoff,) = [event for event in events if event.type == "handoff"]
        assert (handoff.from_agent.name, handoff.to_agent.name) == ("First", "Second")
        assert ("assistant", "Hello.") in texts_of(events)
        served = server.sessions[0]
        assert served.session.session["instructions"] == "Be kind."
        assert [tool["name"] for tool in served.session.session["tools"]] == ["weather"]
        types = [stamped.event["type"] for stamped in served.received_events]
        last_update = len(types) - types[::-1].index("session.update")
        assert types[last_update:] == ["conversation.item.create", "response.create"]
        assert_no_errors(served)


async def test_an_update_resets_nothing_that_it_does_not_name() -> None:
    async with RealtimeServer(reply(text("a"))) as server, session_on(server) as session:
        await session.update_agent(RealtimeAgent(name="Other", instructions="Be kind."))
        served = server.sessions[0]
        await server.wait_until(lambda: len(served.received_of("session.update")) == 3)
        assert served.received_of("session.update")[-1]["session"] == {
            "type": "realtime",
            "instructions": "Be kind.",
            "tools": [],
        }


async def test_an_image_is_shown() -> None:
    image = "data:image/png;base64,AAAA"
    parts = [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": image, "detail": "low"},
    ]
    async with RealtimeServer(reply(text("A dot."))) as server, session_on(server) as session:
        await session.send_message({"type": "message", "role": "user", "content": parts})  # type: ignore[typeddict-item]
        events = await until(session, "agent_end")
        (item,) = items_sent(server.sessions[0])
        assert item["content"] == parts
        user, _ = history_of(events)
        assert [part.type for part in user.content] == ["input_text", "input_image"]


async def test_any_event_of_the_wire_can_be_sent() -> None:
    item = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
    message: Any = {"type": "conversation.item.create", "other_data": {"item": item}}
    async with RealtimeServer() as server, session_on(server) as session:
        await session.model.send_event(RealtimeModelSendRawMessage(message))
        await server.wait_until(lambda: bool(items_sent(server.sessions[0])))
        (sent,) = items_sent(server.sessions[0])
        assert sent.items() >= item.items()


async def test_every_event_of_the_wire_is_told_as_it_came() -> None:
    async with (
        RealtimeServer(
            reply(counted(100)), faults=[faults.unknown(on="response.done", number=7)]
        ) as server,
        session_on(server) as session,
    ):
        await session.send_message("hello")
        events = await until(session, "agent_end")
        wire = [event.data for event in told(events, "raw_server_event")]
        sent = [stamped.event for stamped in server.sessions[0].sent_events]
        assert [each["type"] for each in wire] == [each["type"] for each in sent]
        assert {"type": "response.unheard_of", "event_id": "event_unknown", "number": 7} in wire


async def test_a_beta_s_names_are_heard() -> None:
    async with (
        RealtimeServer(reply(counted(400, "good day")), faults=[faults.beta_names()]) as server,
        session_on(server) as session,
    ):
        await session.send_message("hello")
        events = await until(session, "agent_end")
        assert heard_ms(audio_of(events), 1) == 400
        assert texts_of(events)[-1] == ("assistant", "good day")


async def test_an_item_that_is_deleted_leaves_the_history() -> None:
    async with RealtimeServer(reply(text("a"))) as server, session_on(server) as session:
        await session.send_message("hello")
        await until(session, "agent_end")
        (item,) = items_sent(server.sessions[0])
        transport_of(session).delete_item(item["id"])
        events = await until(session, "item_deleted")
        events += await until(session, "history_updated")
        assert [role for role, _ in texts_of(events)] == ["assistant"]


async def test_what_the_server_refuses_is_an_error_of_the_session() -> None:
    refusal = faults.refuse_event("conversation.item.create", "no_such_luck", "Not today.")
    async with RealtimeServer(faults=[refusal]) as server, session_on(server) as session:
        await session.send_message("hello")
        events = await until(session, "error", 2, allows_errors=True)
        assert (events[-1].error.code, events[-1].error.message) == ("no_such_luck", "Not today.")


async def test_a_response_that_fails_says_so() -> None:
    async with RealtimeServer(reply(failed("overloaded", "Later."))) as server:
        async with session_on(server) as session:
            await session.send_message("hello")
            events = await until(session, "agent_end", allows_errors=True)
        (error,) = [event.error for event in events if event.type == "error"]
        assert (error.code, error.message) == ("overloaded", "Later.")


async def test_one_model_serves_one_session_at_a_time_and_many_in_turn() -> None:
    model = RealtimeModel()
    async with RealtimeServer(reply(text("a"))) as server:
        for _ in range(2):
            async with session_on(server, model=model) as session:
                with pytest.raises(UserError, match="open session"):
                    await model.connect({"url": server.url})
                await session.send_message("hello")
                await until(session, "agent_end")
            assert model.transport is None
        with pytest.raises(UserError, match="no session is open"):
            await session.send_message("hello")
        assert len(server.connections) == 2


async def test_a_session_that_cannot_be_opened_leaves_the_model_as_it_was() -> None:
    model = RealtimeModel()
    async with RealtimeServer(reply(text("a")), key="k") as server:
        with pytest.raises(DialError):
            async with session_on(server, model=model, config={"api_key": "wrong"}):
                pass
        async with session_on(server, model=model) as session:
            await session.send_message("hello")
            await until(session, "agent_end")


async def test_the_sdk_says_who_is_calling_and_how_to_sign_in() -> None:
    async def key() -> str:
        return "k2"

    async with RealtimeServer(key="k2") as server:
        async with session_on(server, config={"api_key": key}):
            pass
        headers = {"Authorization": "Bearer k2", "X-Way": "gate"}
        async with session_on(server, config={"headers": headers}):
            pass
        assert [each["User-Agent"].split("/")[0] for each in server.handshakes] == ["Agents"] * 2
        assert server.handshakes[1]["X-Way"] == "gate"
        assert [dict(each.query) for each in server.connections] == [{"model": "m"}] * 2
