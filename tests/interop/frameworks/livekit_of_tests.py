"""What the tests of LiveKit have in common: contexts, tools, and what the model saw of them."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from livekit.agents import Agent, APIConnectOptions, function_tool
from livekit.agents import llm as livekit_llm

from turnwire.adapters.livekit import LLM
from turnwire.testing import answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from livekit.agents.llm import ChatContext, CollectedResponse

    from turnwire.testing import Create, Peer, Script, Step

Json = dict[str, Any]

ENVIRONMENT = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID")
ONCE = APIConnectOptions(max_retry=0)


@function_tool
async def weather(city: str) -> str:
    """Look up the weather.

    Args:
        city: Where.
    """
    return f"sunny in {city}"


@function_tool
async def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


class Assistant(Agent):
    def __init__(self, instructions: str = "Be brief.") -> None:
        super().__init__(instructions=instructions, tools=[weather, add])


class Watched:
    """A script that keeps what the model saw, and what of it was sent, warm-ups aside."""

    def __init__(self, script: Script | None = None) -> None:
        self.seen: list[list[Any]] = []
        self.sent: list[list[Any]] = []
        self._script = script or (lambda create: [answer(f"You said {create.text}.")])

    def __call__(self, create: Create) -> Iterable[Step]:
        if not create.is_warm_up:
            self.seen.append(plain([*create.history, *create.input]))
            self.sent.append(plain(create.input))
        return self._script(create)


class Recorded(LLM):
    """Turnwire's LLM, which keeps the contexts that it is given as LiveKit would send them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.contexts: list[list[Any]] = []

    def chat(self, *, chat_ctx: ChatContext, **arguments: Any) -> Any:
        items, _ = chat_ctx.copy().to_provider_format("openai.responses")
        self.contexts.append(plain(items))
        return super().chat(chat_ctx=chat_ctx, **arguments)


def plain(items: Iterable[Json]) -> list[Any]:
    """Return what items say, without ids and forms; what LiveKit does not know is left out."""
    said = [_plain(item) for item in items]
    return [each for each in said if each is not None]


def _plain(item: Json) -> Any:
    match item.get("type", "message"):
        case "message":
            content = item["content"]
            text = content if isinstance(content, str) else "".join(p["text"] for p in content)
            return (item["role"], text.strip())
        case "function_call":
            return (item["call_id"], item["name"], json.loads(item["arguments"]))
        case "function_call_output":
            return (item["call_id"], item["output"])
        case _:
            return None


@asynccontextmanager
async def opened(peer: Peer, **options: Any) -> AsyncIterator[LLM]:
    """Open an LLM."""
    async with LLM(**{"base_url": peer.base_url, **options}) as made:
        assert isinstance(made, LLM)
        yield made


def context(*said: str, instructions: str = "Be brief.") -> ChatContext:
    """Return a context in which user and assistant take turns."""
    made = livekit_llm.ChatContext.empty()
    made.add_message(role="system", content=instructions)
    for number, text in enumerate(said):
        made.add_message(role="assistant" if number % 2 else "user", content=text)
    return made


async def ask(llm: Any, given: ChatContext, said: str, **options: Any) -> CollectedResponse:
    """Say something, and take what is answered into the context."""
    given.add_message(role="user", content=said)
    return await follow(llm, given, **options)


async def follow(llm: Any, given: ChatContext, **options: Any) -> CollectedResponse:
    """Run a chat, and take what is answered into the context, as an agent does."""
    collected = await llm.chat(chat_ctx=given, **{"conn_options": ONCE, **options}).collect()
    answered: CollectedResponse = collected
    item_id = livekit_llm.ChatMessage(role="assistant", content=[]).id
    if answered.text:
        given.add_message(role="assistant", content=answered.text, id=item_id)
    for number, each in enumerate(answered.tool_calls):
        given.items.append(
            livekit_llm.FunctionCall(
                id=f"{item_id}/fnc_{number}",
                call_id=each.call_id,
                name=each.name,
                arguments=json.dumps(json.loads(each.arguments)),  # LiveKit writes it anew too
            )
        )
    return answered


async def read(stream: Any, into: list[Any]) -> None:
    """Read a stream to its end, which may be an error; what came before it is kept."""
    async for chunk in stream:
        into.append(chunk)  # noqa: PERF401  # a comprehension would lose it


def put_output(given: ChatContext, call_id: str, output: str) -> None:
    """Answer a call."""
    given.items.append(
        livekit_llm.FunctionCallOutput(call_id=call_id, output=output, is_error=False)
    )


def inputs(peer: Peer) -> list[list[Any]]:
    """Return what each create brought along, warm-ups aside."""
    return [plain(create["input"]) for create in peer.creates if create.get("generate", True)]


def links(peer: Peer) -> list[str | None]:
    """Return which response each create continued."""
    return [create.get("previous_response_id") for create in peer.creates]
