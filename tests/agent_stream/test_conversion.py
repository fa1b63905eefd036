"""Messages and tools as they go out, responses as they come back."""

from __future__ import annotations

from typing import Any

import pytest

from turnwire import ConfigError, TurnError
from turnwire.agent_stream import (
    AssistantMessage,
    Context,
    ImageContent,
    Model,
    TextContent,
    ThinkingContent,
    Tool,
    ToolCall,
    ToolResultMessage,
    Usage,
    UserMessage,
    to_dict,
)
from turnwire.agent_stream.assistant import message_of, usage_of
from turnwire.agent_stream.items import items_of
from turnwire.agent_stream.options import options_of, params_of
from turnwire.agent_stream.reading import read_context, read_messages, read_model
from turnwire.agent_stream.tools import choice_of, definitions_of
from turnwire.events import InputTokensDetails, OutputTokensDetails, Response
from turnwire.events import Usage as ServerUsage
from turnwire.events.codec import encode

IMAGE = {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"}


def converted(*messages: Any) -> list[dict[str, Any]]:
    return [item for items in items_of(read_messages(messages)) for item in items]


def response(*output: dict[str, Any], **members: Any) -> Response:
    import msgspec

    fields = {"id": "resp_1", "status": "completed", "output": output} | members
    return msgspec.json.decode(encode(fields), type=Response)


def test_user_text_and_images() -> None:
    message = UserMessage([TextContent("What is this?"), ImageContent("AAAA", "image/png")])
    parts = [{"type": "input_text", "text": "What is this?"}, IMAGE]
    assert converted(UserMessage("Hi"), UserMessage([TextContent("Ho")]), message) == [
        {"type": "message", "role": "user", "content": "Hi"},
        {"type": "message", "role": "user", "content": "Ho"},
        {"type": "message", "role": "user", "content": parts},
    ]


def test_text_and_calls_stay_in_order_and_thinking_stays_here() -> None:
    message = AssistantMessage(
        [
            ThinkingContent("Hm."),
            TextContent("Let me look."),
            ToolCall("call_1", "weather", {"city": "Oslo"}),
            TextContent("And"),
            TextContent(" there."),
            ToolCall("call_2", "shell", "ls", custom=True),
        ]
    )
    results = [ToolResultMessage("call_1", content="sunny"), ToolResultMessage("call_2")]
    assert converted(message, *results) == [
        {"type": "message", "role": "assistant", "content": "Let me look."},
        {
            "type": "function_call",
            "call_id": "call_1",
            "name": "weather",
            "arguments": '{"city":"Oslo"}',
        },
        {"type": "message", "role": "assistant", "content": "And there."},
        {"type": "custom_tool_call", "call_id": "call_2", "name": "shell", "input": "ls"},
        {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
        {"type": "custom_tool_call_output", "call_id": "call_2", "output": ""},
    ]


def test_tool_results_with_images_and_errors() -> None:
    image = [TextContent("Seen:"), ImageContent("AAAA", "image/png")]
    results = [
        ToolResultMessage("1", content=image),
        ToolResultMessage("2", content="no such city", is_error=True),
        ToolResultMessage("3", is_error=True),
    ]
    assert [item["output"] for item in converted(*results)] == [
        [{"type": "input_text", "text": "Seen:"}, IMAGE],
        "no such city",
        "The tool failed and said nothing.",
    ]


def test_of_an_answer_that_was_cut_off_calls_without_a_result_are_left_out() -> None:
    calls = [ToolCall("1", "weather", {}), ToolCall("2", "weather", {})]
    message = AssistantMessage([TextContent("So"), *calls], "aborted")
    assert [item["type"] for item in converted(message, ToolResultMessage("2"))] == [
        "message",
        "function_call",
        "function_call_output",
    ]


def test_dicts_say_the_same_as_messages() -> None:
    call = {"type": "toolCall", "id": "call_1", "name": "weather", "arguments": {"city": "Oslo"}}
    dicts: list[dict[str, Any]] = [
        {"role": "user", "content": [{"type": "image", "data": "AAAA", "mimeType": "image/png"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "Hm."}, call]},
        {"role": "toolResult", "toolCallId": "call_1", "content": "sunny", "isError": False},
        {"role": "toolResult", "tool_call_id": "call_1", "content": "", "is_error": True},
        {"role": "assistant", "content": "Bye."},
    ]
    messages = [
        UserMessage([ImageContent("AAAA", "image/png")]),
        AssistantMessage([TextContent("Hm."), ToolCall("call_1", "weather", {"city": "Oslo"})]),
        ToolResultMessage("call_1", content="sunny"),
        ToolResultMessage("call_1", is_error=True),
        AssistantMessage([TextContent("Bye.")]),
    ]
    assert converted(*dicts) == converted(*messages)


def test_a_message_survives_the_way_through_plain_dicts() -> None:
    message = AssistantMessage(
        (ThinkingContent("Hm."), ToolCall("1", "weather", {"city": {"of_birth": "Oslo"}})),
        "toolUse",
        response_id="resp_1",
    )
    written = to_dict(message)
    assert written["content"][1]["arguments"] == {"city": {"of_birth": "Oslo"}}
    assert (written["stopReason"], written["responseId"]) == ("toolUse", "resp_1")
    assert converted(written) == converted(message)


def test_ids_with_an_item_behind_them_are_those_of_the_call() -> None:
    call = {"type": "toolCall", "id": "call_1|fc_9", "name": "weather", "arguments": {}}
    items = converted(
        {"role": "assistant", "content": [call]},
        {"role": "toolResult", "toolCallId": "call_1|fc_9", "content": "x"},
        {"role": "toolResult", "toolCallId": "of|gateway", "content": "x"},
    )
    assert [item["call_id"] for item in items] == ["call_1", "call_1", "of|gateway"]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"role": "robot"}, r"messages\[0\]: `role` is 'robot'"),
        ({"role": "user", "content": 1}, r"messages\[0\] must be a list, not int"),
        ({"role": "user", "content": [{"type": "video"}]}, r"content\[0\]: .*'video'"),
        ({"role": "toolResult", "content": "x"}, "`toolCallId` must be text"),
        ("Hi", r"messages\[0\] must be a dict, not str"),
    ],
)
def test_what_is_no_message_is_named(message: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_messages([message])


def test_nothing_that_was_said_is_in_a_repr() -> None:
    shown = repr(
        Context(
            [UserMessage("secret"), ToolResultMessage("1", content="secret")],
            "secret",
            [Tool("t", parameters={"secret": 1})],
        )
    ) + repr(AssistantMessage([TextContent("secret"), ToolCall("1", "t", {"x": "secret"})]))
    assert "secret" not in shown


def test_tools_are_flat_and_never_strict_by_accident() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    flat = {
        "type": "function",
        "name": "weather",
        "description": "d",
        "parameters": schema,
        "strict": False,
    }
    inside = {"name": "weather", "description": "d", "parameters": schema}
    tools: list[Any] = [
        Tool("weather", "d", schema),
        {**inside, "label": "Weather", "execute": print},  # as runners keep them
        {"type": "function", "function": inside},
        {"type": "web_search"},
    ]
    assert definitions_of(tools) == [flat, flat, flat, {"type": "web_search"}]
    bare = {"type": "function", "name": "t", "parameters": {"type": "object", "properties": {}}}
    assert definitions_of([{"name": "t"}]) == [{**bare, "strict": False}]
    assert definitions_of([Tool("t", strict=True)]) == [{**bare, "strict": True}]
    with pytest.raises(ConfigError, match=r"tools\[0\]: expected a `name`"):
        definitions_of([{"description": "d"}])


def test_the_choice_of_a_tool_is_flat_too() -> None:
    nested = {"type": "function", "function": {"name": "weather"}}
    assert choice_of(nested) == {"type": "function", "name": "weather"}
    assert (choice_of("required"), choice_of(None)) == ("required", None)


def test_options_become_parameters_and_what_was_not_given_is_left_out() -> None:
    read = read_context({"messages": [], "systemPrompt": "Be brief."})
    given = {
        "temperature": 0,
        "topP": 0.5,
        "maxTokens": 7,
        "toolChoice": "none",
        "reasoningEffort": "low",
        "reasoningSummary": "auto",
        "metadata": {"a": "b"},
    }
    assert params_of(Model("m"), read, options_of("auto", given)) == {
        "model": "m",
        "instructions": "Be brief.",
        "temperature": 0,
        "top_p": 0.5,
        "max_output_tokens": 7,
        "tool_choice": "none",
        "reasoning": {"effort": "low", "summary": "auto"},
        "metadata": {"a": "b"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }
    bare = read_context({"messages": []})
    assert params_of(Model("m"), bare, options_of("auto")) == {"model": "m", "store": False}
    model = read_model({"id": "m", "reasoning": True, "api": "x", "provider": "y", "cost": {}})
    assert model == Model("m", "x", "y", reasoning=True)
    stored = options_of("auto", {"store": True}, {"extra_body": {"user": "u"}})
    assert params_of(model, bare, stored) == {"model": "m", "store": True, "user": "u"}


def test_options_that_do_not_exist_are_named() -> None:
    with pytest.raises(ConfigError, match="did you mean `temperature`"):
        options_of("auto", {"temprature": 1})
    with pytest.raises(ConfigError, match="`apiKey` cannot be given here"):
        options_of("auto", {"apiKey": "k"})
    with pytest.raises(ConfigError, match="not 'carrier pigeon'"):
        options_of("auto", {"transport": "carrier pigeon"})
    with pytest.raises(ConfigError, match=r"`signal` must be an asyncio\.Event"):
        options_of("auto", {"signal": object()})
    assert options_of("auto", {"transport": "sse"}).transport == "http"
    assert options_of("auto", {"onPayload": print, "openaiWsWarmup": True}).warm_up


def test_tokens_from_the_cache_are_counted_once() -> None:
    usage = ServerUsage(
        input_tokens=100,
        input_tokens_details=InputTokensDetails(cached_tokens=60, cache_write_tokens=10),
        output_tokens=20,
        output_tokens_details=OutputTokensDetails(reasoning_tokens=15),
        total_tokens=120,
    )
    counted = Usage(30, 20, 60, 10, 120, 15)
    assert usage_of(usage) == counted
    assert counted.cost.total == 0
    assert usage_of(None) == Usage()


def test_a_response_becomes_a_message() -> None:
    call = {"type": "function_call", "call_id": "1", "name": "weather", "arguments": '{"a":1}'}
    odd = {**call, "call_id": "2", "arguments": "not JSON"}
    message = message_of(
        response(
            {"type": "reasoning", "summary": [{"text": "One."}, {"text": "Two."}]},
            {"type": "reasoning", "summary": []},
            {"type": "message", "content": [{"type": "refusal", "refusal": "No."}]},
            {"type": "web_search_call", "id": "ws_1"},
            call,
            odd,
        ),
        Model("m", "x", "y"),
        7,
    )
    assert message == AssistantMessage(
        (
            ThinkingContent("One.\n\nTwo."),
            TextContent("No."),
            ToolCall("1", "weather", {"a": 1}),
            ToolCall("2", "weather", "not JSON"),
        ),
        "toolUse",
        "x",
        "y",
        "m",
        timestamp=7,
        response_id="resp_1",
    )


def test_half_a_call_is_no_call() -> None:
    half = {"type": "function_call", "call_id": "1", "name": "weather", "arguments": '{"city":'}
    cut = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    message = message_of(response(half, **cut), Model("m"), 0)
    assert (message.content, message.stop_reason) == ((), "length")
    cut["incomplete_details"] = {"reason": "content_filter"}
    with pytest.raises(TurnError, match="the server stopped the answer: content_filter"):
        message_of(response(**cut), Model("m"), 0)
