"""A create as the body of a chat completions request."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.support import function
from gateway.upstreams.chat.support import CUSTOM, Json, body_of
from turnwire.gateway.upstreams.chat import ChatOptions

WEATHER = function("get_weather", "Weather of a city", city={"type": "string"})
WEATHER_FUNCTION = {
    "type": "function",
    "function": {key: value for key, value in WEATHER.items() if key != "type"},
}
PLAIN: Json = {
    "model": "m",
    "messages": [{"role": "user", "content": "hi"}],
    "stream": True,
    "stream_options": {"include_usage": True},
}


def more_than_plain(**create: Any) -> Json:
    body = body_of(**create)
    return {key: value for key, value in body.items() if PLAIN.get(key) != value}


def test_the_least_that_is_sent() -> None:
    assert body_of() == PLAIN


@pytest.mark.parametrize(
    ("create", "expected"),
    [
        ({"temperature": 0.5}, {"temperature": 0.5}),
        ({"temperature": 1}, {"temperature": 1.0}),  # the server's own default may differ
        ({"top_p": 0.9, "presence_penalty": 1}, {"top_p": 0.9, "presence_penalty": 1.0}),
        ({"frequency_penalty": -1}, {"frequency_penalty": -1.0}),
        ({"max_output_tokens": 7}, {"max_tokens": 7}),
        ({"top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}),
        ({"include": ["message.output_text.logprobs"]}, {"logprobs": True}),
        ({"reasoning": {"effort": "low", "summary": "auto"}}, {"reasoning_effort": "low"}),
        ({"seed": 7, "stop": ["x"], "user": "u"}, {"seed": 7, "stop": ["x"], "user": "u"}),
        ({"top_k": 3, "min_p": 0.1}, {"top_k": 3, "min_p": 0.1}),
        ({"metadata": {"a": "b"}, "prompt_cache_key": "k", "unknown": 1}, {}),
        ({"text": {"format": {"type": "text"}, "verbosity": "low"}}, {}),
        (
            {"text": {"format": {"type": "json_object"}}},
            {"response_format": {"type": "json_object"}},
        ),
        (
            {
                "text": {
                    "format": {
                        "type": "json_schema",
                        "name": "n",
                        "schema": {"type": "object"},
                        "strict": True,
                    }
                }
            },
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
                }
            },
        ),
    ],
)
def test_parameters(create: Json, expected: Json) -> None:
    assert more_than_plain(**create) == expected


@pytest.mark.parametrize(
    ("options", "create", "expected"),
    [
        ({"model": "other"}, {}, {"model": "other"}),
        (
            {"max_tokens_field": "max_completion_tokens"},
            {"max_output_tokens": 7},
            {"max_completion_tokens": 7},
        ),
        ({"reasoning_effort": False}, {"reasoning": {"effort": "low"}}, {}),
        ({"passed_on": ("metadata",)}, {"metadata": {"a": "b"}, "seed": 1},
         {"metadata": {"a": "b"}}),
        ({"extra_body": {"seed": 2}}, {"seed": 1}, {"seed": 2}),
    ],
)  # fmt: skip
def test_options(options: Json, create: Json, expected: Json) -> None:
    assert more_than_plain(options=ChatOptions(**options), **create) == expected


def test_usage_is_not_asked_for_if_the_server_minds() -> None:
    assert "stream_options" not in body_of(options=ChatOptions(usage=False))


# Tools


def test_functions() -> None:
    strict = {"type": "function", "name": "f", "parameters": {}, "strict": True}
    assert more_than_plain(tools=[WEATHER, strict], parallel_tool_calls=False) == {
        "tools": [
            WEATHER_FUNCTION,
            {
                "type": "function",
                "function": {
                    "name": "f",
                    "parameters": {"type": "object", "properties": {}},
                    "strict": True,
                },
            },
        ],
        "parallel_tool_calls": False,
    }


@pytest.mark.parametrize(
    ("form", "about"),
    [
        ({}, "The tool's whole input, as plain text."),
        ({"format": {"type": "text"}}, "The tool's whole input, as plain text."),
        (
            {"format": {"type": "grammar", "syntax": "lark", "definition": "start: X"}},
            "The tool's whole input, as plain text. It must follow this lark grammar:\nstart: X",
        ),
    ],
)
def test_a_custom_tool_is_a_function_of_one_string(form: Json, about: str) -> None:
    (tool,) = body_of(tools=[CUSTOM | form])["tools"]
    assert tool["function"] == {
        "name": "patch",
        "description": "Patches files",
        "parameters": {
            "type": "object",
            "properties": {"input": {"type": "string", "description": about}},
            "required": ["input"],
            "additionalProperties": False,
        },
    }


def test_the_tools_of_a_namespace_are_functions() -> None:
    namespace = {"type": "namespace", "name": "crm", "tools": [WEATHER, CUSTOM, "odd"]}
    names = [tool["function"]["name"] for tool in body_of(tools=[namespace])["tools"]]
    assert names == ["crm__get_weather", "crm__patch"]


@pytest.mark.parametrize(
    "kind",
    ["apply_patch", "local_shell", "shell", "tool_search", "web_search", "mcp", "brand_new"],
)
def test_r8_a_tool_that_no_chat_server_knows_is_left_out(kind: str) -> None:
    other = {"type": kind, "name": "x"}
    assert more_than_plain(tools=[other], tool_choice="required") == {}
    body = body_of(tools=[other, WEATHER], tool_choice={"type": kind})
    assert body["tools"] == [WEATHER_FUNCTION]
    assert "tool_choice" not in body


@pytest.mark.parametrize(
    ("choice", "expected", "names"),
    [
        ("auto", None, ["get_weather", "patch"]),
        ("none", "none", ["get_weather", "patch"]),
        ("required", "required", ["get_weather", "patch"]),
        ({"type": "function", "name": "get_weather"}, "get_weather", ["get_weather", "patch"]),
        ({"type": "function", "function": {"name": "get_weather"}}, "get_weather",
         ["get_weather", "patch"]),
        ({"type": "custom", "name": "patch"}, "patch", ["get_weather", "patch"]),
        ({"type": "function", "name": "unknown"}, None, ["get_weather", "patch"]),
        ({"type": "web_search"}, None, ["get_weather", "patch"]),
        ({"type": "allowed_tools", "mode": "required",
          "tools": [{"type": "custom", "name": "patch"}, {"type": "web_search"}]},
         "required", ["patch"]),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"name": "get_weather"}]}, None,
         ["get_weather"]),
    ],
)  # fmt: skip
def test_tool_choice(choice: Any, expected: str | None, names: list[str]) -> None:
    body = body_of(tools=[WEATHER, CUSTOM], tool_choice=choice)
    chosen = body.get("tool_choice")
    assert expected == (chosen["function"]["name"] if isinstance(chosen, dict) else chosen)
    assert names == [tool["function"]["name"] for tool in body["tools"]]


def test_a_tool_of_a_namespace_is_chosen_by_both_names() -> None:
    namespace = {"type": "namespace", "name": "crm", "tools": [WEATHER]}
    choice = {"type": "function", "name": "get_weather", "namespace": "crm"}
    body = body_of(tools=[WEATHER, namespace], tool_choice=choice)
    assert body["tool_choice"]["function"]["name"] == "crm__get_weather"


def test_nothing_allowed_is_no_tools() -> None:
    choice = {"type": "allowed_tools", "mode": "required", "tools": []}
    assert more_than_plain(tools=[WEATHER], tool_choice=choice) == {}
