"""Agents of the OpenAI Agents SDK on turnwire's own model, against the scripted peer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from agents import Agent, ModelSettings, Runner, SQLiteSession, trace
from agents.models import get_default_model
from agents.tracing import (
    ResponseSpanData,
    TracingProcessor,
    set_trace_processors,
    set_tracing_disabled,
)
from pydantic import BaseModel

import turnwire
from interop.frameworks.agents_of_tests import (
    ENVIRONMENT,
    add,
    adder,
    by_http,
    by_turnwire,
    calls,
    config,
    run,
    streamed,
)
from turnwire.adapters.openai_agents import ModelProvider
from turnwire.testing import Create, Gate, Peer, Step, Turns, answer, call, wait

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.interop, pytest.mark.io]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let nothing of the environment in, and no traces out."""
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    set_trace_processors([])
    yield
    set_trace_processors([])


async def test_a_loop_of_twenty_tools_is_that_of_http_and_sends_only_what_is_new() -> None:
    async with Peer(calls(20)) as peer, by_http(peer) as provider:
        expected = await run(adder(), "Add a lot.", provider)
        http_bytes = sum(len(post.raw) for post in peer.posts)
    async with Peer(calls(20)) as peer, by_turnwire(peer) as ours:
        result = await run(adder(), "Add a lot.", ours)
        statistics = ours.client.statistics()
    assert result.final_output == expected.final_output == "Done."
    assert result.to_input_list() == expected.to_input_list()
    assert [each.output for each in result.raw_responses] == [
        each.output for each in expected.raw_responses
    ]
    assert result.context_wrapper.usage.requests == 21
    assert result.last_response_id == "resp_21"
    assert (statistics.chain_hits, statistics.chain_misses, statistics.dials) == (20, {}, 1)
    assert [len(create["input"]) for create in peer.creates] == [1] * 21
    assert statistics.sent_bytes * 3 < http_bytes
    assert peer.refusals == []


@pytest.mark.parametrize("store", [True, False])
async def test_without_storage_too(store: bool) -> None:  # noqa: FBT001  # a parameter of the test
    async with Peer(calls(5)) as peer, by_turnwire(peer) as provider:
        agent = adder(model_settings=ModelSettings(store=store))
        result = await run(agent, "Add.", provider)
    assert result.final_output == "Done."
    assert [create["store"] for create in peer.creates] == [store] * 6
    assert [len(create["input"]) for create in peer.creates] == [1] * 6


async def test_a_stream_has_the_events_of_http() -> None:
    async with Peer(calls(3)) as peer, by_http(peer) as provider:
        expected, expected_events = await streamed(adder(), "Add.", provider)
    async with Peer(calls(3)) as peer, by_turnwire(peer) as ours:
        result, events = await streamed(adder(), "Add.", ours)
    assert result.final_output == expected.final_output == "Done."
    assert [seen(event) for event in events] == [seen(event) for event in expected_events]


def seen(event: Any) -> Any:
    """Return what a consumer sees of an event, without the runner's own bookkeeping."""
    if event.type == "raw_response_event":
        data = event.data.to_dict()
        data.get("response", {}).pop("previous_response_id", None)  # what turnwire is for
        data.get("response", {}).pop("usage", None)  # the peer counts what it is sent
        return type(event.data), data
    item = getattr(event, "item", None)
    return event.type, getattr(event, "name", None), item and item.to_input_item()


async def test_a_handoff_to_an_agent_with_other_tools() -> None:
    def script(create: Create) -> list[Step]:
        if create.request["instructions"] == "Pass on.":
            return [call("transfer_to_adder", {}, call_id="call_handoff")]
        return [answer("Added.")]

    async with Peer(script) as peer, by_turnwire(peer) as provider:
        first = Agent(name="first", instructions="Pass on.", handoffs=[adder()], model="any")
        result = await run(first, "Add.", provider)
        statistics = provider.client.statistics()
    assert (result.final_output, result.last_agent.name) == ("Added.", "adder")
    assert statistics.chain_misses == {"parameters_changed": 1}
    assert peer.refusals == []


