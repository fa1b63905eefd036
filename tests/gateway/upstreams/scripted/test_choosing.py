"""Which function the scripted model calls."""

from typing import Any

import pytest

from gateway.support import function
from turnwire.gateway.input.parameters import Parameters
from turnwire.gateway.upstreams.scripted.choosing import (
    chosen_call,
    must_call,
    usable_functions,
)

STRING = {"type": "string"}
FILES = [
    {
        "type": "function",
        "name": "list_files",
        "description": "List the files below a folder.",
        "parameters": {"type": "object", "properties": {"path": STRING}},
    },
    function("read_file", "Read a text file.", path=STRING),
    {
        "type": "function",
        "name": "search_text",
        "description": "Search all files for a text.",
        "parameters": {
            "type": "object",
            "properties": {"text": STRING, "path": STRING},
            "required": ["text"],
        },
    },
]
OTHERS = [
    function("get_weather", "Current temperature for a location.", location=STRING),
    function("send_email", "Send an email", to=STRING, subject=STRING, body=STRING),
    function("add", "Add two numbers", a={"type": "number"}, b={"type": "number"}),
]


def chosen(
    tools: list[dict[str, Any]], prompt: str, *, forced: bool = False
) -> tuple[str, str] | None:
    call = chosen_call({tool["name"]: tool for tool in tools}, prompt, forced=forced)
    return call and (call.name, call.arguments)


@pytest.mark.parametrize(
    ("prompt", "call"),
    [
        ("List the files here", ("list_files", "{}")),
        ("Which files are there?", ("list_files", "{}")),
        ("Show me the folder src/turnwire", ("list_files", '{"path":"src/turnwire"}')),
        ("Read README.md", ("read_file", '{"path":"README.md"}')),
        ("What does pyproject.toml say?", ("read_file", '{"path":"pyproject.toml"}')),
        ('Search for "TODO" in src/', ("search_text", '{"text":"TODO","path":"src/"}')),
        ("Where is `encode` defined?", ("search_text", '{"text":"encode"}')),
        ("Hello, who are you?", None),
        ("What is this project about?", None),
    ],
)
def test_file_tools(prompt: str, call: tuple[str, str] | None) -> None:
    assert chosen(FILES, prompt) == call


@pytest.mark.parametrize(
    ("prompt", "call"),
    [
        ("What's the weather in Paris?", ("get_weather", '{"location":"Paris"}')),
        ("What is the temperature in Oslo?", ("get_weather", '{"location":"Oslo"}')),
        ("Add 2 and 3.5", ("add", '{"a":2,"b":3.5}')),
        (
            'Send an email to ada@example.com with subject "Hi" and body "Bye"',
            ("send_email", '{"to":"ada@example.com","subject":"Hi","body":"Bye"}'),
        ),
        ("Tell me a joke", None),
    ],
)
def test_other_tools(prompt: str, call: tuple[str, str] | None) -> None:
    assert chosen(OTHERS, prompt) == call


def test_one_that_must_call_takes_the_best_or_the_first() -> None:
    assert chosen(OTHERS, "Tell me a joke", forced=True) == (
        "get_weather",
        '{"location":"Tell me a joke"}',
    )
    assert chosen(OTHERS, "Please add", forced=True) == ("add", '{"a":0,"b":0}')
    assert chosen([], "Tell me a joke", forced=True) is None


def parameters(tool_choice: Any) -> Parameters:
    other = {"type": "custom", "name": "grammar"}
    return Parameters(model="m", tools=[*OTHERS, other], tool_choice=tool_choice)


@pytest.mark.parametrize(
    ("tool_choice", "names", "forced"),
    [
        ("auto", ["get_weather", "send_email", "add"], False),
        ("none", [], False),
        ("required", ["get_weather", "send_email", "add"], True),
        ({"type": "function", "name": "add"}, ["add"], True),
        ({"type": "function", "name": "unknown"}, ["unknown"], True),
        (
            {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "add"}],
            },
            ["add"],
            False,
        ),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"name": "add"}, 5]},
            ["add"],
            True,
        ),
        ({"type": "web_search"}, ["get_weather", "send_email", "add"], False),
    ],
)
def test_the_choice_of_tools(tool_choice: Any, names: list[str], *, forced: bool) -> None:
    asked = parameters(tool_choice)
    assert (names, forced) == ([*usable_functions(asked)], must_call(asked))
