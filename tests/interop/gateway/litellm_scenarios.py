"""LiteLLM as a client: ``responses``, and ``completion`` over them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from interop.frameworks.overlooking import all_warnings
from interop.gateway.lab import BYE, ERRAND, Bench, Scenario
from interop.gateway.openai_scenarios import PARAMS

with all_warnings():
    import litellm

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

# One that LiteLLM knows: else it waits for the whole answer and says it streams.
MODEL: Final = "openai/gpt-4.1"


async def create(**params: Any) -> Any:
    return await litellm.aresponses(**params)


async def create_streamed(**params: Any) -> Any:
    events = [event async for event in await litellm.aresponses(**params, stream=True)]
    return events[-1].response


def _loop(ask: Callable[..., Awaitable[Any]], **options: Any) -> Any:
    async def play(bench: Bench) -> Any:
        history, said = list[Any](), []
        for text in (ERRAND, BYE):
            given: list[Any] = [{"role": "user", "content": text}]
            while given:
                history += given
                response = await ask(
                    **PARAMS | {"model": MODEL},
                    **options,
                    input=history,
                    api_base=bench.base_url,
                    api_key="k",
                )
                output = [
                    item if isinstance(item, dict) else item.model_dump(exclude_none=True)
                    for item in response.output
                ]
                history += output
                given = [
                    {
                        "type": "function_call_output",
                        "call_id": call["call_id"],
                        "output": bench.do(call["name"], json.loads(call["arguments"])),
                    }
                    for call in output
                    if call["type"] == "function_call"
                ]
            said.append(history[-1]["content"][0]["text"])
        return tuple(said)

    return play


async def completions(bench: Bench) -> Any:
    """Chat completions on LiteLLM's side, Responses on the wire."""
    tools = [
        {"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}}
        for tool in PARAMS["tools"]
    ]
    messages, said = list[Any](), []
    for text in (ERRAND, BYE):
        given: list[Any] = [{"role": "user", "content": text}]
        while given:
            messages += given
            answered: Any = await litellm.acompletion(
                model=MODEL.replace("/", "/responses/"),
                messages=messages,
                tools=tools,
                api_base=bench.base_url,
                api_key="k",
            )
            message = answered.choices[0].message
            messages.append(message.model_dump(exclude_none=True))
            given = [
                {
                    "role": "tool",
                    "tool_call_id": call.id,
                    "content": bench.do(call.function.name, json.loads(call.function.arguments)),
                }
                for call in message.tool_calls or []
            ]
        said.append(message.content)
    return tuple(said)


def _scenario(name: str, play: Any) -> Scenario:
    return Scenario("litellm", name, play, posts=4)


SCENARIOS: Final = [
    _scenario("aresponses", _loop(create)),
    _scenario("aresponses, streamed", _loop(create_streamed)),
    _scenario("aresponses, store=False, streamed", _loop(create_streamed, store=False)),
    _scenario("acompletion over responses", completions),
]
