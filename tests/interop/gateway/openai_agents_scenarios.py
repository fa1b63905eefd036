"""The OpenAI Agents SDK, over HTTP and over its own WebSocket model."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from agents import (
    Agent,
    ModelSettings,
    RunConfig,
    Runner,
    SQLiteSession,
    function_tool,
    set_tracing_disabled,
)
from agents.models.openai_provider import OpenAIProvider
from openai import AsyncOpenAI
from openai.types.shared import Reasoning

from interop.gateway.lab import (
    BYE,
    ERRAND,
    ERRAND_CALLS,
    ERRAND_DONE,
    TWO_ERRANDS,
    Bench,
    Scenario,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

set_tracing_disabled(disabled=True)

THINKING: Final = ModelSettings(reasoning=Reasoning(effort="low", summary="auto"))
HAND_OVER: Final = 'CALL transfer_to_forecaster {}\nTHEN CALL weather {"city": "Ålesund"}'


@asynccontextmanager
async def provider(bench: Bench, *, websocket: bool) -> AsyncIterator[RunConfig]:
    """Give how to run."""
    async with AsyncOpenAI(**bench.server) as client:
        made = OpenAIProvider(
            openai_client=client, use_responses=True, use_responses_websocket=websocket
        )
        yield RunConfig(model_provider=made, tracing_disabled=True)
        await made.aclose()


def agent(bench: Bench, **options: Any) -> Agent[Any]:
    """Return an agent with the tools of all scenarios."""

    @function_tool
    async def add(a: int, b: int) -> str:
        """Add two numbers."""
        return bench.add(a, b)

    @function_tool
    async def weather(city: str) -> str:
        """Look up the weather."""
        return bench.weather(city)

    return Agent(
        name="forecaster",
        instructions="Do what you are told.",
        model="words",
        tools=[add, weather],
        **options,
    )


def _in_a_session(texts: tuple[str, ...], *, websocket: bool, **options: Any) -> Any:
    async def play(bench: Bench) -> Any:
        session = SQLiteSession("talk")
        made = agent(bench, **options)
        async with provider(bench, websocket=websocket) as config:
            results = [
                await Runner.run(made, said, run_config=config, session=session) for said in texts
            ]
        session.close()
        return tuple(result.final_output for result in results)

    return play


def _playing(*, websocket: bool) -> dict[str, Any]:
    async def by_response_id(bench: Bench) -> Any:
        async with provider(bench, websocket=websocket) as config:
            one = await Runner.run(
                agent(bench), ERRAND, run_config=config, auto_previous_response_id=True
            )
            two = await Runner.run(
                agent(bench), BYE, run_config=config, previous_response_id=one.last_response_id
            )
        return one.final_output, two.final_output

    async def streamed(bench: Bench) -> Any:
        async with provider(bench, websocket=websocket) as config:
            one = Runner.run_streamed(agent(bench), ERRAND, run_config=config)
            said = ""
            async for event in one.stream_events():
                if event.type == "raw_response_event":
                    said += getattr(event.data, "delta", "") * (
                        event.data.type == "response.output_text.delta"
                    )
            history: Any = [*one.to_input_list(), {"role": "user", "content": BYE}]
            two = Runner.run_streamed(agent(bench), history, run_config=config)
            async for _ in two.stream_events():
                pass
        assert said == one.final_output
        return one.final_output, two.final_output

    async def handoff(bench: Bench) -> Any:
        forecaster = agent(bench)
        clerk = Agent(name="clerk", instructions="Hand over.", model="words", handoffs=[forecaster])
        async with provider(bench, websocket=websocket) as config:
            result = Runner.run_streamed(clerk, HAND_OVER, run_config=config)
            async for _ in result.stream_events():
                pass
        return result.final_output, result.last_agent.name

    async def four_at_once(bench: Bench) -> Any:
        async with provider(bench, websocket=websocket) as config:
            runs = [Runner.run(agent(bench), ERRAND, run_config=config) for _ in range(4)]
            return [result.final_output for result in await asyncio.gather(*runs)]

    return {
        "runs in a session": (_in_a_session((ERRAND, BYE), websocket=websocket), {}),
        "runs in a session, reasoning": (
            _in_a_session((ERRAND, ERRAND), websocket=websocket, model_settings=THINKING),
            TWO_ERRANDS,
        ),
        "previous_response_id": (by_response_id, {}),
        "streamed": (streamed, {}),
        "handoff, streamed": (
            handoff,
            {
                "expected": (
                    'FINAL after tool: \n{"assistant": "forecaster"}\nrain in Ålesund',
                    "forecaster",
                ),
                "calls": ERRAND_CALLS[2:],
                "model_runs": 3,
            },
        ),
        "four runs at once": (
            four_at_once,
            {"expected": [ERRAND_DONE] * 4, "calls": ERRAND_CALLS * 4, "model_runs": 12},
        ),
    }


def _scenarios() -> list[Scenario]:
    made = []
    for websocket in (True, False):
        way = "WebSocket" if websocket else "HTTP"
        for name, (play, options) in _playing(websocket=websocket).items():
            ways = {"sockets": 1} if websocket else {"posts": options.get("model_runs", 4)}
            made.append(Scenario("openai-agents", f"{way}, {name}", play, **options, **ways))
    return made


SCENARIOS: Final = _scenarios()
