"""The official `openai` package as the client of the gateway: HTTP, SSE and WebSocket."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
from openai import (
    AsyncOpenAI,
    BadRequestError,
    NotFoundError,
    OpenAI,
    PermissionDeniedError,
    RateLimitError,
)

from gateway.support import Json, Puppet, function, until
from turnwire.gateway import Gateway, Settings
from turnwire.gateway.context import Prompt
from turnwire.gateway.upstreams import UpstreamFailed
from turnwire.gateway.upstreams.deltas import Delta, Finished

pytestmark = [pytest.mark.interop, pytest.mark.io]

WEATHER = function("get_weather", "Weather of a city", city={"type": "string"})


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway() as running:
        yield running


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(
        api_key="none", base_url=gateway.base_url, _strict_response_validation=True
    ) as connected:
        yield connected


async def terminal(connection: Any) -> Any:
    """Return the terminal event of the turn that was sent."""
    async for event in connection:
        if event.type in {"response.completed", "response.failed", "response.incomplete", "error"}:
            return event
    raise AssertionError("the socket closed before the terminal event")


async def test_create(client: AsyncOpenAI) -> None:
    response = await client.responses.create(model="any", input="Hello")
    assert response.output_text == 'You said: "Hello". The context holds 1 item.'
    assert response.usage is not None
    assert response.usage.total_tokens > 0


async def test_stream(client: AsyncOpenAI) -> None:
    async with client.responses.stream(model="any", input="WORDS 5") as stream:
        events = [event async for event in stream]
        response = await stream.get_final_response()
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == response.output_text == "one lane carries each turn"


async def test_the_tool_loop_by_previous_response_id(client: AsyncOpenAI) -> None:
    tools: Any = [WEATHER]
    first = await client.responses.create(model="any", input="The weather in Oslo?", tools=tools)
    (call,) = first.output
    assert call.type == "function_call"
    second = await client.responses.create(
        model="any",
        tools=tools,
        previous_response_id=first.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "rain"}],
    )
    assert second.output_text == "FINAL after tool: \nrain"


async def test_the_tool_loop_by_full_history_with_the_sdks_own_items(client: AsyncOpenAI) -> None:
    tools: Any = [WEATHER]
    history: list[Any] = [{"role": "user", "content": "The weather in Oslo?"}]
    first = await client.responses.create(model="any", input=history, tools=tools)
    history += first.output
    history += [
        {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
        for call in first.output
        if call.type == "function_call"
    ]
    second = await client.responses.create(model="any", input=history, tools=tools, store=False)
    assert second.output_text == "FINAL after tool: \nrain"


async def test_a_refusal_is_the_sdks_exception(client: AsyncOpenAI) -> None:
    with pytest.raises(BadRequestError) as caught:
        await client.responses.create(model="any", input="x", previous_response_id="resp_unknown")
    assert (
        caught.value.code,
        caught.value.param,
    ) == ("previous_response_not_found", "previous_response_id")
    with pytest.raises(PermissionDeniedError):
        await client.responses.create(
            model="any", input="x", extra_headers={"Origin": "https://example.com"}
        )


async def test_retrieve(client: AsyncOpenAI) -> None:
    response = await client.responses.create(model="any", input="Hello")
    again = await client.responses.retrieve(response.id)
    assert again.to_dict() == response.to_dict()


async def test_retrieve_as_a_stream(client: AsyncOpenAI) -> None:
    created = await client.responses.create(model="any", input="WORDS 5", stream=True)
    events = [event async for event in created]
    response_id = events[0].response.id  # type: ignore[union-attr]
    for after in (None, 0, 6, len(events) - 2, len(events) - 1):
        more: Any = {} if after is None else {"starting_after": after}
        again = await client.responses.retrieve(response_id, stream=True, **more)
        assert [event async for event in again] == events[0 if after is None else after + 1 :]


async def test_the_streaming_helper_resumes(client: AsyncOpenAI) -> None:
    created = await client.responses.create(model="any", input="WORDS 5")
    async with client.responses.stream(response_id=created.id, starting_after=5) as stream:
        numbers = [event.sequence_number async for event in stream]
        response = await stream.get_final_response()
    assert numbers == list(range(6, numbers[-1] + 1))
    assert response.output_text == created.output_text


async def test_delete(client: AsyncOpenAI) -> None:
    response = await client.responses.create(model="any", input="Hello")
    await client.responses.delete(response.id)
    for stream in (False, True):
        with pytest.raises(NotFoundError, match="No response with this id"):
            await client.responses.retrieve(response.id, stream=stream)
    with pytest.raises(NotFoundError):
        await client.responses.delete(response.id)


async def test_input_items_page_by_page(client: AsyncOpenAI) -> None:
    texts = [f"item {number}" for number in range(5)]
    response = await client.responses.create(
        model="any", input=[{"role": "user", "content": text} for text in texts]
    )
    page = client.responses.input_items.list(response.id, limit=2, order="asc")
    items: list[Any] = [item async for item in page]
    assert [item.content[0].text for item in items] == texts


async def test_cancel(client: AsyncOpenAI) -> None:
    stream = await client.responses.create(model="any", input="PACE 0.01\nWORDS 999", stream=True)
    created: Any = await anext(aiter(stream))
    cancelled = await client.responses.cancel(created.response.id)
    assert cancelled.status == "cancelled"
    (*_, last) = [event async for event in stream]
    assert last.type == "response.incomplete"
    assert last.response.to_dict() == cancelled.to_dict()
    done = await client.responses.create(model="any", input="Hello")
    with pytest.raises(BadRequestError, match="Cannot cancel"):
        await client.responses.cancel(done.id)


async def test_compact_and_a_new_chain(gateway: Gateway) -> None:
    said: Any = [
        {"role": "user", "content": "The code word is slate."},
        {"role": "assistant", "content": "OK."},
    ]
    async with AsyncOpenAI(api_key="none", base_url=gateway.base_url) as client:
        compaction = await client.responses.compact(model="any", input=said)
        assert compaction.object == "response.compaction"
        # The SDK's type of the list knows no message of a user's.
        window: list[Any] = [item.to_dict(warnings=False) for item in compaction.output]
        assert [item["type"] for item in window] == ["message", "compaction"]
        window.append({"role": "user", "content": "Hello"})
        answer = await client.responses.create(model="any", input=window)
        assert answer.output_text == 'You said: "Hello". The context holds 3 items.'


async def test_another_key_retrieves_nothing(client: AsyncOpenAI) -> None:
    response = await client.responses.create(model="any", input="Hello")
    other = client.with_options(api_key="other")
    with pytest.raises(NotFoundError):
        await other.responses.retrieve(response.id)
    with pytest.raises(NotFoundError):
        await other.responses.delete(response.id)
    assert (await client.responses.retrieve(response.id)).id == response.id


async def test_an_unanswered_call_is_the_sdks_exception(client: AsyncOpenAI) -> None:
    first = await client.responses.create(model="any", input="CALL f {}")
    with pytest.raises(BadRequestError, match="No tool output found for function call") as caught:
        await client.responses.create(model="any", input="go on", previous_response_id=first.id)
    assert (caught.value.code, caught.value.param) == (None, "input")


class Limited:
    """An upstream that refuses every turn."""

    models = ("limited",)

    def __init__(self) -> None:
        self.asked = 0

    async def generate(self, prompt: Prompt) -> AsyncGenerator[Delta]:
        self.asked += 1
        raise UpstreamFailed(
            "Too much.",
            status=429,
            code="rate_limit_exceeded",
            kind="rate_limit_error",
            headers={"retry-after": "7"},
        )
        yield Finished()


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "document"])
async def test_a_limit_of_the_upstream_is_the_sdks_exception(*, stream: bool) -> None:
    limited = Limited()
    async with (
        Gateway(upstream=limited) as gateway,
        AsyncOpenAI(api_key="none", base_url=gateway.base_url, max_retries=0) as client,
    ):
        with pytest.raises(RateLimitError, match=r"Too much\.") as caught:
            await client.responses.create(model="any", input="x", stream=stream)
    error = caught.value
    assert (error.code, error.response.headers["retry-after"]) == ("rate_limit_exceeded", "7")
    assert limited.asked == 1


async def test_a_socket_that_is_lost_is_resumed_over_http() -> None:
    puppet = Puppet()
    async with (
        Gateway(settings=Settings(port=0, linger=600), upstream=puppet) as gateway,
        AsyncOpenAI(api_key="none", base_url=gateway.base_url) as client,
    ):
        async with client.responses.connect() as connection:
            await connection.response.create(model="any", input="x")
            run = await puppet.run()
            run.say("one ")
            events: list[Any] = [await connection.recv()]
            while events[-1].type != "response.output_text.delta":
                events.append(await connection.recv())
        await until(lambda: gateway.statistics().sockets_open == 0)
        run.finish("two")
        response_id, last = events[0].response.id, events[-1].sequence_number
        rest = await client.responses.retrieve(response_id, stream=True, starting_after=last)
        events += [event async for event in rest]
        assert [event.sequence_number for event in events] == list(range(len(events)))
        assert events[-1].response.output_text == "one two"
        assert gateway.statistics().model_runs == 1
        assert gateway.statistics().model_runs_stopped == 0


async def test_models(client: AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == ["turnwire-demo"]


async def test_connect_and_a_chain(client: AsyncOpenAI, gateway: Gateway) -> None:
    async with client.responses.connect() as connection:
        await connection.response.create(model="any", input="CALL f {}", store=False)
        first = (await terminal(connection)).response
        await connection.response.create(
            model="any",
            store=False,
            previous_response_id=first.id,
            input=[
                {
                    "type": "function_call_output",
                    "call_id": first.output[0].call_id,
                    "output": "42",
                }
            ],
        )
        assert (await terminal(connection)).response.output_text == "FINAL after tool: \n42"
    assert gateway.statistics().sockets == 1


async def test_connect_and_the_errors(client: AsyncOpenAI) -> None:
    async with client.responses.connect() as connection:
        await connection.response.create(model="any", input="x", previous_response_id="resp_none")
        event = await terminal(connection)
        assert (
            event.type,
            event.status,
            event.error.code,
        ) == ("error", 400, "previous_response_not_found")
        await connection.response.create(model="any", input="x")
        assert (await terminal(connection)).type == "response.completed"


async def test_connect_and_a_warm_up(client: AsyncOpenAI) -> None:
    async with client.responses.connect() as connection:
        await connection.send(
            {"type": "response.create", "model": "any", "input": "Hello", "generate": False}
        )
        warm = (await terminal(connection)).response
        await connection.response.create(model="any", input=[], previous_response_id=warm.id)
        answer = (await terminal(connection)).response
        assert answer.output_text == 'You said: "Hello". The context holds 1 item.'


async def test_connect_and_lanes_side_by_side(client: AsyncOpenAI) -> None:
    async with client.responses.connect() as connection:
        lanes = [f"lane-{number}" for number in range(20)]
        for lane in lanes:
            create: Json = {"type": "response.create", "model": "any", "input": lane}
            await connection.send({**create, "stream_id": lane})  # type: ignore[arg-type]
        texts: dict[str, str] = {}
        while len(texts) < len(lanes):
            event = await terminal(connection)
            texts[event.stream_id] = event.response.output_text
    assert texts == {lane: f'You said: "{lane}". The context holds 1 item.' for lane in lanes}


def everything_blocking(base_url: str) -> tuple[str, str, str]:
    with OpenAI(api_key="none", base_url=base_url) as client:
        response = client.responses.create(model="any", input="WORDS 2")
        created = response.output_text
        again = client.responses.retrieve(response.id, stream=True, starting_after=3)
        numbers = [event.sequence_number for event in again]
        assert numbers == list(range(4, len(numbers) + 4))
        client.responses.delete(response.id)
        with client.responses.stream(model="any", input="WORDS 3") as stream:
            streamed = stream.get_final_response().output_text
        with client.responses.connect() as connection:
            connection.response.create(model="any", input="WORDS 4")
            for event in connection:
                if event.type == "response.completed":
                    return created, streamed, event.response.output_text
    raise AssertionError("the socket closed before the terminal event")


async def test_the_blocking_client(gateway: Gateway) -> None:
    said = await asyncio.to_thread(everything_blocking, gateway.base_url)
    assert said == ("one lane", "one lane carries", "one lane carries each")