async def test_structured_output() -> None:
    class Sum(BaseModel):
        total: int

    async with Peer(lambda _: [answer('{"total": 42}')]) as peer, by_turnwire(peer) as provider:
        agent = Agent(name="sum", model="any", output_type=Sum)
        result = await run(agent, "17 and 25", provider)
    assert result.final_output == Sum(total=42)
    assert peer.creates[0]["text"]["format"]["name"] == "final_output"


async def test_a_session_goes_on_where_it_was() -> None:
    session = SQLiteSession("s")
    async with Peer() as peer, by_turnwire(peer) as provider:
        for text in ("one", "two", "three"):
            result = await run(adder(), text, provider, session=session)
            assert result.final_output == text
    assert [len(create["input"]) for create in peer.creates] == [1, 1, 1]
    assert len(await session.get_items()) == 6
    session.close()


async def test_runs_side_by_side_share_a_socket_and_do_not_mix() -> None:
    def script(create: Create) -> list[Step]:
        first = next(each for each in [*create.history, *create.input] if "role" in each)
        name = first["content"] if isinstance(first["content"], str) else "?"
        done = sum(
            each.get("type") == "function_call_output" for each in [*create.history, *create.input]
        )
        if done < 3:
            return [call("add", {"a": done, "b": done}, call_id=f"call_{name}_{done}")]
        return [answer(f"Done for {name}.")]

    names = [f"run {number}" for number in range(12)]
    async with Peer(script) as peer, by_turnwire(peer, lanes=True, max_sockets=1) as provider:
        results = await asyncio.gather(*(run(adder(), name, provider) for name in names))
        statistics = provider.client.statistics()
    assert [result.final_output for result in results] == [f"Done for {name}." for name in names]
    assert (statistics.dials, statistics.chain_hits, statistics.chain_misses) == (1, 36, {})
    assert peer.refusals == []


async def test_two_runs_that_go_on_from_the_same_answer() -> None:
    gate = Gate()
    steps: list[Step] = [wait(gate), answer("left")]
    script = Turns([answer("Which way?")], steps, [answer("right")])
    async with Peer(script, lanes="echo") as peer, by_turnwire(peer, lanes=True) as provider:
        first = (await run(adder(), "Hello.", provider)).to_input_list()
        left = asyncio.create_task(
            run(adder(), [*first, {"role": "user", "content": "Left."}], provider)
        )
        await gate.wait_reached()
        right = await run(adder(), [*first, {"role": "user", "content": "Right."}], provider)
        gate.open()
        assert (right.final_output, (await left).final_output) == ("right", "left")
    assert [len(create["input"]) for create in peer.creates] == [1, 1, 1]
    assert peer.refusals == []


async def test_an_edited_history_is_sent_anew() -> None:
    async with Peer() as peer, by_turnwire(peer) as provider:
        history: list[Any] = (await run(adder(), "one", provider)).to_input_list()
        history[0]["content"] = "another"
        await run(adder(), [*history, {"role": "user", "content": "two"}], provider)
        assert provider.client.statistics().chain_misses == {"history_changed": 1}
    assert [len(create["input"]) for create in peer.creates] == [1, 3]
    assert peer.creates[1]["input"][0]["content"] == "another"
    assert peer.refusals == []


async def test_a_history_that_the_server_keeps_is_linked_as_the_runner_says() -> None:
    async with Peer(calls(2)) as peer, by_turnwire(peer) as provider:
        result = await run(adder(), "Add.", provider, auto_previous_response_id=True)
    links = [create.get("previous_response_id") for create in peer.creates]
    assert (result.final_output, links) == ("Done.", [None, "resp_1", "resp_2"])
    assert [len(create["input"]) for create in peer.creates] == [1, 1, 1]


