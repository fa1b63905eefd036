"""The official SDK: each way that it has to create a response, async and not."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from interop.gateway.lab import (
    BYE,
    BYE_DONE,
    ERRAND,
    ERRAND_CALLS,
    ERRAND_DONE,
    TWO_ERRANDS,
    Bench,
    Scenario,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LANES: Final = 16
TERMINAL: Final = {"response.completed", "response.incomplete", "response.failed", "error"}


def _function(name: str, **properties: str) -> dict[str, Any]:
    return {
        "type": "function",
        "name": name,
        "parameters": {
            "type": "object",
            "properties": {name: {"type": kind} for name, kind in properties.items()},
            "required": list(properties),
            "additionalProperties": False,
        },
        "strict": True,
    }


PARAMS: Final[Any] = {
    "model": "words",
    "instructions": "Do what you are told.",
    "tools": [_function("add", a="integer", b="integer"), _function("weather", city="string")],
}
REASONING: Final[Any] = {"effort": "low", "summary": "auto"}


class Visit(BaseModel):
    """What is asked for as JSON."""

    city: str
    count: int


VISIT: Final = "city: Ålesund\ncount: 3"


def outputs(bench: Bench, response: Any) -> list[Any]:
    """Return the outputs of all calls of a response."""
    return [
        {
            "type": "function_call_output",
            "call_id": item.call_id,
            "output": bench.do(item.name, json.loads(item.arguments)),
        }
        for item in response.output
        if item.type == "function_call"
    ]


# One turn, in each way that the SDK has


async def _create(client: AsyncOpenAI, **params: Any) -> Any:
    return await client.responses.create(**params)


async def _events(client: AsyncOpenAI, **params: Any) -> Any:
    events = [event async for event in await client.responses.create(**params, stream=True)]
    return events[-1].response  # type: ignore[union-attr]


async def _stream(client: AsyncOpenAI, **params: Any) -> Any:
    async with client.responses.stream(**params) as stream:
        said = [event.delta async for event in stream if event.type == "response.output_text.delta"]
        response = await stream.get_final_response()
    assert "".join(said) == response.output_text
    return response


def _create_blocking(client: OpenAI, **params: Any) -> Any:
    return client.responses.create(**params)


def _stream_blocking(client: OpenAI, **params: Any) -> Any:
    with client.responses.stream(**params) as stream:
        return stream.get_final_response()


async def _on_socket(connection: Any, lane: str | None = None, **params: Any) -> Any:
    create = {"type": "response.create", **params} | ({"stream_id": lane} if lane else {})
    await connection.send(create)
    async for event in connection:
        if event.type in TERMINAL:
            return event.response
    raise AssertionError("the socket was closed before the terminal event")


# The loops


async def by_id(bench: Bench, ask: Callable[..., Awaitable[Any]], **params: Any) -> Any:
    """Do both things as one chain, by ``previous_response_id``."""
    said = []
    response: Any = None
    for text in (ERRAND, BYE):
        given: Any = text
        while given:
            before = {"previous_response_id": response.id} if response else {}
            response = await ask(**PARAMS, **params, **before, input=given)
            given = outputs(bench, response)
        said.append(response.output_text)
    return tuple(said)


async def by_history(
    bench: Bench, ask: Callable[..., Awaitable[Any]], texts: Any = (ERRAND, BYE), **params: Any
) -> Any:
    """Do both things with the whole history each time, and nothing stored."""
    said, history = [], list[Any]()
    for text in texts:
        given: Any = [{"role": "user", "content": text}]
        while given:
            history += given
            response = await ask(**PARAMS, **params, store=False, input=history)
            history += response.output
            given = outputs(bench, response)
        said.append(response.output_text)
    return tuple(said)


async def thinking(bench: Bench, ask: Callable[..., Awaitable[Any]]) -> Any:
    """Twice the errand, with thoughts that go back and forth."""
    return await by_history(bench, ask, (ERRAND, ERRAND), reasoning=REASONING)


def _http(loop: Any, turn: Any) -> Any:
    async def play(bench: Bench) -> Any:
        async with AsyncOpenAI(**bench.server, _strict_response_validation=True) as client:

            async def ask(**params: Any) -> Any:
                return await turn(client, **params)

            return await loop(bench, ask)

    return play


def _http_blocking(loop: Any, turn: Any) -> Any:
    def play(bench: Bench) -> Any:
        with OpenAI(**bench.server, _strict_response_validation=True) as client:

            async def ask(**params: Any) -> Any:
                return turn(client, **params)

            return asyncio.run(loop(bench, ask))

    return play


async def connect(bench: Bench) -> Any:
    async with (
        AsyncOpenAI(**bench.server) as client,
        client.responses.connect() as connection,
    ):

        async def ask(**params: Any) -> Any:
            return await _on_socket(connection, **params)

        return await by_id(bench, ask, store=False)


def connect_blocking(bench: Bench) -> Any:
    with OpenAI(**bench.server) as client, client.responses.connect() as connection:

        async def ask(**params: Any) -> Any:
            connection.response.create(**params)
            for event in connection:
                if event.type in TERMINAL:
                    return event.response  # type: ignore[union-attr]
            raise AssertionError("the socket was closed before the terminal event")

        return asyncio.run(by_id(bench, ask))


async def connect_after_a_warm_up(bench: Bench) -> Any:
    """The whole errand is in a create that asks for no answer."""
    async with (
        AsyncOpenAI(**bench.server) as client,
        client.responses.connect() as connection,
    ):
        warm = await _on_socket(connection, **PARAMS, input=ERRAND, generate=False)
        response = await _on_socket(connection, **PARAMS, input=[], previous_response_id=warm.id)
        while given := outputs(bench, response):
            response = await _on_socket(
                connection, **PARAMS, input=given, previous_response_id=response.id
            )
        return response.output_text


async def lanes(bench: Bench) -> Any:
    """The same chain so many times, each on its lane, all on one socket."""
    async with (
        AsyncOpenAI(**bench.server) as client,
        client.responses.connect() as connection,
    ):
        last: dict[str, Any] = {}
        said: dict[str, list[str]] = {f"lane-{number}": [] for number in range(LANES)}

        async def create(lane: str, given: Any) -> None:
            before = {"previous_response_id": last[lane].id} if lane in last else {}
            await connection.send(
                {
                    "type": "response.create",
                    "stream_id": lane,
                    **PARAMS,
                    **before,
                    "input": given,
                    "store": False,
                }
            )

        for lane in said:
            await create(lane, ERRAND)
        async for event in connection:
            if event.type not in TERMINAL:
                continue
            lane = str(event.stream_id)
            last[lane] = event.response
            given: Any = outputs(bench, event.response)
            if not given:
                said[lane].append(event.response.output_text)
                given = BYE if len(said[lane]) == 1 else None
            if given:
                await create(lane, given)
            if all(len(each) == 2 for each in said.values()):
                return [tuple(each) for each in said.values()]
    raise AssertionError("the socket was closed too early")


async def parse(bench: Bench) -> Any:
    async with AsyncOpenAI(**bench.server, _strict_response_validation=True) as client:
        one = await client.responses.parse(model="words", input=VISIT, text_format=Visit)
        async with client.responses.stream(model="words", input=VISIT, text_format=Visit) as stream:
            two = await stream.get_final_response()
    return one.output_parsed, two.output_parsed


def parse_blocking(bench: Bench) -> Any:
    with OpenAI(**bench.server, _strict_response_validation=True) as client:
        return client.responses.parse(model="words", input=VISIT, text_format=Visit).output_parsed


async def fetched(bench: Bench) -> Any:
    """What was created on a socket is fetched, listed and deleted over HTTP."""
    async with AsyncOpenAI(**bench.server, _strict_response_validation=True) as client:
        async with client.responses.connect() as connection:
            first = await _on_socket(connection, model="words", input="Hello")
        again = await client.responses.retrieve(first.id)
        events = [event async for event in await client.responses.retrieve(first.id, stream=True)]
        items = [item.type async for item in await client.responses.input_items.list(first.id)]
        await client.responses.delete(first.id)
    assert again.to_dict() == first.to_dict()
    return again.output_text, events[-1].type, items


def _scenario(name: str, play: Any, **options: Any) -> Scenario:
    return Scenario("openai", name, play, **options)


SCENARIOS: Final = [
    _scenario("create, previous_response_id", _http(by_id, _create), posts=4),
    _scenario("create, store=False", _http(by_history, _create), posts=4),
    _scenario("create(stream=True)", _http(by_id, _events), posts=4),
    _scenario("stream(), previous_response_id", _http(by_id, _stream), posts=4),
    _scenario("stream(), store=False", _http(by_history, _stream), posts=4),
    _scenario("stream(), reasoning", _http(thinking, _stream), posts=6, **TWO_ERRANDS),
    _scenario("create, sync", _http_blocking(by_id, _create_blocking), posts=4),
    _scenario("stream(), store=False, sync", _http_blocking(by_history, _stream_blocking), posts=4),
    _scenario("connect(), store=False", connect, sockets=1),
    _scenario("connect(), sync", connect_blocking, sockets=1),
    _scenario(
        "connect(), the errand in a warm-up",
        connect_after_a_warm_up,
        expected=ERRAND_DONE,
        model_runs=3,
        sockets=1,
    ),
    _scenario(
        "connect(), 16 lanes at once",
        lanes,
        expected=[(ERRAND_DONE, BYE_DONE)] * LANES,
        calls=ERRAND_CALLS * LANES,
        model_runs=4 * LANES,
        sockets=1,
    ),
    _scenario(
        "parse(), stream(text_format=…)",
        parse,
        expected=(Visit(city="Ålesund", count=3),) * 2,
        calls=[],
        model_runs=2,
        posts=2,
    ),
    _scenario(
        "parse(), sync",
        parse_blocking,
        expected=Visit(city="Ålesund", count=3),
        calls=[],
        model_runs=1,
        posts=1,
    ),
    _scenario(
        "retrieve, input_items, delete",
        fetched,
        expected=(
            'You said: "Hello". The context holds 1 item.',
            "response.completed",
            ["message"],
        ),
        calls=[],
        model_runs=1,
        sockets=1,
    ),
]
