"""The official SDK, driven by hand: tool loops as its documentation writes them."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from interop.frameworks.book import Fault, task
from interop.frameworks.lab import Bench, Scenario, Told

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    AsyncAsk = Callable[..., Awaitable[Any]]
    Ask = Callable[..., Any]

BOOKS: Final = ("red", "green", "blue", "white", "black", "grey")
TOOL: Final = {
    "type": "function",
    "name": "read_page",
    "description": "Read a page of a book.",
    "parameters": {
        "type": "object",
        "properties": {"book": {"type": "string"}, "page": {"type": "integer"}},
        "required": ["book", "page"],
        "additionalProperties": False,
    },
    "strict": True,
}
PARAMS: Final[Any] = {"model": "gpt-5", "instructions": "You read books.", "tools": [TOOL]}


class Summary(BaseModel):
    """What is said of a book in the end."""

    book: str
    pages: int
    digest: str


# One turn, in each way that the SDK has


async def create(client: AsyncOpenAI, **params: Any) -> Any:
    return await client.responses.create(**params)


async def create_streamed(client: AsyncOpenAI, **params: Any) -> Any:
    stream = await client.responses.create(**params, stream=True)
    return [event async for event in stream][-1].response


async def stream_helper(client: AsyncOpenAI, **params: Any) -> Any:
    async with client.responses.stream(**params) as stream:
        async for _ in stream:
            pass
        return await stream.get_final_response()


async def parse(client: AsyncOpenAI, **params: Any) -> Any:
    return await client.responses.parse(**params, text_format=Summary)


async def parse_streamed(client: AsyncOpenAI, **params: Any) -> Any:
    async with client.responses.stream(**params, text_format=Summary) as stream:
        return await stream.get_final_response()


async def raw_response(client: AsyncOpenAI, **params: Any) -> Any:
    answer = await client.responses.with_raw_response.create(**params)
    assert answer.headers["content-type"].startswith("application/json")
    return answer.parse()


async def streamed_raw_response(client: AsyncOpenAI, **params: Any) -> Any:
    async with client.responses.with_streaming_response.create(**params) as answer:
        return await answer.parse()


def create_blocking(client: OpenAI, **params: Any) -> Any:
    return client.responses.create(**params)


def create_streamed_blocking(client: OpenAI, **params: Any) -> Any:
    with client.responses.create(**params, stream=True) as stream:
        return list(stream)[-1].response


def stream_helper_blocking(client: OpenAI, **params: Any) -> Any:
    with client.responses.stream(**params) as stream:
        return stream.get_final_response()


def parse_blocking(client: OpenAI, **params: Any) -> Any:
    return client.responses.parse(**params, text_format=Summary)


# The loop


class Loop:
    """A history that the caller keeps, as the SDK's guide does it."""

    def __init__(self, bench: Bench, said: str, echo: Callable[[Any], Any]) -> None:
        self.bench = bench
        self.history: list[Any] = [{"role": "user", "content": said}]
        self.echo = echo
        self.response: Any = None

    def goes_on(self, response: Any) -> bool:
        """Add a response and the outputs of its calls; say whether there are any."""
        self.response = response
        self.history += map(self.echo, response.output)
        calls = [item for item in response.output if item.type == "function_call"]
        for call in calls:
            page = self.bench.read_page(**json.loads(call.arguments))
            output = {"type": "function_call_output", "call_id": call.call_id, "output": page}
            self.history.append(output)
        return bool(calls)

    def told(self) -> Told:
        history = [item if isinstance(item, dict) else item.to_dict() for item in self.history]
        parsed = getattr(self.response, "output_parsed", None)
        return Told(self.response.output_text, history, parsed and parsed.model_dump())


def _same(item: Any) -> Any:
    return item


def _dumped(item: Any) -> Any:
    return item.model_dump()


async def _read(
    bench: Bench,
    client: AsyncOpenAI,
    ask: AsyncAsk,
    said: str,
    echo: Callable[[Any], Any] = _same,
    **params: Any,
) -> Told:
    loop = Loop(bench, said, echo)
    while loop.goes_on(await ask(client, **PARAMS, **params, input=loop.history)):
        pass
    return loop.told()


def _read_blocking(bench: Bench, client: OpenAI, ask: Ask, said: str) -> Told:
    loop = Loop(bench, said, _same)
    while loop.goes_on(ask(client, **PARAMS, input=loop.history)):
        pass
    return loop.told()


# The scenarios


def _reading(name: str, ask: AsyncAsk, said: str = task(), **params: Any) -> Scenario:
    async def play(bench: Bench) -> Told:
        async with AsyncOpenAI(**bench.server, http_client=bench.http_client()) as client:
            return await _read(bench, client, ask, said, **params)

    return Scenario("openai", name, play)


def _reading_blocking(name: str, ask: Ask) -> Scenario:
    def play(bench: Bench) -> Told:
        http_client = bench.http_client(blocking=True)
        with OpenAI(**bench.server, http_client=http_client) as client:
            return _read_blocking(bench, client, ask, task())

    return Scenario("openai", f"{name}, sync", play)


async def many_at_once(bench: Bench) -> Told:
    async with AsyncOpenAI(**bench.server, http_client=bench.http_client()) as client:
        reading = [_read(bench, client, create, task(9, book)) for book in BOOKS]
        told = await asyncio.gather(*reading)
    return Told([each.text for each in told])


def many_threads(bench: Bench) -> Told:
    http_client = bench.http_client(blocking=True)
    with (
        OpenAI(**bench.server, http_client=http_client) as client,
        ThreadPoolExecutor(len(BOOKS)) as threads,
    ):

        def read(book: str) -> Any:
            return _read_blocking(bench, client, create_blocking, task(9, book)).text

        return Told(list(threads.map(read, BOOKS)))


async def by_response_id(bench: Bench) -> Told:
    """Name the previous response, as the SDK's guide does instead of keeping a history."""
    async with AsyncOpenAI(**bench.server, http_client=bench.http_client()) as client:
        loop = Loop(bench, task(), _same)
        new, parent = list(loop.history), None
        while True:
            before = len(loop.history)
            response = await create(client, **PARAMS, input=new, previous_response_id=parent)
            if not loop.goes_on(response):
                return loop.told()
            new = loop.history[before + len(response.output) :]
            parent = response.id


SCENARIOS: Final = [
    _reading("create", create),
    _reading("create, streamed", create_streamed),
    _reading("responses.stream()", stream_helper),
    _reading("responses.parse", parse),
    _reading("responses.stream(text_format=…)", parse_streamed),
    _reading("with_raw_response", raw_response),
    _reading("with_streaming_response", streamed_raw_response),
    _reading("store=False", create, store=False, include=["reasoning.encrypted_content"]),
    _reading("store=False, streamed", create_streamed, store=False),
    _reading("output echoed by model_dump()", create, echo=_dumped),
    _reading("output of parse echoed by model_dump()", parse, echo=_dumped),
    _reading_blocking("create", create_blocking),
    _reading_blocking("create, streamed", create_streamed_blocking),
    _reading_blocking("responses.stream()", stream_helper_blocking),
    _reading_blocking("responses.parse", parse_blocking),
    Scenario("openai", "six chains at once", many_at_once, model_runs=60, at_once=6),
    Scenario("openai", "six threads at once, sync", many_threads, model_runs=60, at_once=6),
    Scenario(
        "openai",
        "previous_response_id",
        by_response_id,
        continues=False,
        # Without a history nobody can mend a lost chain; test_openai.py looks at the error.
        faults=tuple(fault for fault in Fault if fault is not Fault.LOST_CHAIN),
    ),
]
