"""Tools, tool choice, and a response as one chat message."""

from typing import Any

import msgspec
import pytest

from events.wire import chat_call, item_call, item_output, said
from turnwire.events import OtherItem, Usage, decode_event
from turnwire.events.conversion import (
    AssistantMessage,
    ChatTools,
    ToolCall,
    assistant_message,
    chat_tool_choice,
    chat_tools_from_tools,
    function_call_output,
    function_tools_from_chat_tools,
    tool_choice_from_chat,
    user_message,
)

# --- tools and tool choice ---------------------------------------------------------------------

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
GRAMMAR = {"definition": "start: /a+/", "syntax": "lark"}


@pytest.mark.parametrize(
    ("chat", "flat"),
    [
        (
            {
                "type": "function",
                "function": {
                    "name": "weather",
                    "description": "The weather.",
                    "parameters": SCHEMA,
                    "strict": True,
                },
            },
            {
                "type": "function",
                "name": "weather",
                "description": "The weather.",
                "parameters": SCHEMA,
                "strict": True,
            },
        ),
        (
            {"type": "function", "function": {"name": "weather", "parameters": SCHEMA}},
            {"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False},
        ),
        (
            {
                "type": "custom",
                "custom": {"name": "a", "format": {"type": "grammar", "grammar": GRAMMAR}},
            },
            {"type": "custom", "name": "a", "format": {"type": "grammar"} | GRAMMAR},
        ),
        (
            {"type": "custom", "custom": {"name": "a", "format": {"type": "text"}}},
            {"type": "custom", "name": "a", "format": {"type": "text"}},
        ),
    ],
)
def test_tools_both_ways(chat: Any, flat: Any) -> None:
    assert function_tools_from_chat_tools([chat]) == [flat]
    assert chat_tools_from_tools([flat]) == ChatTools([chat], [])


def test_a_chat_function_without_parameters_takes_none() -> None:
    tools = [{"type": "function", "function": {"name": "now", "strict": None}}]

    assert function_tools_from_chat_tools(tools) == [
        {
            "type": "function",
            "name": "now",
            "parameters": {"type": "object", "properties": {}},
            "strict": False,
        }
    ]


def test_other_tools_pass_one_way_and_are_reported_the_other_way() -> None:
    hosted = [
        {"type": "web_search"},
        {"type": "namespace", "name": "crm", "tools": [{"type": "function", "name": "find"}]},
    ]
    flat = {"type": "function", "name": "a", "parameters": SCHEMA, "strict": False}
    nested = {"type": "function", "function": {"name": "a", "parameters": SCHEMA}}

    assert function_tools_from_chat_tools([*hosted, flat]) == [*hosted, flat]
    assert chat_tools_from_tools([*hosted, flat]) == ChatTools([nested], hosted)
    assert chat_tools_from_tools([nested]) == ChatTools([nested], [])


@pytest.mark.parametrize(
    ("chat", "flat"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "function": {"name": "a"}}, {"type": "function", "name": "a"}),
        ({"type": "custom", "custom": {"name": "a"}}, {"type": "custom", "name": "a"}),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "function", "function": {"name": "a"}}],
                },
            },
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "a"}],
            },
        ),
    ],
)
def test_tool_choice_both_ways(chat: Any, flat: Any) -> None:
    assert tool_choice_from_chat(chat) == flat
    assert chat_tool_choice(flat) == chat


def test_a_choice_of_a_hosted_tool_passes_to_responses_and_not_to_chat() -> None:
    choice = {"type": "web_search"}

    assert tool_choice_from_chat(choice) == choice
    with pytest.raises(ValueError, match="'web_search' has no counterpart"):
        chat_tool_choice(choice)
    with pytest.raises(ValueError, match="expected `name`"):
        chat_tool_choice({"type": "function"})


# --- the answer --------------------------------------------------------------------------------


def response(output: Any, **members: Any) -> Any:
    whole = {"id": "resp_1", "model": "m", "output": output} | members
    event = {"type": "response.completed", "response": whole}
    return decode_event(msgspec.json.encode(event)).response


def test_a_response_becomes_one_message() -> None:
    found = assistant_message(
        response(
            [
                {"type": "reasoning", "id": "rs", "summary": []},
                {"type": "web_search_call", "id": "ws", "status": "completed"},
                said("assistant", [{"type": "output_text", "text": "I "}]),
                said("assistant", [{"type": "output_text", "text": "look."}]),
                item_call("c1", "look", '{"at": 1}'),
                {"type": "custom_tool_call", "call_id": "c2", "name": "sql", "input": "select 1"},
            ],
            status="completed",
            usage=Usage(input_tokens=3, output_tokens=4, total_tokens=7),
        )
    )

    search = found.other_items[0]
    assert isinstance(search, OtherItem)
    assert search.to_dict() == {"type": "web_search_call", "id": "ws", "status": "completed"}
    assert found == AssistantMessage(
        text="I look.",
        tool_calls=(
            ToolCall(call_id="c1", name="look", arguments='{"at": 1}'),
            ToolCall(call_id="c2", name="sql", arguments="select 1", kind="custom"),
        ),
        other_items=(search,),
        stop_reason="tool_calls",
        usage=Usage(input_tokens=3, output_tokens=4, total_tokens=7),
        response_id="resp_1",
        model="m",
    )
    assert found.to_dict() == {
        "role": "assistant",
        "content": "I look.",
        "tool_calls": [
            chat_call("c1", "look", '{"at": 1}'),
            {"id": "c2", "type": "custom", "custom": {"name": "sql", "input": "select 1"}},
        ],
    }
    assert [call.to_item() for call in found.tool_calls] == [
        item_call("c1", "look", '{"at": 1}'),
        {"type": "custom_tool_call", "call_id": "c2", "name": "sql", "input": "select 1"},
    ]


def test_a_refusal_is_not_text() -> None:
    refused = said("assistant", [{"type": "refusal", "refusal": "No."}])

    found = assistant_message(response([refused], status="completed"))

    assert (found.text, found.refusal, found.stop_reason) == ("", "No.", "stop")
    assert found.to_dict() == {"role": "assistant", "content": None, "refusal": "No."}


@pytest.mark.parametrize(
    ("members", "output", "expected"),
    [
        ({"status": "completed"}, [], "stop"),
        ({}, [], "stop"),
        ({"status": "completed"}, [item_call("c")], "tool_calls"),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            [item_call("c")],
            "length",
        ),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            [],
            "content_filter",
        ),
        ({"status": "incomplete", "incomplete_details": {"reason": "steered"}}, [], "incomplete"),
        ({"status": "incomplete"}, [], "incomplete"),
        ({"status": "in_progress"}, [item_call("c")], "incomplete"),
        ({"status": "failed"}, [item_call("c")], "error"),
        ({"status": "cancelled"}, [], "cancelled"),
    ],
)
def test_why_the_model_stopped(members: Any, output: Any, expected: Any) -> None:
    assert assistant_message(response(output, **members)).stop_reason == expected


def test_builders() -> None:
    parts = [{"type": "input_text", "text": "ok"}]

    assert user_message("Hi.") == said("user", "Hi.")
    assert function_call_output("c", "ok") == item_output("c", "ok")
    assert function_call_output("c", parts) == item_output("c", parts)
    assert function_call_output("c", "ok", kind="custom") == {
        "type": "custom_tool_call_output",
        "call_id": "c",
        "output": "ok",
    }
