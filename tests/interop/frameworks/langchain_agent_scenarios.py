"""``create_agent`` of LangChain: the agent that runs on LangGraph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from interop.frameworks.book import task
from interop.frameworks.lab import Bench, Scenario, Told
from interop.frameworks.langchain_scenarios import (
    UNSTORED,
    Summary,
    as_json,
    blocking_chat_model,
    chat_model,
    reading_tool,
    text_of,
)
from interop.frameworks.langgraph_scenarios import THREAD, asking, told
from interop.frameworks.overlooking import all_warnings

with all_warnings():
    from langchain.agents import create_agent
    from langchain.agents.structured_output import ProviderStrategy
    from langgraph.checkpoint.memory import InMemorySaver

if TYPE_CHECKING:
    from langchain_openai import ChatOpenAI


def agent(model: ChatOpenAI, bench: Bench, **options: Any) -> Any:
    """Make the agent."""
    return create_agent(
        model,
        [reading_tool(bench)],
        system_prompt="You read books.",
        checkpointer=InMemorySaver(),
        **options,
    )


async def invoked(bench: Bench) -> Told:
    async with chat_model(bench) as model:
        return told(await agent(model, bench).ainvoke(asking(task()), THREAD))


def invoked_blocking(bench: Bench) -> Told:
    with blocking_chat_model(bench) as model:
        return told(agent(model, bench).invoke(asking(task()), THREAD))


async def streamed(bench: Bench) -> Told:
    async with chat_model(bench, **UNSTORED) as model:
        made = agent(model, bench)
        async for _ in made.astream(asking(task(9, "red")), THREAD, stream_mode="messages"):
            pass
        async for _ in made.astream(asking(task(9, "green")), THREAD, stream_mode="updates"):
            pass
        messages = made.get_state(THREAD).values["messages"]
        return Told(text_of(messages[-1]), as_json(messages))


async def structured(bench: Bench) -> Told:
    async with chat_model(bench) as model:
        made = agent(model, bench, response_format=ProviderStrategy(Summary))
        state = await made.ainvoke(asking(task()), THREAD)
        found = state["structured_response"].model_dump()
        return Told(text_of(state["messages"][-1]), as_json(state["messages"]), found)


SCENARIOS: Final = [
    Scenario("langchain", "create_agent", invoked),
    Scenario("langchain", "create_agent, sync", invoked_blocking),
    Scenario("langchain", "create_agent, streamed, two tasks, store=False", streamed),
    Scenario("langchain", "create_agent, structured output", structured),
]
