"""The official `openai` package as the client of a gateway that relays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from openai import APIStatusError, AsyncOpenAI, RateLimitError

from gateway.relay.relaying import TRANSPORTS, relayed
from turnwire.testing import Peer, Turns, answer, call, deltas, drop, error, reasoning

if TYPE_CHECKING:
    from gateway.support import Talk

pytestmark = [pytest.mark.interop, pytest.mark.io]

both = pytest.mark.parametrize("transport", TRANSPORTS)


def client_of(talking: Talk) -> AsyncOpenAI:
    return AsyncOpenAI(
        api_key="none",
        base_url=talking.gateway.base_url,
        max_retries=0,
        _strict_response_validation=True,
    )


@both
async def test_create_stream_and_socket(transport: str) -> None:
    script = [reasoning("Hm"), answer("Hello world"), call("f", {"x": 1}, call_id="call_1")]
    async with (
        Peer(lambda _: script) as peer,
        relayed(peer, transport=transport) as talking,
        client_of(talking) as client,
    ):
        created = await client.responses.create(model="any", input="x")
        assert created.output_text == "Hello world"
        async with client.responses.stream(model="any", input="x") as stream:
            events = [event async for event in stream]
            streamed = await stream.get_final_response()
        said = [event.delta for event in events if event.type == "response.output_text.delta"]
        assert "".join(said) == streamed.output_text == "Hello world"
        async with client.responses.connect() as connection:
            await connection.response.create(model="any", input="x")
            async for event in connection:
                if event.type == "response.completed":
                    assert event.response.output_text == "Hello world"
                    break
        assert [item.type for item in streamed.output] == ["reasoning", "message", "function_call"]
        assert peer.model_runs == 3


@both
async def test_the_tool_loop(transport: str) -> None:
    script = Turns([call("f", {"x": 1})], [answer("Done")])
    async with (
        Peer(script) as peer,
        relayed(peer, transport=transport, continues=True) as talking,
        client_of(talking) as client,
    ):
        first = await client.responses.create(model="any", input="word " * 500)
        (wanted,) = first.output
        assert wanted.type == "function_call"
        second = await client.responses.create(
            model="any",
            previous_response_id=first.id,
            input=[{"type": "function_call_output", "call_id": wanted.call_id, "output": "1"}],
        )
        assert second.output_text == "Done"
        assert (second.previous_response_id, peer.model_runs) == (first.id, 2)


@both
async def test_failures_are_the_sdks_exceptions(transport: str) -> None:
    too_many = error("rate_limit_exceeded", 429, headers={"retry-after": "3"})
    async with (
        Peer(Turns([too_many], [error("invalid_value", 400, param="text")])) as peer,
        relayed(peer, transport=transport) as talking,
        client_of(talking) as client,
    ):
        with pytest.raises(RateLimitError) as caught:
            await client.responses.create(model="any", input="x")
        assert caught.value.code == "rate_limit_exceeded"
        with pytest.raises(APIStatusError) as refused:
            await client.responses.create(model="any", input="x")
        assert (refused.value.status_code, refused.value.param) == (400, "text")
        assert peer.model_runs == 0


@both
async def test_what_breaks_off_is_a_failed_response(transport: str) -> None:
    async with (
        Peer(lambda _: [deltas(9), drop(after=8)]) as peer,
        relayed(peer, transport=transport) as talking,
        client_of(talking) as client,
    ):
        events: list[Any] = []
        async with client.responses.stream(model="any", input="x") as stream:
            events = [event async for event in stream]
        assert events[-1].type == "response.failed"
        assert events[-1].response.error.code == "server_error"
        assert peer.model_runs == 1
