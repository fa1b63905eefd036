"""A real model server behind the gateway: llama.cpp's, with a model that these tests make."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Literal

import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel

from interop.gateway.lab import KNOWN_STRANGERS
from interop.gateway.openai_scenarios import TERMINAL
from interop.gateway.programs import LlamaServer, Served, llama_server, turnwire_serve
from interop.gateway.recorder import recorder
from interop.gateway.shapes import strangers
from interop.gateway.tiny_model import CALL, CALLS, NAME, write_tiny_model
from turnwire.gateway.upstreams.detecting import Detected, detect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from interop.gateway.recorder import Recorder

pytestmark = [pytest.mark.interop, pytest.mark.io]

TOKENS: Final = 12
PARAMS: Final[Any] = {"model": NAME, "temperature": 0, "max_output_tokens": TOKENS}
# Without a limit it talks until its context is full: some seconds.
ENDLESS: Final[Any] = {"model": NAME, "temperature": 0}
# The closing handshake of a client that has not read everything waits for nothing.
GONE: Final[Any] = {"websocket_connection_options": {"close_timeout": 0.01}}
LONG: Final = 3000  # tokens; what is stopped says fewer


TOOL: Final[Any] = {
    "type": "function",
    "name": "choose",
    "parameters": {
        "type": "object",
        "properties": {"which": {"enum": ["this", "that"]}},
        "required": ["which"],
        "additionalProperties": False,
    },
}


class Choice(BaseModel):
    """What is asked for as JSON."""

    which: Literal["this", "that"]
    sure: bool


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaServer]:
    folder = tmp_path_factory.mktemp("llama")
    write_tiny_model(folder / "tiny.gguf")
    with llama_server(folder / "tiny.gguf", folder) as server:
        yield server


@pytest.fixture(scope="module", params=["auto", "chat", "responses"])
def served(
    request: pytest.FixtureRequest, llama: LlamaServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    options = ["--upstream", llama.url, "--kind", request.param]
    with turnwire_serve(tmp_path_factory.mktemp("serve"), *options) as gateway:
        yield gateway
        troubles = [line for line in gateway.log() if not line.startswith("INFO")]
    assert troubles == []


@asynccontextmanager
async def connected(served: Served) -> AsyncIterator[tuple[Recorder, AsyncOpenAI]]:
    """Give a client; in the end look at everything that was said to it."""
    async with (
        recorder(served.url) as between,
        AsyncOpenAI(
            api_key="k",
            base_url=f"{between.url}/v1",
            max_retries=0,
            _strict_response_validation=True,
        ) as client,
    ):
        yield between, client
    assert strangers(between) <= KNOWN_STRANGERS
    assert between.failures == []


async def terminal(connection: Any, **create: Any) -> Any:
    """Return the terminal event of a turn, which is created if there is anything to create it."""
    if create:
        await connection.send({"type": "response.create", **create})
    async for event in connection:
        if event.type in TERMINAL:
            return event
    raise AssertionError("the socket was closed before the terminal event")


async def respond(connection: Any, **create: Any) -> Any:
    """Return the response of a turn that succeeds."""
    return (await terminal(connection, **create)).response


async def said_to(llama: LlamaServer, *texts: str) -> tuple[str, int]:
    """Return what the server answers without a gateway, and how many tokens it was shown."""
    roles = ("user", "assistant") * len(texts)
    messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
    return await answered(llama, messages)


async def answered(llama: LlamaServer, messages: list[Any], **more: Any) -> tuple[str, int]:
    """Return the same for messages of any kind."""
    body = {"model": NAME, "messages": messages, "temperature": 0, "max_tokens": TOKENS, **more}
    answer = await llama.ask("/v1/chat/completions", body)
    return answer["choices"][0]["message"]["content"], answer["usage"]["prompt_tokens"]


async def test_it_is_recognized(llama: LlamaServer) -> None:
    found = await detect(llama.url)
    assert isinstance(found, Detected)
    assert (found.kind, found.server, found.models) == ("chat", "llama.cpp", (NAME,))
    assert await llama.said() == 0  # no model has run for that


async def test_each_way_to_ask_gives_the_answer_of_the_server(
    served: Served, llama: LlamaServer
) -> None:
    expected, shown = await said_to(llama, "Hello")
    assert len(expected.split()) == TOKENS
    async with connected(served) as (_, client):
        whole: Any = await client.responses.create(**PARAMS, input="Hello")
        events = [
            event
            async for event in await client.responses.create(**PARAMS, input="Hello", stream=True)
        ]
        streamed: Any = events[-1].response
        async with client.responses.connect() as connection:
            by_socket = await respond(connection, **PARAMS, input="Hello")
    for response in (whole, streamed, by_socket):
        assert response.output_text == expected
        assert response.usage.input_tokens == shown
        assert response.usage.output_tokens == TOKENS


async def test_a_chain_shows_the_server_everything(served: Served, llama: LlamaServer) -> None:
    async with connected(served) as (_, client), client.responses.connect() as connection:
        said: list[str] = []
        before: Any = {}
        for text in ("One", "Two", "Three", "Four"):
            response = await respond(connection, **PARAMS, **before, input=text)
            before = {"previous_response_id": response.id}
            said.append(text)
            expected, shown = await said_to(llama, *said)
            assert (response.output_text, response.usage.input_tokens) == (expected, shown)
            said.append(expected)
        whole: Any = await client.responses.create(**PARAMS, **before, input="Five")
    assert whole.output_text == (await said_to(llama, *said, "Five"))[0]


async def test_a_tool_is_called(served: Served, llama: LlamaServer) -> None:
    params = PARAMS | {"tools": [TOOL]}
    forced = params | {"tool_choice": "required", "max_output_tokens": 99, "logit_bias": CALL}
    async with connected(served) as (_, client), client.responses.connect() as connection:
        first = await respond(connection, **forced, input="Choose.")
        (call,) = first.output
        assert (call.type, call.name) == ("function_call", "choose")
        assert json.loads(call.arguments)["which"] in {"this", "that"}
        output = {"type": "function_call_output", "call_id": call.call_id, "output": "Well done."}
        second = await respond(connection, **params, input=[output], previous_response_id=first.id)
    function = {"name": call.name, "arguments": call.arguments}
    called = {"id": call.call_id, "type": "function", "function": function}
    messages: list[Any] = [
        {"role": "user", "content": "Choose."},
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "tool_call_id": call.call_id, "content": "Well done."},
    ]
    tool = {"type": "function", "function": {k: v for k, v in TOOL.items() if k != "type"}}
    assert second.output_text == (await answered(llama, messages, tools=[tool]))[0]


async def test_several_calls_at_once(served: Served) -> None:
    forced = PARAMS | {"tools": [TOOL], "tool_choice": "required", "max_output_tokens": 200}
    async with connected(served) as (_, client):
        stream: Any = await client.responses.create(
            **forced, input="Choose twice.", extra_body={"logit_bias": CALLS}, stream=True
        )
        events = [event async for event in stream]
    done = [event.item for event in events if event.type == "response.output_item.done"]
    assert [item.to_dict() for item in done] == [
        item.to_dict() for item in events[-1].response.output
    ]
    assert len({item.call_id for item in done}) == len(done) > 1
    deltas = dict.fromkeys(range(len(done)), "")
    for event in events:
        if event.type == "response.function_call_arguments.delta":
            deltas[event.output_index] += event.delta
    whole = [
        event.arguments for event in events if event.type == "response.function_call_arguments.done"
    ]
    assert list(deltas.values()) == whole == [item.arguments for item in done]


# Its /v1/responses does not look at `text.format`.
@pytest.mark.parametrize("served", ["auto", "chat"], indirect=True)
async def test_json_by_a_schema(served: Served) -> None:
    async with connected(served) as (_, client):
        params = PARAMS | {"max_output_tokens": 99}
        parsed = await client.responses.parse(**params, input="Which?", text_format=Choice)
    assert isinstance(parsed.output_parsed, Choice)


async def test_two_turns_run_side_by_side(served: Served, llama: LlamaServer) -> None:
    async with connected(served) as (_, client), client.responses.connect(**GONE) as connection:
        for lane in ("a", "b"):
            create: Any = {"type": "response.create", "stream_id": lane, "input": lane}
            await connection.send({**create, **ENDLESS})
        await llama.until_busy(2)
        deltas = dict.fromkeys("ab", 0)
        async for event in connection:
            if event.type == "response.output_text.delta":
                deltas[str(event.stream_id)] += 1
            if min(deltas.values()) > 9:
                break
    await llama.until_busy(0)


@pytest.mark.parametrize("way", ["socket", "stream", "whole", "cancel"])
async def test_a_turn_that_nobody_wants_is_stopped(
    way: str, served: Served, llama: LlamaServer
) -> None:
    before = await llama.said()
    async with connected(served) as (_, client):
        match way:
            case "socket":
                async with client.responses.connect(**GONE) as connection:
                    await connection.send({"type": "response.create", **ENDLESS, "input": "Talk"})
                    await _first_delta(connection)
            case "stream":
                stream: Any = await client.responses.create(**ENDLESS, input="Talk", stream=True)
                await _first_delta(stream)
                await stream.close()
            case "whole":
                waiting = asyncio.create_task(client.responses.create(**ENDLESS, input="Talk"))
                await llama.until_busy(1)
                waiting.cancel()
            case _:
                async with client.responses.connect() as connection:
                    await connection.send({"type": "response.create", **ENDLESS, "input": "Talk"})
                    created = await connection.recv()
                    await _first_delta(connection)
                    stopped = await client.responses.cancel(created.response.id)  # type: ignore[union-attr]
                    assert stopped.status == "cancelled"
                    assert (await terminal(connection)).response.status == "cancelled"
        await llama.until_busy(0)
    assert await llama.said() - before < LONG


async def _first_delta(events: Any) -> None:
    async for event in events:
        if event.type == "response.output_text.delta":
            return
    raise AssertionError("the turn ended before its first delta")


async def test_what_the_server_refuses_is_passed_on(served: Served) -> None:
    too_long = "word " * 9000
    async with connected(served) as (_, client), client.responses.connect() as connection:
        event = await terminal(connection, **PARAMS, input=too_long)
    assert (event.type, event.status) == ("error", 400)
    assert "context size" in event.error.message
