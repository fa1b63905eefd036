"""LiveKit's OpenAI plugin with ``client=``: its LLM by hand, and in an ``AgentSession``."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import Agent, AgentSession, function_tool, llm
from livekit.plugins.openai import responses
from openai import AsyncOpenAI

from interop.frameworks.book import task
from interop.frameworks.lab import Bench, Scenario, Told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def plugin(bench: Bench, model: str = "gpt-4.1") -> AsyncIterator[responses.LLM]:
    """Make the plugin's LLM; the argument ``http_client`` is all that differs.

    ``store=False`` makes it send the whole history; else it links turns itself, and sends calls
    again that the server has.
    """
    async with AsyncOpenAI(**bench.server, http_client=bench.http_client()) as client:
        made = responses.LLM(model=model, client=client, use_websocket=False, store=False)
        yield made
        await made.aclose()


def reading_tool(bench: Bench) -> Any:
    """Return the tool of these scenarios, as LiveKit wants it."""

    @function_tool
    async def read_page(book: str, page: int) -> str:
        """Read a page of a book."""
        return bench.read_page(book, page)

    return read_page


def as_json(items: list[Any]) -> list[Any]:
    """Return what happened, without LiveKit's own ids and times."""
    names = ("type", "role", "content", "call_id", "name", "arguments", "output")
    return [[getattr(item, name, None) for name in names] for item in items]


async def ask(model: responses.LLM, context: llm.ChatContext, tools: list[Any]) -> list[Any]:
    """Run one turn, add what was said to the context, and return the calls."""
    text, calls = "", []
    async with model.chat(chat_ctx=context, tools=tools) as stream:
        async for chunk in stream:
            if chunk.delta is not None:
                text += chunk.delta.content or ""
                calls += chunk.delta.tool_calls
    if text:
        context.add_message(role="assistant", content=text)
    return calls


async def read(model: responses.LLM, bench: Bench, said: str) -> llm.ChatContext:
    """Run a tool loop to its end."""
    context = llm.ChatContext.empty()
    context.add_message(role="system", content="You read books.")
    context.add_message(role="user", content=said)
    read_page = reading_tool(bench)
    while calls := await ask(model, context, [read_page]):
        made = [
            llm.FunctionCall(call_id=each.call_id, name=each.name, arguments=each.arguments)
            for each in calls
        ]
        done = [
            llm.FunctionCallOutput(
                call_id=each.call_id,
                name=each.name,
                output=await read_page(**json.loads(each.arguments)),
                is_error=False,
            )
            for each in calls
        ]
        context.insert([*made, *done])
    return context


# The scenarios


async def chat(bench: Bench) -> Told:
    async with plugin(bench) as model:
        items = (await read(model, bench, task())).items
    return Told(items[-1].text_content, as_json(items))


async def chat_with_a_model_that_reasons(bench: Bench) -> Told:
    async with plugin(bench, "gpt-5") as model:
        items = (await read(model, bench, task())).items
    return Told(items[-1].text_content, as_json(items))


async def session(bench: Bench) -> Told:
    async with (
        plugin(bench) as model,
        AgentSession(llm=model, max_tool_steps=30) as talk,
    ):
        await talk.start(Agent(instructions="You read books.", tools=[reading_tool(bench)]))
        for said in (task(9, "red"), task(9, "green")):
            await talk.run(user_input=said)
        items = talk.history.items
    return Told(items[-1].text_content, as_json(items))


async def session_with_two_calls_at_a_time(bench: Bench) -> Told:
    async with (
        plugin(bench) as model,
        AgentSession(llm=model, max_tool_steps=30) as talk,
    ):
        await talk.start(Agent(instructions="You read books.", tools=[reading_tool(bench)]))
        await talk.run(user_input=task(20, in_pairs=True))
        said = [item for item in talk.history.items if item.type == "message"]
    return Told(said[-1].text_content, as_json(said))


SCENARIOS: Final = [
    Scenario("livekit-plugins-openai", "responses.LLM", chat),
    Scenario(
        "livekit-plugins-openai",
        "responses.LLM, a model that reasons",
        chat_with_a_model_that_reasons,
    ),
    Scenario("livekit-plugins-openai", "AgentSession, two tasks", session),
    Scenario(
        "livekit-plugins-openai",
        "AgentSession, two calls at a time",
        session_with_two_calls_at_a_time,
        model_runs=11,
    ),
]
