"""An agent of the OpenAI Agents SDK on one transport, in its own process.

Takes one command a line, ``{"turns": 20, "streamed": false}``, and answers with one line of JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import openai
from agents import Agent, FunctionTool, MaxTurnsExceeded, RunConfig, Runner, set_tracing_disabled
from agents.models.openai_provider import OpenAIProvider
from openai.types.responses import Response, ResponseCompletedEvent

from stacks import Timer
from workload import DIGITS, INSTRUCTIONS, MODEL, QUESTION, TOOL_OUTPUT, TOOLS, call_events

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "k"


def over_http(base_url: str, **options: Any) -> OpenAIProvider:
    """Make the SDK's own model over HTTP."""
    client = openai.AsyncOpenAI(api_key=KEY, base_url=base_url, **options)
    return OpenAIProvider(openai_client=client, use_responses=True, use_responses_websocket=False)


def over_websocket(base_url: str) -> OpenAIProvider:
    """Make the SDK's own model over WebSocket."""
    client = openai.AsyncOpenAI(api_key=KEY, base_url=base_url)
    return OpenAIProvider(openai_client=client, use_responses=True, use_responses_websocket=True)


def drop_in(base_url: str) -> OpenAIProvider:
    """Make the SDK's model over HTTP, whose client is turnwire's."""
    import turnwire.httpx2

    return over_http(base_url, http_client=turnwire.httpx2.AsyncClient())


def adapter(base_url: str) -> Any:
    """Make turnwire's own model."""
    from turnwire.adapters.openai_agents import ModelProvider

    return ModelProvider(api_key=KEY, base_url=base_url)


def from_memory(base_url: str) -> Any:
    """Make a model that sends nothing: what is left is the SDK's own work."""
    from agents.models.openai_responses import OpenAIResponsesModel

    encoded = json.dumps(call_events()[-1]["response"])
    made = Response.model_validate_json(encoded)

    class Memory(OpenAIResponsesModel):
        number = 0

        async def _fetch_response(self, *_: Any, stream: bool = False, **__: Any) -> Any:
            self.number += 1
            digits = f"{self.number:032d}"
            call = made.output[0].model_copy(update={"call_id": f"call_{digits}", "id": digits})
            answer = made.model_copy(update={"id": f"resp_{digits}", "output": [call]})
            return self._events(answer) if stream else answer

        async def _events(self, answer: Response) -> Any:
            yield ResponseCompletedEvent(
                response=answer, sequence_number=0, type="response.completed"
            )

    client = openai.AsyncOpenAI(api_key=KEY, base_url=base_url)
    return OneModel(Memory(MODEL, client))


class OneModel:
    """A provider of one model."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def get_model(self, name: str | None) -> Any:  # noqa: ARG002  # the SDK's signature
        return self._model


STACKS: dict[str, Callable[[str], Any]] = {
    "memory": from_memory,
    "http": over_http,
    "websocket": over_websocket,
    "drop-in": drop_in,
    "adapter": adapter,
}


class Loop:
    """An agent with the tools of the workload."""

    def __init__(self, provider: Any) -> None:
        self._config = RunConfig(model_provider=provider, tracing_disabled=True)
        self._timer = Timer()
        self._agent: Any = Agent(
            name="bench",
            instructions=INSTRUCTIONS,
            model=MODEL,
            tools=[
                FunctionTool(
                    tool["name"],
                    tool["description"],
                    tool["parameters"],
                    self._invoke,
                    strict_json_schema=False,
                )
                for tool in TOOLS
            ],
        )

    async def _invoke(self, context: Any, arguments: str) -> str:  # noqa: ARG002  # the SDK's
        self._timer.lap()
        return TOOL_OUTPUT

    async def run(self, turns: int, *, streamed: bool) -> dict[str, Any]:
        gc.collect()
        cpu, wall = time.process_time(), time.perf_counter()
        self._timer = Timer()
        options: Any = {"run_config": self._config, "max_turns": turns}
        try:
            if streamed:
                result = Runner.run_streamed(self._agent, QUESTION, **options)
                async for _ in result.stream_events():
                    pass
            else:
                await Runner.run(self._agent, QUESTION, **options)
        except MaxTurnsExceeded:  # the model never stops
            pass
        return {
            "cpu": time.process_time() - cpu,
            "wall": time.perf_counter() - wall,
            "laps": self._timer.laps,
        }


async def serve(name: str, base_url: str) -> None:
    loop = Loop(STACKS[name](base_url))
    commands = asyncio.StreamReader()
    running = asyncio.get_running_loop()
    await running.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    print(json.dumps({"ready": name}), flush=True)
    while line := await commands.readline():
        print(json.dumps(await loop.run(**json.loads(line))), flush=True)


if __name__ == "__main__":
    assert DIGITS  # the server puts numbers in their place, so that no two calls are the same
    set_tracing_disabled(disabled=True)
    asyncio.run(serve(*sys.argv[1:]))
