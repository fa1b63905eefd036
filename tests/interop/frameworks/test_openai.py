"""The official SDK cannot tell a socket from HTTP: answers, events, errors, retries, timeouts."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

import turnwire
from interop.frameworks.both_ways import ASK, always, by_both_ways
from interop.frameworks.lab import Bench, Way, sdk_library
from turnwire.testing import (
    Gate,
    Peer,
    Turns,
    answer,
    call,
    drop,
    emit,
    failed,
    incomplete,
    reasoning,
    silence,
    wait,
)

if TYPE_CHECKING:
    from turnwire.testing import Step

pytestmark = pytest.mark.interop

HTTP: Any = import_module(sdk_library())
ANSWERS: dict[str, list[Step]] = {
    "text": [answer("Grüße, 世界")],
    "reasoning and calls": [
        reasoning("Hm.", encrypted_content="e"),
        call("look_up", {"city": "Ålesund"}, call_id="call_1"),
        call("look_up", '{ "city": "Bø" }', call_id="call_2"),
    ],
    "incomplete": [answer("Half"), incomplete("max_output_tokens")],
    "failed": [answer("Half"), failed("server_error")],
    "an event that nobody knows": [emit("response.novelty", value=1), answer("Hi")],
    "nothing": [],
}


async def _read_into(said: list[str], stream: Any) -> None:
    async for event in stream:
        said.append(event.type)  # noqa: PERF401  # what comes before an error counts


# Answers


@pytest.mark.parametrize("steps", ANSWERS.values(), ids=ANSWERS)
async def test_a_response_has_the_same_members(steps: list[Step]) -> None:
    async def ask(client: AsyncOpenAI) -> Any:
        return (await client.responses.create(**ASK)).to_dict()

    plain, ours = await by_both_ways(ask, always(*steps))
    assert ours == plain


@pytest.mark.parametrize("steps", ANSWERS.values(), ids=ANSWERS)
async def test_a_stream_has_the_same_events(steps: list[Step]) -> None:
    async def ask(client: AsyncOpenAI) -> Any:
        stream = await client.responses.create(**ASK, stream=True)
        return [(type(event), event.to_dict()) async for event in stream]

    plain, ours = await by_both_ways(ask, always(*steps))
    assert ours == plain


async def test_an_answer_has_the_same_headers_apart_from_one() -> None:
    async def ask(client: AsyncOpenAI) -> Any:
        one = await client.responses.with_raw_response.create(**ASK)
        many = await client.responses.with_raw_response.create(**ASK, stream=True)
        assert [event async for event in many.parse()]
        return [(each.status_code, each.headers) for each in (one, many)]

    plain, ours = await by_both_ways(ask, always(answer("Hi")))
    for (status, headers), (other, others) in zip(plain, ours, strict=True):
        assert other == status == 200
        kinds = [each["content-type"].partition(";")[0] for each in (headers, others)]
        assert kinds[0] == kinds[1]
        assert others["x-turnwire-transport"] == "websocket"


# Time


async def test_silence_is_a_timeout() -> None:
    async def ask(client: AsyncOpenAI) -> Any:
        with pytest.raises(openai.APITimeoutError) as caught:
            await client.responses.create(**ASK, timeout=0.1)
        with pytest.raises(openai.APITimeoutError):
            await client.responses.create(**ASK, timeout=0.1, stream=True)
        return str(caught.value), type(caught.value.__cause__)

    plain, ours = await by_both_ways(ask, always(silence()))
    assert ours == plain


async def test_silence_in_the_middle_of_a_stream_is_a_timeout_too() -> None:
    async def ask(client: AsyncOpenAI) -> Any:
        stream = await client.responses.create(**ASK, timeout=0.2, stream=True)
        said: list[str] = []
        with pytest.raises(Exception, match=r".*") as caught:
            await _read_into(said, stream)
        return said, type(caught.value)

    steps = (answer("Hello world"), silence(after="response.output_text.delta"))
    plain, ours = await by_both_ways(ask, always(*steps))
    assert ours == plain
    assert "response.output_text.delta" in plain[0]


# The way


async def test_a_stream_that_is_cut_off_does_not_end_well() -> None:
    async def ask(client: AsyncOpenAI) -> Any:
        stream = await client.responses.create(**ASK, stream=True)
        said: list[str] = []
        # Older SDKs let the library's own errors through.
        lost = (openai.APIConnectionError, HTTP.ReadError, HTTP.RemoteProtocolError)
        with pytest.raises(lost) as caught:
            await _read_into(said, stream)
        return said, isinstance(caught.value, openai.APIConnectionError)

    steps = (answer("Hello world"), drop(after="response.output_text.delta"))
    plain, ours = await by_both_ways(ask, always(*steps))
    assert ours == plain


async def test_no_server_is_a_connection_error() -> None:
    async with Peer() as peer:
        gone = peer.base_url
    for way in Way:
        bench = Bench(gone, way)
        async with AsyncOpenAI(
            **bench.server, http_client=bench.http_client(), max_retries=0
        ) as client:
            with pytest.raises(openai.APIConnectionError) as caught:
                await client.responses.create(**ASK)
        assert type(caught.value) is openai.APIConnectionError
        assert isinstance(caught.value.__cause__, HTTP.ConnectError)


async def test_a_stream_that_is_left_does_not_answer_the_next_turn() -> None:
    async def ask(client: AsyncOpenAI) -> Any:
        async with await client.responses.create(**ASK, stream=True) as stream:
            async for event in stream:
                if event.type == "response.output_text.delta":
                    break
        return event.delta, (await client.responses.create(**ASK)).output_text

    gate = Gate()
    left: list[Step] = [
        answer("Hello world"),
        wait(gate, after="response.output_text.delta"),
    ]
    plain, ours = await by_both_ways(ask, lambda: Turns(left, [answer("Again.")]))
    assert ours == plain == ("Hello", "Again.")


async def test_a_turn_that_is_cancelled_does_not_answer_the_next_one() -> None:
    gates: list[Gate] = []

    def script() -> Turns:
        gates.append(Gate())
        return Turns([wait(gates[-1]), answer("Late.")], [answer("Again.")])

    async def ask(client: AsyncOpenAI) -> Any:
        asking = asyncio.create_task(client.responses.create(**ASK))
        await gates[-1].wait_reached()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        return (await client.responses.create(**ASK)).output_text

    assert await by_both_ways(ask, script) == ["Again.", "Again."]


def test_the_blocking_client_leaves_a_stream_as_well() -> None:
    for way in Way:
        gate = Gate()
        left: list[Step] = [
            answer("Hello world"),
            wait(gate, after="response.output_text.delta"),
        ]
        with Peer(Turns(left, [answer("Again.")])) as peer:
            bench = Bench(peer.base_url, way)
            http_client = bench.http_client(blocking=True)
            with OpenAI(**bench.server, http_client=http_client) as client:
                with client.responses.create(**ASK, stream=True) as stream:
                    for event in stream:
                        if event.type == "response.output_text.delta":
                            break
                said = client.responses.create(**ASK).output_text
            gate.open()
        assert (event.delta, said) == ("Hello", "Again.")


async def test_the_clients_that_turnwire_makes_are_those_of_the_sdk() -> None:
    async with (
        Peer(lambda _: [answer("Hi")]) as peer,
        turnwire.async_openai_client(base_url=peer.base_url, api_key="k") as client,
    ):
        assert isinstance(client, AsyncOpenAI)
        assert (await client.responses.create(**ASK)).output_text == "Hi"
    with (
        Peer(lambda _: [answer("Hi")]) as other,
        turnwire.openai_client(base_url=other.base_url, api_key="k") as blocking,
    ):
        assert isinstance(blocking, OpenAI)
        assert blocking.responses.create(**ASK).output_text == "Hi"
    assert peer.posts == other.posts == []
