"""turnwire's LiveKit LLM: what it sends, and what it shows of the answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from livekit.agents import APIError, ProviderTool
from livekit.agents import llm as livekit_llm
from livekit.agents.types import NOT_GIVEN
from openai.types import Reasoning

import turnwire
from interop.frameworks.livekit_of_tests import (
    ENVIRONMENT,
    ONCE,
    add,
    ask,
    context,
    inputs,
    opened,
    read,
    weather,
)
from turnwire.adapters.livekit import LLM
from turnwire.testing import (
    Create,
    Gate,
    Peer,
    Step,
    Turns,
    answer,
    call,
    completed,
    drop,
    emit,
    error,
    item,
    wait,
)

pytestmark = [pytest.mark.interop, pytest.mark.io]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)


async def sent(options: dict[str, Any], **chat: Any) -> dict[str, Any]:
    """Return the parameters of a turn."""
    async with Peer() as peer, opened(peer, **options) as llm:
        await llm.chat(chat_ctx=context("Hi"), conn_options=ONCE, **chat).collect()
    (create,) = peer.creates
    return {name: value for name, value in create.items() if name not in ("type", "input")}


async def test_only_what_was_given_is_sent() -> None:
    assert await sent({}) == {"model": "gpt-4.1"}
    assert await sent({"temperature": NOT_GIVEN, "store": None}) == {"model": "gpt-4.1"}


async def test_every_parameter_is_sent() -> None:
    given = {
        "user": "ada",
        "temperature": 0.5,
        "top_p": 0.9,
        "store": True,
        "metadata": {"call": "7"},
        "service_tier": "priority",
        "max_output_tokens": 99,
        "prompt_cache_options": {"ttl": "30m"},
    }
    expected = {"model": "gpt-4.1", **given, "text": {"verbosity": "low"}}
    assert await sent({**given, "verbosity": "low"}) == expected


async def test_what_a_chat_adds_is_sent_and_what_nobody_knows_too() -> None:
    extra = {"text": {"format": {"type": "text"}}, "new_parameter": 1}
    assert await sent({"verbosity": "high"}, extra_kwargs=extra) == {
        "model": "gpt-4.1",
        "text": {"format": {"type": "text"}, "verbosity": "high"},
        "new_parameter": 1,
    }


async def test_models_that_reason_do_so_as_little_as_they_can() -> None:
    assert await sent({"model": "gpt-5"}) == {"model": "gpt-5", "reasoning": {"effort": "minimal"}}
    # Without reasoning this model takes a temperature, else it does not.
    cool = {"model": "gpt-5.4", "temperature": 0.5}
    assert await sent(cool) == {**cool, "reasoning": {"effort": "none"}}
    chosen = Reasoning(effort="low")
    assert await sent({**cool, "reasoning": chosen}) == {
        "model": "gpt-5.4",
        "reasoning": {"effort": "low"},  # no null beside it: servers refuse those
    }


async def test_schemas_are_strict_unless_told() -> None:
    (strict,) = (await sent({}, tools=[weather]))["tools"]
    assert strict == {
        "type": "function",
        "name": "weather",
        "description": "Look up the weather.\n",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "Where."}},
            "required": ["city"],
            "additionalProperties": False,
        },
    }
    (loose,) = (await sent({"strict_tool_schema": False}, tools=[add]))["tools"]
    assert loose["strict"] is False
    assert loose["parameters"]["required"] == ["a"]


async def test_raw_schemas_and_tools_of_the_server_go_as_they_are() -> None:
    class Search(ProviderTool):
        def to_dict(self) -> dict[str, Any]:
            return {"type": "web_search"}

    raw = {"name": "raw", "parameters": {"type": "object", "properties": {}}}

    @livekit_llm.function_tool(raw_schema=raw)
    async def any_tool(raw_arguments: dict[str, object]) -> str:
        return "ok"

    tools = (await sent({}, tools=[any_tool, Search(id="search")]))["tools"]
    assert tools == [{**raw, "type": "function"}, {"type": "web_search"}]


async def test_a_choice_of_tools_is_sent_with_tools_only() -> None:
    options = {"tool_choice": "required", "parallel_tool_calls": False}
    assert await sent(options) == {"model": "gpt-4.1"}
    of_llm = await sent(options, tools=[add])
    assert (of_llm["tool_choice"], of_llm["parallel_tool_calls"]) == ("required", False)
    named: Any = {"type": "function", "function": {"name": "add"}}
    of_chat = await sent(options, tools=[add], tool_choice=named, parallel_tool_calls=True)
    assert of_chat["tool_choice"] == {"type": "function", "name": "add"}
    assert of_chat["parallel_tool_calls"] is True


async def test_text_calls_and_usage_are_shown() -> None:
    usage = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 15,
    }
    steps = [
        answer("Let me see."),
        call("weather", {"city": "Oslo"}, call_id="call_a"),
        call("add", {"a": 1}, call_id="call_b"),
        completed(usage=usage, service_tier="priority"),
    ]
    async with Peer(Turns(steps)) as peer, opened(peer) as llm:
        stream = llm.chat(chat_ctx=context("Hi"), tools=[weather, add], conn_options=ONCE)
        chunks = [chunk async for chunk in stream]
        await stream.aclose()
    deltas = [chunk.delta for chunk in chunks if chunk.delta is not None]
    assert [delta.content for delta in deltas] == ["Let", " me", " see.", None, None]
    assert [
        (made.call_id, made.name, made.arguments) for delta in deltas for made in delta.tool_calls
    ] == [("call_a", "weather", '{"city":"Oslo"}'), ("call_b", "add", '{"a":1}')]
    assert {chunk.id for chunk in chunks} == {"resp_1"}
    assert [chunk.usage for chunk in chunks if chunk.usage] == [
        livekit_llm.CompletionUsage(
            completion_tokens=5,
            prompt_tokens=10,
            prompt_cached_tokens=4,
            cache_creation_tokens=3,
            reasoning_tokens=2,
            total_tokens=15,
            service_tier="priority",
        )
    ]


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, None),
        ({"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}, 5),
        (
            {
                "input_tokens": 3,
                "input_tokens_details": None,
                "output_tokens": 2,
                "output_tokens_details": None,
                "total_tokens": 5,
            },
            5,
        ),
    ],
)
async def test_usage_may_be_missing_or_have_no_details(usage: Any, expected: int | None) -> None:
    async with Peer(Turns([answer("Hi."), completed(usage=usage)])) as peer, opened(peer) as llm:
        collected = await ask(llm, context(), "Hi")
    assert collected.text == "Hi."
    assert (collected.usage.total_tokens if collected.usage else None) == expected


async def test_text_and_calls_that_come_in_one_piece_are_shown_once() -> None:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "All at once.", "annotations": []}],
    }
    made = {
        "id": "fc_1",
        "type": "function_call",
        "call_id": "call_a",
        "name": "add",
        "arguments": "{}",
    }
    async with Peer(Turns([completed([message, made])])) as peer, opened(peer) as llm:
        collected = await ask(llm, context(), "Hi", tools=[add])
    assert collected.text == "All at once."
    assert [each.call_id for each in collected.tool_calls] == ["call_a"]


async def test_the_phase_of_a_message_is_kept() -> None:
    content = [{"type": "output_text", "text": "Hm.", "annotations": []}]
    steps = [item(type="message", role="assistant", content=content, phase="commentary")]
    async with Peer(Turns(steps)) as peer, opened(peer) as llm:
        collected = await ask(llm, context(), "Hi")
    assert collected.extra == {"openai": {"phase": "commentary"}}
    assert collected.text == "Hm."


async def test_items_and_events_that_nobody_knows_do_not_hang_it() -> None:
    steps = [
        emit("response.new_thing.delta", delta="?"),
        item(type="image_generation_call", status="completed", result=""),
        item(type="brand_new_item", what=None),
        answer("Done."),
    ]
    async with Peer(Turns(steps, [answer("Again.")])) as peer, opened(peer) as llm:
        given = context()
        assert (await ask(llm, given, "Hi")).text == "Done."
        assert (await ask(llm, given, "Go on.")).text == "Again."
    assert inputs(peer)[1] == [("user", "Go on.")]


async def test_parallel_streams_do_not_mix() -> None:
    gate = Gate()

    def script(create: Create) -> list[Step]:
        return [answer(f"{create.text} {create.text}"), wait(gate, after=5)]

    async with Peer(script) as peer, opened(peer, lanes=True) as llm:
        names = [f"chat {number}" for number in range(8)]
        asking = asyncio.gather(*(ask(llm, context(), name) for name in names))
        await peer.wait_until(lambda: len(peer.creates) == 8)
        gate.open()
        answers = await asking
        again = await asyncio.gather(
            *(
                ask(llm, context(name, each.text), "And now?")
                for name, each in zip(names, answers, strict=True)
            )
        )
    assert [each.text for each in answers] == [f"{name} {name}" for name in names]
    assert {each.text for each in again} == {"And now? And now?"}
    assert len(peer.connections) == 1
    assert inputs(peer)[8:] == [[("user", "And now?")]] * 8  # each on its own chain
    assert peer.refusals == []


async def test_prewarm_opens_a_socket_and_runs_no_model() -> None:
    async with Peer() as peer, opened(peer) as llm:
        llm.prewarm()
        await peer.wait_until(lambda: peer.warm_ups == 1)
        await llm._prewarm_task  # type: ignore[misc]
        assert peer.model_runs == 0
        assert (await ask(llm, context(), "Hi")).text == "Hi"
        assert len(peer.connections) == 1
    assert peer.model_runs == 1


@pytest.mark.parametrize(
    "options",
    [
        {"handshake": 426},
        {"warm_up": [drop()]},
        {"warm_up": [error("unsupported_parameter", param="generate")]},
    ],
)
async def test_a_prewarm_that_fails_disturbs_nobody(options: dict[str, Any]) -> None:
    async with Peer(**options) as peer, opened(peer) as llm:
        llm.prewarm()
        assert (await ask(llm, context(), "Hi")).text == "Hi"


async def test_over_http_there_is_nothing_to_prewarm() -> None:
    async with Peer() as peer, opened(peer, transport="http") as llm:
        llm.prewarm()
        assert (await ask(llm, context(), "Hi")).text == "Hi"
    assert (peer.connections, len(peer.posts)) == ([], 1)


async def test_closing_ends_what_runs() -> None:
    async with Peer(lambda create: [answer("Hello world"), wait(Gate(), after=5)]) as peer:
        llm = LLM(base_url=peer.base_url)
        stream = llm.chat(chat_ctx=context("Hi"))
        assert (await anext(stream)).id == "resp_1"
        await llm.aclose()
        with pytest.raises(APIError):
            await asyncio.wait_for(read(stream, []), 10)
        await stream.aclose()
        await llm.aclose()
        with pytest.raises(APIError, match="closed"):
            await ask(llm, context(), "Hi")
        await peer.wait_until(lambda: not any(each.is_open for each in peer.connections))


async def test_a_client_may_be_shared_and_stays_open() -> None:
    async with Peer() as peer, turnwire.AsyncClient(base_url=peer.base_url) as client:
        for _ in range(2):
            async with LLM(client=client) as llm:
                assert (await ask(llm, context(), "Hi")).text == "Hi"
        assert len(peer.connections) == 1


async def test_who_it_is() -> None:
    async with Peer() as peer, opened(peer, model="gpt-5.4") as llm:
        assert llm.model == "gpt-5.4"
        assert f"http://{llm.provider}/v1" == peer.base_url
        assert llm.label == "turnwire.adapters.livekit.LLM"
    async with turnwire.AsyncClient(api_key="none") as client, LLM(client=client) as shared:
        assert shared.provider == "turnwire"
    async with LLM(api_key="none") as hosted:
        assert hosted.provider == "api.openai.com"


async def test_options_that_do_not_fit_are_refused_at_once() -> None:
    with pytest.raises(turnwire.ConfigError, match="no API key"):
        LLM()
    with pytest.raises(turnwire.ConfigError, match="`temprature` is not an option"):
        LLM(api_key="none", temprature=1.0)  # type: ignore[call-arg]
    async with turnwire.AsyncClient(api_key="none") as client:
        with pytest.raises(turnwire.ConfigError, match="give \\['base_url'\\] to the client"):
            LLM(client=client, base_url="http://127.0.0.1:1/v1")


async def test_none_is_a_value_of_the_clients_options() -> None:
    async with Peer() as peer, opened(peer, max_age=None, first_event_timeout=None) as llm:
        assert (await ask(llm, context(), "Hi")).text == "Hi"
