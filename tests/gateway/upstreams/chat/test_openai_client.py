"""The official client over both transports, in front of a chat completions server."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from openai import AsyncOpenAI, RateLimitError

from gateway.support import function
from gateway.upstreams.chat.support import CUSTOM, DONE, ChatServer, called, chat_server, said
from turnwire.gateway import Gateway
from turnwire.gateway.upstreams.chat import ChatUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.interop, pytest.mark.io]

WEATHER = function("get_weather", "Weather of a city", city={"type": "string"})
USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[ChatServer, AsyncOpenAI]]:
    async with (
        chat_server() as server,
        Gateway(upstream=ChatUpstream(server.url)) as gateway,
        AsyncOpenAI(
            api_key="none",
            base_url=gateway.base_url,
            max_retries=0,
            _strict_response_validation=True,
        ) as client,
    ):
        yield server, client


def says_hello(server: ChatServer) -> None:
    server.says(
        said(role="assistant", reasoning_content="Hm."),
        said(content="Hel"),
        said(content="lo."),
        said("stop"),
        {"choices": [], "usage": USAGE},
        DONE,
    )


def calls(server: ChatServer) -> None:
    server.says(
        called(index=0, id="c1", name="get_weather", arguments=""),
        called(index=0, arguments='{"city":"Oslo"}'),
        called(index=1, id="c2", name="patch", arguments='{"input":"*** '),
        called(index=1, arguments='Begin"}'),
        said("tool_calls"),
        DONE,
    )


TOOLS: Any = [WEATHER, CUSTOM, {"type": "web_search"}]
OUTPUTS: Any = [
    {"type": "function_call_output", "call_id": "c1", "output": "rain"},
    {"type": "custom_tool_call_output", "call_id": "c2", "output": "ok"},
]
CHAT = [
    {"role": "user", "content": "Weather?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "c1",
                "type": "function",
                "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'},
            },
            {
                "id": "c2",
                "type": "function",
                "function": {"name": "patch", "arguments": '{"input":"*** Begin"}'},
            },
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "rain"},
    {"role": "tool", "tool_call_id": "c2", "content": "ok"},
]


async def test_post() -> None:
    async with connected() as (server, client):
        says_hello(server)
        response = await client.responses.create(model="m", input="hi")
        assert response.output_text == "Hello."
        assert response.usage is not None
        assert response.usage.total_tokens == 13
        (reasoning, _) = response.output
        assert reasoning.type == "reasoning"
        assert reasoning.content is not None
        assert reasoning.content[0].text == "Hm."


async def test_the_tool_loop_by_post() -> None:
    async with connected() as (server, client):
        calls(server)
        says_hello(server)
        async with client.responses.stream(model="m", input="Weather?", tools=TOOLS) as stream:
            types = [event.type async for event in stream]
            first = await stream.get_final_response()
        assert "response.custom_tool_call_input.done" in types
        second = await client.responses.create(
            model="m", input=OUTPUTS, previous_response_id=first.id, tools=TOOLS
        )
        assert second.output_text == "Hello."
        assert server.asked[1]["messages"] == CHAT
        assert [tool["function"]["name"] for tool in server.asked[1]["tools"]] == [
            "get_weather",
            "patch",
        ]
        assert [tool.type for tool in second.tools] == ["function", "custom", "web_search"]


async def test_the_tool_loop_by_websocket() -> None:
    async with connected() as (server, client), client.responses.connect() as connection:
        calls(server)
        says_hello(server)
        await connection.response.create(model="m", input="Weather?", tools=TOOLS, store=False)
        first = await terminal(connection)
        assert [item.type for item in first.response.output] == [
            "function_call",
            "custom_tool_call",
        ]
        await connection.response.create(
            model="m",
            input=OUTPUTS,
            previous_response_id=first.response.id,
            tools=TOOLS,
            store=False,
        )
        second = await terminal(connection)
        assert second.response.output_text == "Hello."
        assert server.asked[1]["messages"] == CHAT


async def test_the_servers_refusal_is_the_clients_exception() -> None:
    async with connected() as (server, client):
        server.refuses(429, {"error": {"message": "Slow down.", "code": "rate_limit_exceeded"}})
        with pytest.raises(RateLimitError, match="Slow down"):
            await client.responses.create(model="m", input="hi")


async def terminal(connection: Any) -> Any:
    """Return the terminal event of the turn that was sent."""
    async for event in connection:
        if event.type in {"response.completed", "response.failed", "response.incomplete", "error"}:
            return event
    raise AssertionError("the socket closed before the terminal event")
