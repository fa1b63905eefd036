"""The events of a stream: what begins, grows and ends, and what the message was by then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent_stream.support import WEATHER, Runner, end_of, read, types, user
from turnwire.agent_stream import (
    AgentStreams,
    AssistantMessage,
    DoneEvent,
    ErrorEvent,
    TextContent,
    TextDeltaEvent,
    ThinkingContent,
    ToolCall,
    ToolCallDeltaEvent,
    ToolCallEndEvent,
)
from turnwire.testing import (
    Peer,
    answer,
    call,
    completed,
    emit,
    incomplete,
    item,
    reasoning,
    terminal,
)

if TYPE_CHECKING:
    from turnwire.agent_stream import AgentEvent
    from turnwire.testing import Step

pytestmark = pytest.mark.io


async def streamed(*steps: Step) -> list[AgentEvent]:
    async with (
        Peer(lambda create: steps) as peer,
        AgentStreams(base_url=peer.base_url) as streams,
    ):
        events = await read(Runner(streams, tools=[WEATHER]).stream(user("Hi")))
        assert peer.model_runs == 1
    return events


async def test_text_comes_in_pieces_and_each_event_knows_what_had_come() -> None:
    events = await streamed(answer("Hello big world"))
    assert types(events) == ["start", "text_start", *["text_delta"] * 3, "text_end", "done"]
    deltas = [event for event in events if isinstance(event, TextDeltaEvent)]
    assert [event.delta for event in deltas] == ["Hello", " big", " world"]
    # Read after the end, and still as it was then.
    assert [event.partial.text for event in deltas] == ["Hello", "Hello big", "Hello big world"]
    end = end_of(events)
    assert isinstance(end, DoneEvent)
    assert (end.reason, end.message.text) == ("stop", "Hello big world")
    assert end.message.stop_reason == "stop"
    assert end.report is not None
    assert (end.report.transport, end.report.model_runs) == ("websocket", 1)


async def test_thinking_text_and_calls_have_their_own_events() -> None:
    events = await streamed(
        reasoning("Look first."), answer("Wait."), call("weather", {"city": "Oslo"}, call_id="c1")
    )
    assert types(events) == [
        "start",
        *["thinking_start", "thinking_delta", "thinking_delta", "thinking_end"],
        *["text_start", "text_delta", "text_end"],
        *["toolcall_start", "toolcall_delta", "toolcall_end"],
        "done",
    ]
    content = (
        ThinkingContent("Look first."),
        TextContent("Wait."),
        ToolCall("c1", "weather", {"city": "Oslo"}),
    )
    end = end_of(events)
    assert isinstance(end, DoneEvent)
    assert (end.reason, end.message.content) == ("toolUse", content)
    whole = next(event for event in events if isinstance(event, ToolCallEndEvent))
    assert (whole.content_index, whole.tool_call, whole.partial.content) == (2, content[2], content)
    part = next(event for event in events if isinstance(event, ToolCallDeltaEvent))
    assert part.partial.content[2] == ToolCall("c1", "weather", '{"city":"Oslo"}')


async def test_parts_of_a_summary_are_apart_as_in_the_message() -> None:
    events = await streamed(
        emit("response.reasoning_summary_text.delta", delta="One.", summary_index=0),
        emit("response.reasoning_summary_text.delta", delta="Two.", summary_index=1),
    )
    assert events[3].partial.content == (ThinkingContent("One.\n\nTwo."),)  # type: ignore[union-attr]


async def test_what_was_not_streamed_comes_in_one_piece() -> None:
    message = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "All at once."}],
    }
    events = await streamed(item(**message))
    assert types(events) == ["start", "text_start", "text_delta", "text_end", "done"]
    assert events[2].delta == "All at once."  # type: ignore[union-attr]


async def test_what_only_the_terminal_event_shows_comes_before_done() -> None:
    message = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Late."}],
    }
    events = await streamed(completed([message]))
    assert types(events) == ["start", "text_start", "text_delta", "text_end", "done"]
    assert end_of(events).message.text == "Late."


async def test_a_terminal_event_without_output_costs_nothing() -> None:
    events = await streamed(answer("Here."), completed([]))
    assert end_of(events).message.text == "Here."


async def test_an_answer_cut_at_its_length_is_done() -> None:
    events = await streamed(
        answer("So much"), call("weather", '{"city":'), incomplete("max_output_tokens")
    )
    end = end_of(events)
    assert isinstance(end, DoneEvent)
    assert (end.reason, end.message.content) == ("length", (TextContent("So much"),))
    assert "toolcall_end" not in types(events)


async def test_an_answer_that_a_filter_cut_is_an_error_with_what_came() -> None:
    end = end_of(await streamed(answer("So much"), incomplete("content_filter")))
    assert isinstance(end, ErrorEvent)
    assert (end.reason, end.message.text) == ("error", "So much")
    assert end.message.error_message == ("the server stopped the answer: content_filter")


async def test_terminal_events_of_gateways_are_ends_too() -> None:
    assert end_of(await streamed(answer("Hi"), terminal("response.done"))).type == "done"


async def test_late_events_never_arrive() -> None:
    late = emit("response.output_text.delta", delta="late")
    events = await streamed(answer("Hi"), completed(), late)
    assert end_of(events).message.text == "Hi"


async def test_the_result_is_the_final_message() -> None:
    async with Peer() as peer, AgentStreams(base_url=peer.base_url) as streams:
        stream = Runner(streams).stream(user("Hi"))
        message = await stream.result()
        assert isinstance(message, AssistantMessage)
        assert (message.text, message.model, peer.model_runs) == ("Hi", "m", 1)
        assert await read(stream) == []
        assert await stream.result() is message
