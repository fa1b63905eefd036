"""Agents of LangGraph: a graph made by hand, and the one that the library brings."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import HumanMessage, SystemMessage

from interop.frameworks.book import task
from interop.frameworks.lab import Bench, Scenario, Told
from interop.frameworks.langchain_scenarios import (
    BOOKS,
    as_json,
    blocking_chat_model,
    chat_model,
    reading_tool,
    text_of,
)
from interop.frameworks.overlooking import all_warnings

with all_warnings():
    from langgraph.checkpoint.memory import MemorySaver
    from langgraph.graph import START, MessagesState, StateGraph
    from langgraph.prebuilt import ToolNode, create_react_agent, tools_condition

if TYPE_CHECKING:
    from langchain_openai import ChatOpenAI

THREAD: Final[Any] = {"configurable": {"thread_id": "1"}, "recursion_limit": 100}


def graph(model: ChatOpenAI, bench: Bench) -> Any:
    """Return the graph of the library's guide: a model, its tools, and a memory."""
    read_page = reading_tool(bench)
    bound = model.bind_tools([read_page])

    async def think(state: Any) -> Any:
        said = [SystemMessage("You read books."), *state["messages"]]
        return {"messages": [await bound.ainvoke(said)]}

    made = StateGraph(MessagesState)
    made.add_node("think", think)
    made.add_node("tools", ToolNode([read_page]))
    made.add_edge(START, "think")
    made.add_conditional_edges("think", tools_condition)
    made.add_edge("tools", "think")
    return made.compile(checkpointer=MemorySaver())


def agent(model: ChatOpenAI, bench: Bench) -> Any:
    """Return the agent of ``langgraph.prebuilt``, which newer versions call deprecated."""
    with all_warnings():
        return create_react_agent(model, [reading_tool(bench)], checkpointer=MemorySaver())


def asking(said: str) -> Any:
    """Return what goes into a graph."""
    return {"messages": [HumanMessage(said)]}


def told(state: Any) -> Told:
    """Return what came out."""
    return Told(text_of(state["messages"][-1]), as_json(state["messages"]))


# The scenarios


async def two_tasks_in_a_thread(bench: Bench) -> Told:
    async with chat_model(bench) as model:
        made = graph(model, bench)
        await made.ainvoke(asking(task(9, "red")), THREAD)
        return told(await made.ainvoke(asking(task(9, "green")), THREAD))


async def streamed_messages(bench: Bench) -> Told:
    async with chat_model(bench) as model:
        made = graph(model, bench)
        texts = [
            text_of(chunk)
            async for chunk, about in made.astream(asking(task()), THREAD, stream_mode="messages")
            if about["langgraph_node"] == "think"
        ]
        return Told("".join(texts), as_json(made.get_state(THREAD).values["messages"]))


async def react_agent(bench: Bench) -> Told:
    async with chat_model(bench) as model:
        return told(await agent(model, bench).ainvoke(asking(task()), THREAD))


def react_agent_blocking(bench: Bench) -> Told:
    with blocking_chat_model(bench) as model:
        return told(agent(model, bench).invoke(asking(task()), THREAD))


async def six_threads_at_once(bench: Bench) -> Told:
    async with chat_model(bench) as model:
        made = agent(model, bench)
        states = await asyncio.gather(
            *(made.ainvoke(asking(task(9, book)), _thread(book)) for book in BOOKS)
        )
        return Told([text_of(state["messages"][-1]) for state in states])


def _thread(name: str) -> Any:
    return {**THREAD, "configurable": {"thread_id": name}}


SCENARIOS: Final = [
    Scenario("langgraph", "StateGraph, two tasks in a thread", two_tasks_in_a_thread),
    Scenario("langgraph", "StateGraph, streamed messages", streamed_messages),
    Scenario("langgraph", "create_react_agent", react_agent),
    Scenario("langgraph", "create_react_agent, sync", react_agent_blocking),
    Scenario("langgraph", "six threads at once", six_threads_at_once, model_runs=60, at_once=6),
]
