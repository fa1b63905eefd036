"""The official SDK's objects as turnwire's model makes them, and the chains that it remembers."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import openai
import pytest
from agents import ModelResponse, Usage
from openai.types import responses as sdk

import turnwire
from interop.frameworks.agents_of_tests import ENVIRONMENT, adder, by_turnwire, run, streamed
from turnwire.adapters.openai_agents import objects
from turnwire.adapters.openai_agents.chains import Chains
from turnwire.events import Response, decode_event
from turnwire.testing import Peer, Turns, answer, call, completed, emit, item, reasoning

pytestmark = [pytest.mark.interop, pytest.mark.io]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)


def event(**fields: Any) -> Any:
    return objects.event(decode_event(msgspec.json.encode(fields)))


def response(**fields: Any) -> Any:
    described = {"id": "resp_1", "status": "completed", **fields}
    created = decode_event(msgspec.json.encode({"type": "response.created", "response": described}))
    return objects.response(created.response)


@pytest.mark.parametrize("union", [sdk.ResponseStreamEvent, sdk.ResponseOutputItem, sdk.Tool])
def test_every_class_of_a_union_is_found_by_its_type(union: Any) -> None:
    found = objects._classes(union)
    classes = get_args(get_args(union)[0])
    assert set(found.values()) == set(classes)
    assert len(found) >= len(classes)


def test_a_type_that_the_sdk_does_not_know_stays_unknown() -> None:
    made = event(type="response.new.delta", sequence_number=3, delta="x")
    assert type(made) is openai.BaseModel
    assert (made.type, made.delta) == ("response.new.delta", "x")
    made = objects.output_item({"type": "new_call", "id": "n_1", "query": "q", "status": "odd"})
    assert not isinstance(made, sdk.ResponseOutputMessage)
    assert made.to_dict() == {"type": "new_call", "id": "n_1", "query": "q", "status": "odd"}
    assert ModelResponse([made], Usage(), "resp_1").to_input_items() == [made.to_dict()]
    tool = response(tools=[{"type": "new_tool", "a": 1}]).tools[0]
    assert (type(tool), tool.to_dict()) == (openai.BaseModel, {"type": "new_tool", "a": 1})


def test_what_does_not_fit_its_class_is_made_all_the_same() -> None:
    made = event(type="response.output_text.delta", delta=7)
    assert (type(made), made.delta) == (sdk.ResponseTextDeltaEvent, 7)
    made = objects.output_item({"type": "function_call", "name": "f"})
    assert (type(made), made.name) == (sdk.ResponseFunctionToolCall, "f")
    made = response(output=[{"type": "message", "content": None}], temperature="hot")
    assert (made.temperature, type(made.output[0])) == ("hot", sdk.ResponseOutputMessage)
    assert response(output=None, tools=None).id == "resp_1"


def test_a_part_of_a_message_that_the_sdk_does_not_know_stays_unknown() -> None:
    parts = [{"type": "output_text", "text": "a", "annotations": []}, {"type": "new", "b": 1}]
    made = objects.output_item({"type": "message", "id": "m_1", "content": parts})
    assert [type(part) for part in made.content] == [sdk.ResponseOutputText, openai.BaseModel]
    assert made.content[1].to_dict() == {"type": "new", "b": 1}


def test_an_items_event_has_the_item_in_its_class() -> None:
    call_item = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    made = event(type="response.output_item.done", output_index=0, item=call_item)
    assert type(made) is sdk.ResponseOutputItemDoneEvent
    assert type(made.item) is sdk.ResponseFunctionToolCall
    made = event(type="response.output_item.added", output_index=0, item={"type": "new"})
    assert type(made.item) is objects.OtherOutputItem


async def test_unknown_items_and_events_pass_through_a_run() -> None:
    steps = [
        item(type="new_call", id="n_1", query="q"),
        emit("response.new_call.searching", query="q"),
        answer("Found."),
    ]
    async with Peer(Turns(steps, [answer("Bye.")])) as peer, by_turnwire(peer) as provider:
        result, events = await streamed(adder(), "Search.", provider)
        kinds = [each.data.type for each in events if each.type == "raw_response_event"]
        assert result.final_output == "Found."
        assert kinds.count("response.new_call.searching") == 1
        said = [*result.to_input_list(), {"role": "user", "content": "Thanks."}]
        assert (await run(adder(), said, provider)).final_output == "Bye."
        assert provider.client.statistics().chain_misses == {}
    assert [len(create["input"]) for create in peer.creates] == [1, 1]


async def test_an_answer_whose_last_event_leaves_the_output_out() -> None:
    script = Turns([reasoning("Hm."), call("add", {"a": 1, "b": 1}), completed([])], [answer("2")])
    async with Peer(script) as peer, by_turnwire(peer) as provider:
        assert (await run(adder(), "Add.", provider)).final_output == "2"
    assert [len(create["input"]) for create in peer.creates] == [1, 1]


async def test_a_response_without_usage_counts_as_one() -> None:
    steps = [answer("Hi."), completed(usage=None)]
    async with Peer(lambda _: steps) as peer, by_turnwire(peer) as provider:
        whole = await run(adder(), "Hi.", provider)
        by_events, _ = await streamed(adder(), "Hi.", provider)
    used = [each.context_wrapper.usage for each in (whole, by_events)]
    assert [(usage.requests, usage.total_tokens) for usage in used] == [(1, 0), (1, 0)]


def ended(*ids: str) -> Response:
    output = [msgspec.Raw(msgspec.json.encode({"type": "message", "id": each})) for each in ids]
    return Response(id="resp_1", status="completed", output_raw=output)


async def test_chains_not_used_for_longest_are_forgotten() -> None:
    async with turnwire.AsyncClient(base_url="http://127.0.0.1:9/v1") as client:
        chains = Chains(client, most_chains=2, most_bytes=100)
        one, two, three = (chains.find([]) for _ in range(3))
        chains.keep(one, ended("a", "b"), 10)
        chains.keep(two, ended("c"), 10)
        chains.keep(one, ended("d"), 20)  # its earlier end is nobody's any more
        chains.keep(three, ended("e"), 10)
        assert len(chains) == 2
        assert chains.find([{"id": "d"}, {"role": "user"}]) is one
        assert chains.find([{"id": "e"}]) is three
        assert chains.find([{"id": "a"}]) not in (one, two, three)
        assert chains.find([{"id": "c"}]) not in (one, two, three)
        chains.keep(three, ended("e"), 90)  # the weight counts too, but never the last one's
        assert len(chains) == 1
        assert chains.find([{"call_id": "e"}]) is three


async def test_a_chain_whose_turns_may_be_sent_again_is_not_for_those_that_must_not() -> None:
    async with turnwire.AsyncClient(base_url="http://127.0.0.1:9/v1") as client:
        chains = Chains(client)
        free, strict = chains.find([]), chains.find([], "never")
        chains.keep(free, ended("a"), 1)
        chains.keep(strict, ended("b"), 1)
        assert chains.find([{"id": "a"}], "never") is not free
        assert chains.find([{"id": "b"}], "never") is strict
        assert chains.find([{"id": "b"}]) is strict
