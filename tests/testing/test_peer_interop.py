"""The real openai package finds nothing to complain about in the peer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai.types.responses import ResponsesServerEvent
from pydantic import TypeAdapter

from turnwire.testing import (
    Create,
    Gate,
    Peer,
    Step,
    Turns,
    accept,
    answer,
    call,
    error,
    failed,
    incomplete,
    reasoning,
    reject,
    wait,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.io, pytest.mark.interop]


def client_of(peer: Peer) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key="k", base_url=peer.base_url, max_retries=0)


async def until_terminal(connection: Any) -> AsyncIterator[Any]:
    async for event in connection:
        yield event
        if event.type in ("response.completed", "error"):
            return


def tool_then_text(create: Create) -> list[Step]:
    if create.number == 1:
        return [reasoning("Look it up."), call("look", {"at": "it"})]
    return [answer("It is there.")]


async def test_a_tool_loop_over_websocket() -> None:
    async with Peer(tool_then_text) as peer, client_of(peer) as client:
        async with client.responses.connect() as connection:
            await connection.response.create(model="m", input="Where?")
            first = [event async for event in until_terminal(connection)][-1].response
            output: Any = {
                "type": "function_call_output",
                "call_id": first.output[1].call_id,
                "output": "there",
            }
            await connection.response.create(
                model="m", input=[output], previous_response_id=first.id
            )
            last = [event async for event in until_terminal(connection)][-1].response
        assert (last.output_text, peer.model_runs) == ("It is there.", 2)
        assert peer.handshakes[0]["Authorization"] == "Bearer k"


@pytest.mark.parametrize(
    "end", [[], [failed("server_error")], [incomplete("content_filter")], [error("x", 500)]]
)
async def test_every_event_satisfies_the_models_of_the_package(end: list[Step]) -> None:
    steps: list[Step] = [reasoning("Hm."), answer("So."), call("f", {"a": 1}), *end]
    strict: TypeAdapter[Any] = TypeAdapter(ResponsesServerEvent)
    async with Peer(Turns(steps)) as peer, client_of(peer) as client:
        async with client.responses.connect() as connection:
            await connection.send({"type": "response.create", "model": "m", "stream_id": "a"})
            await peer.wait_until(lambda: peer.model_runs == 1)
            while (await connection.recv()).type not in (
                "response.completed",
                "response.failed",
                "response.incomplete",
                "error",
            ):
                pass
        for event in peer.connections[0].sent:
            parsed = strict.validate_python(event)
            assert event["type"] == parsed.type
            assert (parsed.model_extra or {}) == {}, parsed.type


async def test_every_steer_event_satisfies_the_models_of_the_package() -> None:
    gate = Gate()
    script = Turns([answer("a"), wait(gate, after="response.created")], [call("f", {})])
    steers = iter([[accept()], [accept(), reject("successor_creation_failed")], [accept()]])
    strict: TypeAdapter[Any] = TypeAdapter(ResponsesServerEvent)
    async with Peer(script, steer=lambda steer: next(steers)) as peer, client_of(peer) as client:
        async with client.responses.connect() as connection:
            await connection.send({"type": "response.create", "model": "m", "stream_id": "a"})
            await gate.wait_reached()
            for _ in range(2):
                message = {"type": "response.steer", "previous_response_id": "resp_1"}
                await connection.send(message | {"input": "left"})
            await peer.wait_until(lambda: len(peer.connections[0].received) == 3)
            gate.open()
            while (await connection.recv()).type != "response.completed":
                pass
            message = {"type": "response.steer", "previous_response_id": "resp_2"}
            await connection.send(message | {"input": "right"})
            while (await connection.recv()).type != "response.steer.pending":
                pass
        kinds = set()
        for event in peer.connections[0].sent:
            parsed = strict.validate_python(event)
            kinds.add(parsed.type)
            assert event["type"] == parsed.type
            assert (parsed.model_extra or {}) == {}, parsed.type
    steering = {f"response.steer.{end}" for end in ("accepted", "failed", "pending")}
    assert steering <= kinds


async def test_an_error_event_is_understood() -> None:
    async with Peer() as peer, client_of(peer) as client:
        async with client.responses.connect() as connection:
            await connection.response.create(model="m", previous_response_id="nobody")
            event: Any = await connection.recv()
        assert (event.error.code, event.status) == ("previous_response_not_found", 400)


async def test_http_streaming_and_whole() -> None:
    async with Peer() as peer, client_of(peer) as client:
        whole = await client.responses.create(model="m", input="hello")
        stream = await client.responses.create(model="m", input="hello", stream=True)
        last: Any = [event async for event in stream][-1]
        assert (whole.output_text, last.response.output_text) == ("hello", "hello")


async def test_http_errors_become_the_exceptions_of_the_package() -> None:
    step = error("rate_limit_exceeded", 429, headers={"retry-after": "1"})
    async with Peer(lambda create: [step]) as peer, client_of(peer) as client:
        with pytest.raises(openai.RateLimitError) as caught:
            await client.responses.create(model="m", input="x")
        assert (
            caught.value.code,
            caught.value.response.headers["retry-after"],
        ) == ("rate_limit_exceeded", "1")
