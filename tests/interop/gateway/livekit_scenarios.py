"""LiveKit's OpenAI plugin in WebSocket mode, which validates every event strictly."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from livekit.agents import Agent, AgentSession, function_tool, llm, utils
from livekit.plugins.openai import responses
from openai.types import Reasoning

from interop.gateway.lab import BYE, ERRAND, TWO_ERRANDS, Bench, Scenario

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def plugin(bench: Bench, **options: Any) -> AsyncIterator[responses.LLM]:
    """Make the plugin's LLM."""
    async with utils.http_context.open():
        # Its sockets go exactly there, its POSTs below it.
        path = "/responses" if options.get("use_websocket", True) else ""
        made = responses.LLM(model="words", api_key="k", base_url=bench.base_url + path, **options)
        yield made
        await made.aclose()


def tools(bench: Bench) -> list[Any]:
    """Return the tools of all scenarios."""

    @function_tool
    async def add(a: int, b: int) -> str:
        """Add two numbers."""
        return bench.add(a, b)

    @function_tool
    async def weather(city: str) -> str:
        """Look up the weather."""
        return bench.weather(city)

    return [add, weather]


async def _ask(model: responses.LLM, context: llm.ChatContext, given: list[Any]) -> list[Any]:
    """Run one turn, add what was said to the context, and return the calls."""
    text, calls = "", []
    async with model.chat(chat_ctx=context, tools=given) as stream:
        async for chunk in stream:
            if chunk.delta is not None:
                text += chunk.delta.content or ""
                calls += chunk.delta.tool_calls
    if text:
        context.add_message(role="assistant", content=text)
    return calls


def _by_hand(texts: Any = (ERRAND, BYE), **options: Any) -> Any:
    async def play(bench: Bench) -> Any:
        """The plugin sends calls again that the chain holds, together with their outputs."""
        context = llm.ChatContext.empty()
        said = []
        async with plugin(bench, **options) as model:
            for text in texts:
                context.add_message(role="user", content=text)
                while calls := await _ask(model, context, tools(bench)):
                    for each in calls:
                        context.items.append(
                            llm.FunctionCall(
                                call_id=each.call_id, name=each.name, arguments=each.arguments
                            )
                        )
                    for each in calls:
                        output = bench.do(each.name, json.loads(each.arguments))
                        context.items.append(
                            llm.FunctionCallOutput(
                                call_id=each.call_id,
                                name=each.name,
                                output=output,
                                is_error=False,
                            )
                        )
                said.append(context.items[-1].text_content)  # type: ignore[union-attr]
        return tuple(said)

    return play


async def session(bench: Bench) -> Any:
    async with plugin(bench) as model, AgentSession(llm=model, max_tool_steps=9) as talk:
        await talk.start(Agent(instructions="Do what you are told.", tools=tools(bench)))
        for said in (ERRAND, ERRAND):  # its instructions are an item that only some models count
            await talk.run(user_input=said)
        messages = [item for item in talk.history.items if item.type == "message"]
    return tuple(item.text_content for item in messages if item.role == "assistant")


def _scenario(name: str, play: Any, **options: Any) -> Scenario:
    return Scenario("livekit-plugins-openai", name, play, **options)


SCENARIOS: Final = [
    _scenario("responses.LLM, WebSocket", _by_hand(), sockets=1),
    _scenario("responses.LLM, WebSocket, store=False", _by_hand(store=False), sockets=1),
    _scenario(
        "responses.LLM, WebSocket, reasoning",
        _by_hand((ERRAND, ERRAND), reasoning=Reasoning(effort="low", summary="auto")),
        sockets=1,
        **TWO_ERRANDS,
    ),
    _scenario("responses.LLM, HTTP", _by_hand(use_websocket=False), posts=4),
    _scenario(
        "AgentSession, WebSocket",
        session,
        sockets=1,
        **TWO_ERRANDS,
    ),
]
