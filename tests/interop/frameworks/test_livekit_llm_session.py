"""A real AgentSession on turnwire's LiveKit LLM, beside LiveKit's own plugin over HTTP."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from livekit.agents import AgentSession
from livekit.plugins.openai import responses
from openai import AsyncOpenAI

from interop.frameworks.livekit_of_tests import (
    ENVIRONMENT,
    Assistant,
    Recorded,
    Watched,
    inputs,
    plain,
)
from turnwire.testing import Create, Gate, Peer, Step, answer, call, drop, error, wait

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = [pytest.mark.interop, pytest.mark.io]

TALK = ("Hi", "How is the weather in Oslo and in Rome?", "Count to twenty.", "Thanks.")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)


def model(create: Create) -> list[Step]:
    """Answer by what was said, whatever way it came; ids are the same in each run."""
    everything = [*create.history, *create.input]
    since = _since_the_user_spoke(everything)
    done = [each["output"] for each in since if each.get("type") == "function_call_output"]
    asked, turn = str(since[0]["content"]), len(everything)
    if "weather" in asked and not done:
        cities = ("Oslo", "Rome")
        calls = [call("weather", {"city": city}, call_id=f"{city}_{turn}") for city in cities]
        return [answer("Let me see. "), *calls]
    if "Count" in asked and len(done) < 20:
        return [call("add", {"a": len(done)}, call_id=f"add_{turn}")]
    return [answer(f"So: {', '.join(done) or asked}")]


def _since_the_user_spoke(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    last = max(at for at, each in enumerate(items) if each.get("role") == "user")
    return items[last:]


@asynccontextmanager
async def started(llm: Any) -> AsyncIterator[AgentSession[None]]:
    async with AgentSession[None](llm=llm, max_tool_steps=50) as session:
        await session.start(Assistant())
        yield session


def history(session: Any) -> list[Any]:
    """Return a session's history without ids and times."""
    kept = {"type", "role", "content", "interrupted", "call_id", "name", "arguments", "output"}
    return [each.model_dump(include=kept) for each in session.history.items]


async def talked(peer: Peer, llm: Any) -> list[Any]:
    async with started(llm) as session:
        for said in TALK:
            await session.run(user_input=said)
        return history(session)


async def by_http(peer: Peer) -> list[Any]:
    """Let LiveKit's own plugin do it over HTTP; unstored, as it repeats what the server has."""
    async with AsyncOpenAI(api_key="none", base_url=peer.base_url) as client:
        llm = responses.LLM(model="gpt-4.1", client=client, use_websocket=False, store=False)
        result = await talked(peer, llm)
        await llm.aclose()
        return result


def nothing(create: Create) -> list[Step]:
    return []


def _drops(create: Create) -> list[Step]:
    lost = create.number in (4, 13)
    return [*model(create), drop(after="response.created")] if lost else []


def _forgets(create: Create) -> list[Step]:
    forgotten = create.number in (5, 14) and "previous_response_id" in create.request
    return [error("previous_response_not_found")] if forgotten else []


def _is_busy(create: Create) -> list[Step]:
    busy = {"retry-after-ms": "1"}
    return [error("rate_limit_exceeded", 429, headers=busy)] if create.number == 6 else []


@pytest.mark.parametrize(
    ("trouble", "options"),
    [
        (nothing, {}),
        (nothing, {"handshake": 426}),
        (nothing, {"lanes": "ignore"}),
        (nothing, {"lanes": "reject"}),
        (_drops, {}),
        (_forgets, {}),
        (_is_busy, {}),
    ],
)
async def test_a_talk_with_tools_is_that_of_livekits_plugin(
    trouble: Callable[[Create], list[Step]], options: dict[str, Any]
) -> None:
    plugin = Watched(model)
    async with Peer(plugin) as peer:
        expected = await by_http(peer)
        http_bytes = sum(len(post.raw) for post in peer.posts)
    ours = Watched(lambda create: trouble(create) or model(create))
    async with Peer(ours, **options) as peer:
        llm = Recorded(base_url=peer.base_url)
        assert await talked(peer, llm) == expected
        sent_bytes = llm.client.statistics().sent_bytes
        await llm.aclose()
    assert len(expected) > 50
    assert _once(ours.seen) == plugin.seen == llm.contexts
    assert [each for each in peer.refusals if each.param != "stream_id"] == []
    assert sent_bytes < http_bytes / 2


def _once(seen: list[list[Any]]) -> list[list[Any]]:
    """Leave out what came again because the server had not read it, or had lost it."""
    return [each for at, each in enumerate(seen) if at == 0 or seen[at - 1] != each]


async def test_a_talk_over_http_chains_too() -> None:
    script = Watched(model)
    async with Peer(script) as peer:
        llm = Recorded(base_url=peer.base_url, transport="http")
        await talked(peer, llm)
        await llm.aclose()
    assert script.seen == llm.contexts
    assert (len(peer.connections), len(peer.posts)) == (0, 25)
    assert max(len(each) for each in inputs(peer)[1:]) == 2


async def test_an_agent_that_is_interrupted_goes_on_with_what_it_said() -> None:
    gate = Gate()

    def script(create: Create) -> list[Step]:
        if "story" in create.text:
            return [answer("Once upon a time"), wait(gate, after="response.output_text.delta")]
        return [answer(f"You said {create.text}")]

    watched = Watched(script)
    async with Peer(watched) as peer:
        llm = Recorded(base_url=peer.base_url, lanes=True)
        async with started(llm) as session:
            await session.run(user_input="Hi")
            telling = asyncio.ensure_future(session.run(user_input="A story, please."))
            await gate.wait_reached()
            await session.interrupt()
            await telling
            gate.open()
            await session.run(user_input="Stop.")
            await session.run(user_input="Good.")
            last = plain(session.history.to_provider_format("openai.responses")[0])
        await llm.aclose()
    assert watched.seen == llm.contexts
    assert watched.seen[-1] == [("system", "Be brief."), *last[:-1]]
    assert inputs(peer)[-1] == [("user", "Good.")]
    assert peer.refusals == []


async def test_two_agents_share_one_llm() -> None:
    watched = Watched(model)
    async with Peer(watched) as peer:
        llm = Recorded(base_url=peer.base_url, lanes=True)
        async with started(llm) as one, started(llm) as other:
            for said in TALK:
                await asyncio.gather(one.run(user_input=said), other.run(user_input=said))
            assert history(one) == history(other)
        await llm.aclose()
    assert sorted(map(repr, watched.seen)) == sorted(map(repr, llm.contexts))
    assert peer.refusals == []