async def test_a_stored_conversation_and_a_prompt_are_named() -> None:
    async with Peer() as peer, by_turnwire(peer) as provider:
        agent = Agent[Any](name="a", model="any", prompt={"id": "pmpt_1", "version": "2"})
        await run(agent, "Hello.", provider, conversation_id="conv_1")
    (create,) = peer.creates
    assert create["conversation"] == "conv_1"
    assert create["prompt"] == {"id": "pmpt_1", "version": "2", "variables": None}


async def test_settings_of_the_model_are_sent() -> None:
    settings = ModelSettings(
        temperature=0.5,
        max_tokens=7,
        metadata={"a": "b"},
        parallel_tool_calls=False,
        extra_args={"service_tier": "flex"},
        extra_body={"new_field": 1},
    )
    async with Peer() as peer, by_turnwire(peer) as provider:
        await run(adder(model_settings=settings), "Hello.", provider)
    (create,) = peer.creates
    names = ("temperature", "max_output_tokens", "metadata", "service_tier", "new_field")
    assert {name: create[name] for name in names} == {
        "temperature": 0.5,
        "max_output_tokens": 7,
        "metadata": {"a": "b"},
        "service_tier": "flex",
        "new_field": 1,
    }
    assert create["parallel_tool_calls"] is False
    assert peer.handshakes[0]["User-Agent"].startswith("Agents/Python ")


class Spans(TracingProcessor):
    """Keeps what models report."""

    def __init__(self) -> None:
        self.found: list[ResponseSpanData] = []

    def on_span_end(self, span: Any) -> None:
        if isinstance(span.span_data, ResponseSpanData):
            self.found.append(span.span_data)

    def on_span_start(self, span: Any) -> None: ...
    def on_trace_start(self, trace: Any) -> None: ...
    def on_trace_end(self, trace: Any) -> None: ...
    def shutdown(self) -> None: ...
    def force_flush(self) -> None: ...


@pytest.mark.parametrize("sensitive", [True, False])
async def test_a_turn_has_a_span_with_content_only_if_allowed(sensitive: bool) -> None:  # noqa: FBT001  # a parameter of the test
    spans = Spans()
    set_tracing_disabled(False)  # the SDK's signature
    set_trace_processors([spans])
    async with Peer() as peer, by_turnwire(peer) as provider:
        options = config(provider, tracing_disabled=False, trace_include_sensitive_data=sensitive)
        with trace("test"):
            await Runner.run(adder(), "Hello.", run_config=options)
            result = Runner.run_streamed(adder(), "Hello.", run_config=options)
            assert [event async for event in result.stream_events()]
    said = [span.response.output_text if span.response else None for span in spans.found]
    assert said == (["Hello.", "Hello."] if sensitive else [None, None])
    assert [bool(span.input) for span in spans.found] == [sensitive, sensitive]
    assert all(span.usage and span.usage["requests"] == 1 for span in spans.found)


async def test_a_client_of_ones_own_is_shared_and_not_closed() -> None:
    async with Peer() as peer, turnwire.AsyncClient(base_url=peer.base_url) as client:
        async with ModelProvider(client) as provider:
            assert (await run(adder(), "Hello.", provider)).final_output == "Hello."
        assert (await client.responses.create(model="any", input="Again.")).output_text == "Again."
    assert len(peer.connections) == 1
    with pytest.raises(turnwire.ConfigError, match="not both"):
        ModelProvider(client, api_key="k")


async def test_names_of_models() -> None:
    async with Peer() as peer, by_turnwire(peer) as provider:
        assert provider.get_model("a") is provider.get_model("a")
        assert provider.get_model("a") is not provider.get_model("b")
        assert provider.get_model(None).model == get_default_model()
        await run(Agent(name="a", tools=[add], model=provider.get_model("own")), "Hi.", provider)
    assert peer.creates[0]["model"] == "own"


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [(None, True), ("https://api.openai.com/v1", True), ("http://a", False)],
)
def test_a_key_for_the_prompt_cache_is_for_the_hosted_service(
    base_url: str | None,
    expected: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    model = ModelProvider(api_key="k", base_url=base_url).get_model("any")
    assert model._supports_default_prompt_cache_key() is expected
