"""The OpenAI Agents SDK: agents with tools, handoffs, streams, sessions, several at once."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from agents import (
    Agent,
    ModelSettings,
    OpenAIResponsesModel,
    Runner,
    SQLiteSession,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI
from pydantic import BaseModel

from interop.frameworks.book import task
from interop.frameworks.lab import Bench, Scenario, Told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

set_tracing_disabled(disabled=True)

BOOKS: Final = ("red", "green", "blue", "white")
_MANY: Final = 50  # turns that the runner allows


class Summary(BaseModel):
    """What is said of a book in the end."""

    book: str
    pages: int
    digest: str


@asynccontextmanager
async def _reader(bench: Bench, **options: Any) -> AsyncIterator[Agent[Any]]:
    """Give an agent that reads; the client's ``http_client`` is all that differs."""

    @function_tool
    async def read_page(book: str, page: int) -> str:
        """Read a page of a book."""
        return bench.read_page(book, page)

    async with AsyncOpenAI(**bench.server, http_client=bench.http_client()) as client:
        yield Agent(
            name="reader",
            instructions="You read books.",
            tools=[read_page],
            model=OpenAIResponsesModel("gpt-5", client),
            **options,
        )


def _told(result: Any) -> Told:
    text = result.final_output
    if isinstance(text, BaseModel):
        text = text.model_dump()
    return Told(text, result.to_input_list(), result.last_agent.name)


async def _streamed(agent: Agent[Any], said: str, **options: Any) -> Told:
    result = Runner.run_streamed(agent, said, max_turns=_MANY, **options)
    deltas, kinds = "", []
    async for event in result.stream_events():
        kinds.append(getattr(event, "name", event.type))
        if event.type == "raw_response_event":
            kinds.pop()
            if event.data.type == "response.output_text.delta":
                deltas += event.data.delta
    told = _told(result)
    return Told(told.text, told.history, [told.more, deltas, kinds])


async def tool_loop(bench: Bench) -> Told:
    async with _reader(bench) as agent:
        return _told(await Runner.run(agent, task(), max_turns=_MANY))


async def streamed(bench: Bench) -> Told:
    async with _reader(bench) as agent:
        return await _streamed(agent, task())


async def parallel_calls(bench: Bench) -> Told:
    async with _reader(bench) as agent:
        said = task(20, in_pairs=True)
        return _told(await Runner.run(agent, said, max_turns=_MANY))


async def not_stored(bench: Bench) -> Told:
    settings = ModelSettings(store=False, response_include=["reasoning.encrypted_content"])
    async with _reader(bench, model_settings=settings) as agent:
        return _told(await Runner.run(agent, task(), max_turns=_MANY))


async def structured(bench: Bench) -> Told:
    async with _reader(bench, output_type=Summary) as agent:
        return _told(await Runner.run(agent, task(), max_turns=_MANY))


async def handoff(bench: Bench) -> Told:
    """The first agent reads three pages and hands over to the second, which reads on."""
    async with _reader(bench) as second:
        first = second.clone(name="clerk", instructions="You begin.", handoffs=[second])
        return await _streamed(first, task())


async def session(bench: Bench) -> Told:
    """Three runs, each of which continues the session, streamed and not."""
    memory = SQLiteSession("books")
    async with _reader(bench) as agent:
        one = await Runner.run(agent, task(6, "red"), session=memory)
        two = await _streamed(agent, task(6, "green"), session=memory)
        three = await Runner.run(agent, task(6, "blue"), session=memory)
    history = await memory.get_items()
    memory.close()
    return Told([one.final_output, two.text, three.final_output], history, two.more)


async def agents_at_once(bench: Bench) -> Told:
    async with _reader(bench) as agent:
        running = [Runner.run(agent, task(9, book), max_turns=_MANY) for book in BOOKS]
        results = await asyncio.gather(*running)
    return Told([result.final_output for result in results])


def _scenario(name: str, play: Any, **options: Any) -> Scenario:
    return Scenario("openai-agents", name, play, **options)


SCENARIOS: Final = [
    _scenario("tool loop", tool_loop),
    _scenario("tool loop, streamed", streamed),
    _scenario("parallel tool calls", parallel_calls, model_runs=11),
    _scenario("store=False", not_stored),
    _scenario("structured output", structured),
    _scenario("handoff, streamed", handoff, model_runs=21),
    _scenario("three runs with a session", session, model_runs=21),
    _scenario("four agents at once", agents_at_once, model_runs=40, at_once=4),
]
