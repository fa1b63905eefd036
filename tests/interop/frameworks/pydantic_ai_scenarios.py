"""pydantic-ai: an agent with tools, streams, structured output, message history."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.messages import ModelMessagesTypeAdapter, PartDeltaEvent, TextPartDelta
from pydantic_ai.models.openai import OpenAIResponsesModel, OpenAIResponsesModelSettings
from pydantic_ai.providers.openai import OpenAIProvider

from interop.frameworks.book import Fault, task
from interop.frameworks.lab import Bench, Scenario, Told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BOOKS: Final = ("red", "green", "blue", "white")
_VOLATILE: Final = frozenset(
    {
        "conversation_id",
        "history_digest",  # keyed by the model's address
        "provider_url",
        "run_id",
        "timestamp",
        "usage",  # the peer counts the bytes of what it was sent
    }
)


class Summary(BaseModel):
    """What is said of a book in the end."""

    book: str
    pages: int
    digest: str


@asynccontextmanager
async def _reader(
    bench: Bench, model: str = "gpt-5", output_type: Any = str, **settings: Any
) -> AsyncIterator[Agent[None, Any]]:
    """Give an agent that reads; the client's ``http_client`` is all that differs."""
    async with AsyncOpenAI(**bench.server, http_client=bench.http_client()) as client:
        agent = Agent(
            OpenAIResponsesModel(model, provider=OpenAIProvider(openai_client=client)),
            instructions="You read books.",
            output_type=output_type,
            model_settings=OpenAIResponsesModelSettings(**settings),
        )

        @agent.tool_plain
        async def read_page(book: str, page: int) -> str:
            """Read a page of a book."""
            return bench.read_page(book, page)

        yield agent


def _steady(value: Any) -> Any:
    """Leave out what differs from run to run: times, random ids, the server's port."""
    if isinstance(value, dict):
        return {name: _steady(each) for name, each in value.items() if name not in _VOLATILE}
    return [_steady(each) for each in value] if isinstance(value, list) else value


def _told(result: Any, more: Any = None) -> Told:
    text = result.output
    if isinstance(text, BaseModel):
        text = text.model_dump()
    history = json.loads(ModelMessagesTypeAdapter.dump_json(result.all_messages()))
    return Told(text, _steady(history), more)


async def _streamed(agent: Agent[None, Any], said: str) -> Told:
    """Run the agent node by node, and read what each model turn streams."""
    deltas = ""
    async with agent.iter(said) as run:
        async for node in run:
            if not Agent.is_model_request_node(node):
                continue
            async with node.stream(run.ctx) as stream:
                async for event in stream:
                    if isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
                        deltas += event.delta.content_delta
    return _told(run.result, deltas)


async def tool_loop(bench: Bench) -> Told:
    async with _reader(bench) as agent:
        return _told(await agent.run(task()))


async def without_ids(bench: Bench) -> Told:
    """Models that do not reason get their output back without its ids."""
    async with _reader(bench, "gpt-4o") as agent:
        return _told(await agent.run(task()))


async def streamed(bench: Bench) -> Told:
    async with _reader(bench) as agent:
        return await _streamed(agent, task())


async def parallel_calls(bench: Bench) -> Told:
    async with _reader(bench) as agent:
        return _told(await agent.run(task(20, in_pairs=True)))


async def not_stored(bench: Bench) -> Told:
    async with _reader(bench, openai_store=False) as agent:
        return _told(await agent.run(task()))


async def by_response_id(bench: Bench) -> Told:
    async with _reader(bench, openai_previous_response_id="auto") as agent:
        return _told(await agent.run(task()))


async def structured(bench: Bench) -> Told:
    async with _reader(bench, output_type=Summary) as agent:
        return _told(await agent.run(task()))


async def structured_natively(bench: Bench) -> Told:
    async with _reader(bench, output_type=NativeOutput(Summary)) as agent:
        return await _streamed(agent, task())


async def message_history(bench: Bench) -> Told:
    """Three runs, each of which is given the messages of those before, streamed and not."""
    async with _reader(bench) as agent:
        one = await agent.run(task(6, "red"))
        async with agent.run_stream(task(6, "green"), message_history=one.all_messages()) as stream:
            two = await stream.get_output()
        three = await agent.run(task(6, "blue"), message_history=stream.all_messages())
    told = _told(three)
    return Told([one.output, two, three.output], told.history)


async def agents_at_once(bench: Bench) -> Told:
    async with _reader(bench) as agent:
        results = await asyncio.gather(*(agent.run(task(9, book)) for book in BOOKS))
    return Told([result.output for result in results])


def _scenario(name: str, play: Any, **options: Any) -> Scenario:
    return Scenario("pydantic-ai-slim", name, play, **options)


SCENARIOS: Final = [
    _scenario("tool loop", tool_loop),
    _scenario("tool loop, a model without reasoning", without_ids),
    _scenario("tool loop, streamed", streamed),
    _scenario("parallel tool calls", parallel_calls, model_runs=11),
    _scenario("store=False", not_stored),
    _scenario("structured output by a tool", structured),
    _scenario("structured output by a schema, streamed", structured_natively),
    _scenario("three runs with message history", message_history, model_runs=21),
    _scenario("four agents at once", agents_at_once, model_runs=40, at_once=4),
    # Who names the parent gets the error of a lost chain, as over HTTP.
    _scenario(
        "previous_response_id",
        by_response_id,
        continues=False,
        faults=tuple(fault for fault in Fault if fault is not Fault.LOST_CHAIN),
    ),
]
