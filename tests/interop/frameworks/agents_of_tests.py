"""What the tests of the OpenAI Agents SDK have in common: agents, tools, scripts."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from agents import Agent, RunConfig, Runner, function_tool
from agents.models.openai_provider import OpenAIProvider
from openai import AsyncOpenAI

from turnwire.adapters.openai_agents import ModelProvider
from turnwire.testing import Create, Step, answer, call

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from agents import RunResult

    from turnwire.testing import Peer

ENVIRONMENT = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID")


@function_tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def adder(**options: Any) -> Agent[Any]:
    """Return an agent that adds."""
    return Agent(name="adder", instructions="Add.", tools=[add], model="any", **options)


def outputs(create: Create) -> int:
    """Return how many tool outputs the whole history of a create has."""
    items = [*create.history, *create.input]
    return sum(item.get("type") == "function_call_output" for item in items)


def calls(count: int, then: str = "Done.") -> Any:
    """Return a script that calls the tool so often in each run, then answers."""

    def script(create: Create) -> list[Step]:
        done = outputs(create)
        if done < count:
            return [call("add", {"a": done, "b": 1}, call_id=f"call_{create.number}")]
        return [answer(then)]

    return script


def by_turnwire(peer: Peer, **options: Any) -> ModelProvider:
    """Make turnwire's provider."""
    return ModelProvider(base_url=peer.base_url, **options)


@asynccontextmanager
async def by_http(peer: Peer) -> AsyncIterator[OpenAIProvider]:
    """Make the SDK's own provider over HTTP."""
    async with AsyncOpenAI(api_key="none", base_url=peer.base_url) as client:
        yield OpenAIProvider(
            openai_client=client, use_responses=True, use_responses_websocket=False
        )


def config(provider: Any, **options: Any) -> RunConfig:
    """Return how to run with a provider, without tracing: nothing leaves this machine."""
    return RunConfig(model_provider=provider, **{"tracing_disabled": True, **options})


async def run(agent: Agent[Any], said: Any, provider: Any, **options: Any) -> RunResult:
    """Run an agent to its end."""
    return await Runner.run(agent, said, run_config=config(provider), max_turns=30, **options)


async def streamed(
    agent: Agent[Any], said: Any, provider: Any, **options: Any
) -> tuple[Any, list[Any]]:
    """Run an agent to its end; return the result and the events."""
    result = Runner.run_streamed(agent, said, run_config=config(provider), max_turns=30, **options)
    return result, [event async for event in result.stream_events()]
