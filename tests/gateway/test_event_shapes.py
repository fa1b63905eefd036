"""R15 and R16 strictly: every event against the models of the installed `openai` package."""

import asyncio
import typing
from typing import Any

import msgspec
import pytest
from openai.types.responses import response_stream_event, responses_server_event
from pydantic import BaseModel

from gateway.support import Puppet, TurnsInMemory, function, user
from turnwire.core.serving import Reply, Serving
from turnwire.gateway.refusal import RequestRefused
from turnwire.gateway.upstreams import UpstreamFailed
from turnwire.gateway.upstreams.deltas import (
    ArgumentsDelta,
    CallStarted,
    Delta,
    Finished,
    ReasoningDelta,
    ReasoningTextDelta,
    RefusalDelta,
    TextDelta,
    UsageReport,
)

pytestmark = pytest.mark.interop

Json = dict[str, Any]

# What the Open Responses schema wants in every response object: docs/protocol/interop.md.
OPEN_RESPONSES = {
    "background", "completed_at", "created_at", "error", "frequency_penalty", "id",
    "incomplete_details", "instructions", "max_output_tokens", "max_tool_calls", "metadata",
    "model", "object", "output", "parallel_tool_calls", "presence_penalty",
    "previous_response_id", "prompt_cache_key", "reasoning", "safety_identifier", "service_tier",
    "status", "store", "temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p",
    "truncation", "usage",
}  # fmt: skip
NUMBERS = {"frequency_penalty", "presence_penalty", "temperature", "top_logprobs", "top_p"}


def models_by_type(union: Any) -> dict[str, type[BaseModel]]:
    members = typing.get_args(typing.get_args(union)[0])
    return {
        typing.get_args(member.model_fields["type"].annotation)[0]: member for member in members
    }


SOCKET_MODELS = models_by_type(responses_server_event.ResponsesServerEvent)
STREAM_MODELS = models_by_type(response_stream_event.ResponseStreamEvent)


def check(event: Json, models: dict[str, type[BaseModel]]) -> None:
    model = models[event["type"]]
    parsed = model.model_validate_json(msgspec.json.encode(event), strict=True)
    missing = {
        name
        for name, field in model.model_fields.items()
        if field.is_required() and name not in event
    }
    assert missing == set()
    assert parsed.model_dump(mode="json", by_alias=True, exclude_unset=True) == event


def numbered(events: list[Json]) -> list[Json]:
    return [event | {"sequence_number": number} for number, event in enumerate(events)]


WEATHER = function("get_weather", "Weather of a city", city={"type": "string"})
CREATES: dict[str, Json] = {
    "plain": {"input": "Hello"},
    "items": {"input": [{"role": "developer", "content": "Be brief."}, user("Hello")]},
    "call": {"input": "What is the weather in Paris?", "tools": [WEATHER]},
    "parallel": {"input": 'CALL a {"x": 1}\nCALL b', "tools": [WEATHER]},
    "reasoning": {"input": "Hello", "reasoning": {"effort": "low", "summary": "auto"}},
    "incomplete": {"input": "WORDS 50", "max_output_tokens": 3},
    "incomplete call": {"input": "CALL a " + "x" * 99, "max_output_tokens": 2},
    "warm-up": {"input": "Hello", "generate": False, "tools": [WEATHER]},
    "everything": {
        "input": "Hello",
        "instructions": "Be brief.",
        "metadata": {"a": "b"},
        "max_output_tokens": 1000,
        "max_tool_calls": 3,
        "parallel_tool_calls": False,
        "prompt_cache_key": "k",
        "safety_identifier": "s",
        "store": False,
        "temperature": 0,
        "text": {"format": {"type": "json_object"}, "verbosity": "low"},
        "tool_choice": "none",
        "tools": [WEATHER, {"type": "web_search"}, {"type": "custom", "name": "c"}],
        "top_logprobs": 2,
        "top_p": 0.5,
        "truncation": "auto",
        "user": "u",
    },
    "named tool": {
        "input": "Hello",
        "tool_choice": {"type": "function", "name": "get_weather"},
        "tools": [WEATHER],
    },
}


@pytest.mark.parametrize("name", CREATES)
@pytest.mark.parametrize("models", [SOCKET_MODELS, STREAM_MODELS], ids=["socket", "stream"])
async def test_r15_every_event_is_what_the_sdk_expects(
    name: str, models: dict[str, type[BaseModel]]
) -> None:
    events = await TurnsInMemory().events(**CREATES[name])
    assert len(events) >= 3
    for event in numbered(events):
        check(event, models)


@pytest.mark.parametrize("name", CREATES)
async def test_r15_every_response_object_has_every_field(name: str) -> None:
    events = await TurnsInMemory().events(**CREATES[name])
    responses = [event["response"] for event in events if "response" in event]
    assert len(responses) == 3
    for response in responses:
        assert OPEN_RESPONSES - response.keys() == set()
        assert all(isinstance(response[name], int | float) for name in NUMBERS)
        assert all("strict" in tool for tool in response["tools"] if tool["type"] == "function")
        assert response["text"]["verbosity"] is not None
    assert isinstance(responses[-1]["usage"], dict)


