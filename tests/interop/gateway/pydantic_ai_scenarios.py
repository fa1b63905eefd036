"""pydantic-ai: over WebSocket with lanes, and over HTTP."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIResponsesModel, OpenAIResponsesModelSettings
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.openai import OpenAIProvider

from interop.gateway.lab import BYE, ERRAND, ERRAND_CALLS, ERRAND_DONE, TWO_ERRANDS, Bench, Scenario

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RUNS: Final = 20


class Visit(BaseModel):
    """What is asked for as JSON."""

    city: str
    count: int


@asynccontextmanager
async def agent(
    bench: Bench, transport: str = "websocket", output_type: Any = str, **settings: Any
) -> AsyncIterator[Agent[None, Any]]:
    """Give an agent with the tools of all scenarios, whose socket stays open for all its runs."""
    async with AsyncOpenAI(**bench.server) as client:
        made = Agent(
            OpenAIResponsesModel(
                "words",
                provider=OpenAIProvider(openai_client=client),
                profile=OpenAIModelProfile(openai_responses_supports_websocket_stream_id=True),
            ),
            instructions="Do what you are told.",
            output_type=output_type,
            model_settings=OpenAIResponsesModelSettings(openai_transport=transport, **settings),  # type: ignore[typeddict-item]
        )

        @made.tool_plain
        async def add(a: int, b: int) -> str:
            """Add two numbers."""
            return bench.add(a, b)

        @made.tool_plain
        async def weather(city: str) -> str:
            """Look up the weather."""
            return bench.weather(city)

        async with made:
            yield made


async def two_runs(bench: Bench) -> Any:
    async with agent(bench) as made:
        one = await made.run(ERRAND)
        two = await made.run(BYE, message_history=one.all_messages())
    return one.output, two.output


async def two_runs_streamed(bench: Bench) -> Any:
    async with agent(bench) as made:
        async with made.run_stream(ERRAND) as stream:
            one = await stream.get_output()
        async with made.run_stream(BYE, message_history=stream.all_messages()) as stream:
            two = await stream.get_output()
    return one, two


async def two_runs_over_http(bench: Bench) -> Any:
    async with agent(bench, "http") as made:
        one = await made.run(ERRAND)
        async with made.run_stream(BYE, message_history=one.all_messages()) as stream:
            two = await stream.get_output()
    return one.output, two


def with_reasoning(transport: str) -> Any:
    async def play(bench: Bench) -> Any:
        settings = {"openai_reasoning_effort": "low", "openai_reasoning_summary": "auto"}
        async with agent(bench, transport, **settings) as made:
            one = await made.run(ERRAND)
            two = await made.run(ERRAND, message_history=one.all_messages())
        return one.output, two.output

    return play


async def structured(bench: Bench) -> Any:
    async with agent(bench, output_type=NativeOutput(Visit)) as made:
        return (await made.run("city: Ålesund\ncount: 3")).output


async def many_at_once(bench: Bench) -> Any:
    """More runs than one socket takes: what is too much goes over HTTP."""
    bench.recorder.together = RUNS
    async with agent(bench) as made:
        return [result.output for result in await asyncio.gather(*map(made.run, [ERRAND] * RUNS))]


def _scenario(name: str, play: Any, **options: Any) -> Scenario:
    return Scenario("pydantic-ai-slim", name, play, **options)


SCENARIOS: Final = [
    _scenario("WebSocket, two runs", two_runs, sockets=1),
    _scenario("WebSocket, two runs, streamed", two_runs_streamed, sockets=1),
    _scenario("HTTP, two runs", two_runs_over_http, posts=4),
    _scenario(
        "WebSocket, two runs, reasoning", with_reasoning("websocket"), sockets=1, **TWO_ERRANDS
    ),
    _scenario("HTTP, two runs, reasoning", with_reasoning("http"), posts=6, **TWO_ERRANDS),
    _scenario(
        "WebSocket, structured output",
        structured,
        expected=Visit(city="Ålesund", count=3),
        calls=[],
        model_runs=1,
        sockets=1,
    ),
    _scenario(
        "WebSocket, 20 runs at once, 16 of them on the socket",
        many_at_once,
        expected=[ERRAND_DONE] * RUNS,
        calls=ERRAND_CALLS * RUNS,
        model_runs=3 * RUNS,
        sockets=1,
        posts=3 * (RUNS - 16),
    ),
]
