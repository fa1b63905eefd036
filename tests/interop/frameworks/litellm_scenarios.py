"""LiteLLM's ``responses`` and ``aresponses`` with ``client=``, which takes a client of httpx."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final

from interop.frameworks.book import task
from interop.frameworks.lab import Bench, Scenario, Told
from interop.frameworks.overlooking import all_warnings

with all_warnings():
    import litellm
    from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler, HTTPHandler

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    AsyncAsk = Callable[..., Awaitable[Any]]

PARAMS: Final[Any] = {
    "model": "openai/gpt-5",
    "instructions": "You read books.",
    "tools": [
        {
            "type": "function",
            "name": "read_page",
            "description": "Read a page of a book.",
            "parameters": {
                "type": "object",
                "properties": {"book": {"type": "string"}, "page": {"type": "integer"}},
                "required": ["book", "page"],
                "additionalProperties": False,
            },
            "strict": True,
        }
    ],
}


@asynccontextmanager
async def server(bench: Bench) -> AsyncIterator[dict[str, Any]]:
    """Return the arguments that say where the server is; ``client`` is all that differs."""
    http = AsyncHTTPHandler()
    ours = bench.http_client("httpx", replay="safe")  # LiteLLM tries nothing again by itself
    if ours is not None:
        await http.close()
        http.client = ours
    yield {"api_base": bench.base_url, "api_key": "k", "client": http}
    await http.client.aclose()


@contextmanager
def blocking_server(bench: Bench) -> Iterator[dict[str, Any]]:
    """Return the same for code that is not async."""
    http = HTTPHandler(client=bench.http_client("httpx", blocking=True, replay="safe"))
    yield {"api_base": bench.base_url, "api_key": "k", "client": http}
    http.close()


# One turn, in each way that LiteLLM has


async def create(**params: Any) -> Any:
    return await litellm.aresponses(**params)


async def create_streamed(**params: Any) -> Any:
    events = [event async for event in await litellm.aresponses(**params, stream=True)]
    return events[-1].response


def create_blocking(**params: Any) -> Any:
    return litellm.responses(**params)


def create_streamed_blocking(**params: Any) -> Any:
    return list(litellm.responses(**params, stream=True))[-1].response


# The loop


class Loop:
    """A conversation that the caller keeps."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.history: list[Any] = [{"role": "user", "content": task()}]

    def goes_on(self, response: Any) -> bool:
        """Add a response and the outputs of its calls; say whether there are any."""
        output = [
            item if isinstance(item, dict) else item.model_dump(exclude_none=True)
            for item in response.output
        ]
        self.history += output
        calls = [item for item in output if item["type"] == "function_call"]
        for call in calls:
            page = self.bench.read_page(**json.loads(call["arguments"]))
            answer = {"type": "function_call_output", "call_id": call["call_id"], "output": page}
            self.history.append(answer)
        return bool(calls)

    def told(self) -> Told:
        return Told(self.history[-1]["content"][0]["text"], self.history)


def _reading(name: str, ask: AsyncAsk, **params: Any) -> Scenario:
    async def play(bench: Bench) -> Told:
        loop = Loop(bench)
        async with server(bench) as where:
            while loop.goes_on(await ask(**PARAMS, **params, **where, input=loop.history)):
                pass
        return loop.told()

    return Scenario("litellm", name, play)


def _reading_blocking(name: str, ask: Callable[..., Any]) -> Scenario:
    def play(bench: Bench) -> Told:
        loop = Loop(bench)
        with blocking_server(bench) as where:
            while loop.goes_on(ask(**PARAMS, **where, input=loop.history)):
                pass
        return loop.told()

    return Scenario("litellm", name, play)


SCENARIOS: Final = [
    _reading("aresponses", create),
    _reading("aresponses, streamed", create_streamed),
    _reading("aresponses, store=False, streamed", create_streamed, store=False),
    _reading_blocking("responses", create_blocking),
    _reading_blocking("responses, streamed", create_streamed_blocking),
]
