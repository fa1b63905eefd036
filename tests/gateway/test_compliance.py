"""The cases of the Open Responses compliance suite, version 2026-04-24, one test for each.

Rebuilt from what they ask for (docs/protocol/interop.md#open-responses): a case is green if the
response has every required field, every event is one of the standard ones, and the turn ends as it
should.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.support import TERMINAL, Client, Json, Talk, calls_of, events_in, function, talk, user

pytestmark = pytest.mark.io

REQUIRED = {
    "background", "completed_at", "created_at", "error", "frequency_penalty", "id",
    "incomplete_details", "instructions", "max_output_tokens", "max_tool_calls", "metadata",
    "model", "object", "output", "parallel_tool_calls", "presence_penalty",
    "previous_response_id", "prompt_cache_key", "reasoning", "safety_identifier", "service_tier",
    "status", "store", "temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p",
    "truncation", "usage",
}  # fmt: skip
STANDARD_EVENTS = {
    "response.created", "response.queued", "response.in_progress", "response.completed",
    "response.failed", "response.incomplete", "response.output_item.added",
    "response.output_item.done", "response.content_part.added", "response.content_part.done",
    "response.output_text.delta", "response.output_text.done", "response.refusal.delta",
    "response.refusal.done", "response.reasoning.delta", "response.reasoning.done",
    "response.reasoning_summary_text.delta", "response.reasoning_summary_text.done",
    "response.reasoning_summary_part.added", "response.reasoning_summary_part.done",
    "response.function_call_arguments.delta", "response.function_call_arguments.done",
    "response.output_text.annotation.added", "error",
}  # fmt: skip
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA"
    "WjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture
async def here() -> AsyncIterator[Talk]:
    async with talk() as talking:
        yield talking


def check_response(response: Json, status: str = "completed") -> Json:
    """Check a response against what every response must have, and return it."""
    assert REQUIRED - response.keys() == set()
    assert (response["object"], response["status"]) == ("response", status)
    for name in ("temperature", "top_p", "presence_penalty", "frequency_penalty"):
        assert isinstance(response[name], int | float)
    assert response["text"]["verbosity"] is not None
    assert all("strict" in tool for tool in response["tools"] if tool["type"] == "function")
    usage = response["usage"]
    assert {"input_tokens_details", "output_tokens_details"} <= usage.keys()
    return response


def check_events(events: list[Json]) -> Json:
    """Check the events of a turn and return its response."""
    assert {event["type"] for event in events} <= STANDARD_EVENTS
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[-1]["type"] in TERMINAL
    return check_response(events[-1]["response"])


async def created(here: Talk, **body: Any) -> Json:
    """Create a response over HTTP and return it."""
    status, response = await here.post(**body)
    assert status == 200, response
    response = check_response(response)
    assert response["output"]
    return response


async def turn(client: Client, **create: Any) -> Json:
    """Run a turn over a WebSocket and return its response."""
    await client.create(**create)
    return check_events(await client.until(*TERMINAL))


async def error_code(client: Client, **create: Any) -> str | None:
    """Run a turn that fails and return its code, from where the suite looks for it."""
    await client.create(**create)
    event = await client.terminal()
    assert event["type"] == "error"
    assert event["status"] == 400
    return event["error"].get("code")


async def test_basic_response(here: Talk) -> None:
    await created(here, input=[user("Say hello in exactly 3 words.")])


async def test_response_output_phase_schema(here: Talk) -> None:
    response = await created(here, input=[user("Hello")])
    phases = {item.get("phase") for item in response["output"] if item["type"] == "message"}
    assert phases <= {None, "commentary", "final_answer"}


async def test_assistant_phase(here: Talk) -> None:
    said = {
        "type": "message",
        "role": "assistant",
        "phase": "commentary",
        "content": [{"type": "output_text", "text": "I look it up."}],
    }
    await created(here, input=[user("What is it?"), said, user("And?")])


async def test_streaming_response(here: Talk) -> None:
    create = {"model": "m", "stream": True, "input": [user("Count from 1 to 5.")]}
    async with here.session.post(here.gateway.base_url + "/responses", json=create) as answer:
        assert answer.content_type == "text/event-stream"
        events = events_in(await answer.text())
    check_events(events)


async def test_websocket_response(here: Talk) -> None:
    client = await here.dial(headers={"Authorization": "Bearer key"})
    await turn(client, input=[user("Count from 1 to 3.")])


async def test_websocket_sequential_responses(here: Talk) -> None:
    client = await here.dial()
    for text in ("first", "second"):
        await turn(client, input=text, store=False)


async def test_websocket_continuation(here: Talk) -> None:
    client = await here.dial()
    first = await turn(client, input="Remember: cobalt.", store=False)
    second = await turn(client, input="What?", store=False, previous_response_id=first["id"])
    assert second["previous_response_id"] == first["id"]


async def test_websocket_reconnect_store_false_recovery(here: Talk) -> None:
    first = await turn(await here.dial(), input="Remember: copper.", store=False)
    client = await here.dial()
    code = await error_code(client, input="x", store=False, previous_response_id=first["id"])
    assert code == "previous_response_not_found"
    clean = await turn(client, input="Remember: copper. What?", store=False)
    assert clean["previous_response_id"] is None


async def test_websocket_generate_false(here: Talk) -> None:
    client = await here.dial()
    warm = await turn(client, input="Prepare.", store=False, generate=False)
    assert warm["output"] == []
    await turn(client, input="Go.", store=False, previous_response_id=warm["id"])


async def test_websocket_previous_response_not_found(here: Talk) -> None:
    client = await here.dial()
    code = await error_code(client, input="x", store=False, previous_response_id="resp_missing")
    assert code == "previous_response_not_found"


async def test_websocket_failed_continuation_evicts_cache(here: Talk) -> None:
    client = await here.dial()
    first = await turn(client, input="Remember: ember.", store=False)
    chain = {"store": False, "previous_response_id": first["id"]}
    stray = {"type": "function_call_output", "call_id": "call_missing", "output": "x"}
    await error_code(client, input=[stray], **chain)
    assert await error_code(client, input="x", **chain) == "previous_response_not_found"


async def compact(here: Talk, **body: Any) -> tuple[int, Json]:
    return await here.post("/v1/responses/compact", **body)


async def test_compact_response(here: Talk) -> None:
    items = [
        user("The project is called Slate."),
        {"type": "message", "role": "assistant", "content": "OK."},
    ]
    status, compaction = await compact(here, input=items, prompt_cache_key="key")
    assert status == 200
    assert {"id", "object", "created_at", "output", "usage"} <= compaction.keys()
    assert compaction["object"] == "response.compaction"
    for item in compaction["output"][:-1]:
        assert {"id", "type", "status", "role", "content"} <= item.keys()
        assert isinstance(item["content"], list)
    assert {"id", "type", "encrypted_content"} <= compaction["output"][-1].keys()
    details = {"input_tokens_details", "output_tokens_details", "total_tokens"}
    assert details <= compaction["usage"].keys()


async def test_compact_missing_model(here: Talk) -> None:
    url = here.gateway.base_url + "/responses/compact"
    async with here.session.post(url, json={"input": [user("x")]}) as answer:
        body = await answer.json()
    assert (answer.status, body["error"]["param"]) == (400, "model")


async def test_websocket_compact_new_chain(here: Talk) -> None:
    items = [
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "The code word is slate."}],
        },
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "OK."}],
        },
    ]
    status, compaction = await compact(here, input=items)
    assert status == 200
    window = [*compaction["output"], user("Continue from here.")]
    await turn(await here.dial(), input=window, store=False, tools=[])


async def test_system_prompt(here: Talk) -> None:
    system = {"type": "message", "role": "system", "content": "You are a pirate."}
    await created(here, input=[system, user("Say hello.")])


async def test_tool_calling(here: Talk) -> None:
    weather = function("get_weather", "The current weather", location={"type": "string"})
    response = await created(
        here, input=[user("What's the weather like in Oslo?")], tools=[weather]
    )
    assert calls_of(response)


async def test_image_input(here: Talk) -> None:
    parts = [
        {"type": "input_text", "text": "What is in this image?"},
        {"type": "input_image", "image_url": PIXEL},
    ]
    await created(here, input=[{"type": "message", "role": "user", "content": parts}])


async def test_multi_turn(here: Talk) -> None:
    said = {"type": "message", "role": "assistant", "content": "Hello Alice!"}
    await created(here, input=[user("My name is Alice."), said, user("What is my name?")])


async def test_all_cases_pass_at_the_same_time(here: Talk) -> None:
    """The suite runs its cases in parallel, each on a socket of its own."""
    cases = [
        test_basic_response,
        test_streaming_response,
        test_websocket_response,
        test_websocket_sequential_responses,
        test_websocket_continuation,
        test_websocket_reconnect_store_false_recovery,
        test_websocket_failed_continuation_evicts_cache,
        test_websocket_compact_new_chain,
        test_tool_calling,
    ]
    await asyncio.gather(*(case(here) for case in cases))