LOGPROB = {"token": "Hi", "bytes": [72, 105], "logprob": -0.5, "top_logprobs": []}
SAYINGS: dict[str, list[Delta]] = {
    "a refusal": [RefusalDelta("I "), RefusalDelta("cannot.")],
    "text and a refusal": [TextDelta("Hm."), RefusalDelta("No."), TextDelta("Yes.")],
    "log probabilities": [TextDelta("Hi", (LOGPROB,)), TextDelta(".")],
    "reasoning text": [ReasoningTextDelta("H"), ReasoningTextDelta("m."), TextDelta("Yes.")],
    "both kinds of reasoning": [ReasoningDelta("In short."), ReasoningTextDelta("Hm.")],
    "a custom call": [
        CallStarted(0, "patch", "c1", "custom"),
        ArgumentsDelta(0, "*** Begin"),
        CallStarted(1, "f", "c2"),
    ],
    "calls in a namespace": [
        CallStarted(0, "find", "c1", namespace="crm"),
        CallStarted(1, "patch", "c2", "custom", "crm"),
    ],
    "usage": [UsageReport(10, 4, 6, 3, 2)],
}
ENDS: list[Any] = [Finished(), Finished("max_output_tokens"), Finished("content_filter")]


@pytest.mark.parametrize("end", ENDS, ids=[end.reason for end in ENDS])
@pytest.mark.parametrize("name", SAYINGS)
@pytest.mark.parametrize("models", [SOCKET_MODELS, STREAM_MODELS], ids=["socket", "stream"])
async def test_r16_whatever_a_model_says_is_what_the_sdk_expects(
    name: str, end: Finished, models: dict[str, type[BaseModel]]
) -> None:
    puppet = Puppet()
    turn = asyncio.create_task(TurnsInMemory(puppet).events(input="x"))
    run = await puppet.run()
    for delta in (*SAYINGS[name], end):
        run.say(delta)
    events = await turn
    assert events[-1]["type"] in {"response.completed", "response.incomplete"}
    for event in numbered(events):
        check(event, models)
    agree(events)


def agree(events: list[Json]) -> None:
    """Check that what is said several times is the same each time (R16)."""
    output = events[-1]["response"]["output"]
    done = {e["output_index"]: e["item"] for e in events if e["type"].endswith("output_item.done")}
    added = {e["output_index"]: e["item"] for e in events if e["type"].endswith("item.added")}
    assert [done[index] for index in sorted(done)] == output
    assert [added[index]["id"] for index in sorted(added)] == [item["id"] for item in output]
    streamed: dict[Any, str] = {}
    whole: dict[Any, str] = {}
    for event in events:
        last = event["type"].rpartition(".")[2]
        place = (event.get("item_id"), event.get("content_index"), event.get("summary_index"))
        if last == "delta":
            streamed[place] = streamed.get(place, "") + event["delta"]
        elif last == "done" and "item" not in event and "part" not in event:
            (whole[place],) = [event[key] for key in ("text", "refusal", "arguments", "input")
                               if key in event]  # fmt: skip
    assert {place: streamed.get(place, "") for place in whole} == whole
    assert streamed.keys() <= whole.keys()


@pytest.mark.parametrize("failure", [None, UpstreamFailed("broken")])
async def test_a_failed_response_is_what_the_sdk_expects(failure: UpstreamFailed | None) -> None:
    puppet = Puppet()
    turn = asyncio.create_task(TurnsInMemory(puppet).events(input="x"))
    run = await puppet.run()
    run.say("word")
    if failure is None:
        run.cut()
    else:
        run.fail(failure)
    events = await turn
    assert events[-1]["type"] == "response.failed"
    for event in numbered(events):
        check(event, SOCKET_MODELS)


@pytest.mark.parametrize(
    "message",
    [
        b"[",
        b"[]",
        b"{}",
        b'{"type":"response.cancel"}',
        b'{"type":"response.create","stream_id":""}',
    ],
)
def test_r18_every_error_is_nested_and_without_nulls(message: bytes) -> None:
    serving = Serving()
    serving.received(message, 0.0)
    (action,) = serving.actions()
    assert isinstance(action, Reply)
    event = msgspec.json.decode(action.data)
    check(event, SOCKET_MODELS)
    assert None not in [*event.values(), *event["error"].values()]


def test_r18_a_refusal_is_nested_and_without_nulls() -> None:
    event = RequestRefused("no", param="tools").event()
    check(event, SOCKET_MODELS)
    assert event == {
        "type": "error",
        "status": 400,
        "error": {"type": "invalid_request_error", "message": "no", "param": "tools"},
    }
