"""Callers send the whole history; what goes over the wire is what is new in it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from adapters.drop_in_calls import Calls, opened, output_text, report, user
from turnwire.testing import Create, Gate, Peer, Turns, answer, call, error, reasoning, wait

if TYPE_CHECKING:
    from types import ModuleType

    from turnwire.testing import Step

    Way = tuple[ModuleType, bool]
    Json = dict[str, Any]

pytestmark = pytest.mark.io


class Agent:
    """Goes on with one history, as frameworks do."""

    def __init__(self, calls: Calls, **fields: Any) -> None:
        self.calls = calls
        self.fields = {"model": "any", **fields}
        self.history: list[Any] = []

    async def say(self, *items: Any, **fields: Any) -> Any:
        """Say something, and keep the answer; return how it travelled."""
        self.history += [user(item) if isinstance(item, str) else item for item in items]
        body = {**self.fields, "input": self.history, **fields}
        response = await self.calls.ask(body)
        assert response.status_code == 200, response.text
        self.history += response.json()["output"]
        return report(response)


def sent(create: Json) -> tuple[str | None, int]:
    return create.get("previous_response_id"), len(create["input"])


@pytest.mark.parametrize("store", [True, False])
async def test_twenty_turns_with_tools_send_only_what_is_new(way: Way, store: bool) -> None:  # noqa: FBT001
    def script(create: Create) -> Any:
        if create.input[-1].get("type") == "function_call_output":
            return [reasoning("Hm.", encrypted_content="e"), answer(f"Done {create.number}.")]
        return [reasoning("Hm."), call("look_up", {"n": 1}, call_id=f"call_{create.number}")]

    tools = [{"type": "function", "name": "look_up", "parameters": {"type": "object"}}]
    async with Peer(script) as peer, opened(way, peer) as calls:
        agent = Agent(calls, store=store, tools=tools)
        reports = [await agent.say("Begin.")]
        for number in range(1, 20):
            last = agent.history[-1]
            if last["type"] == "function_call":
                new = {"type": "function_call_output", "call_id": last["call_id"], "output": "x"}
                reports.append(await agent.say(new))
            else:
                reports.append(await agent.say(f"More, {number}."))
        assert [sent(create) for create in peer.creates] == [
            (None if number == 0 else f"resp_{number}", 1) for number in range(20)
        ]
        assert [told.chain_miss for told in reports] == [None] * 20
        assert reports[-1].sent_bytes < reports[-1].full_bytes / 5
        assert (len(peer.connections), peer.model_runs) == (1, 20)
        assert {create["store"] for create in peer.creates} == {store}
        assert calls.client.turnwire.statistics().chain_hits == 19


async def test_streams_chain_as_well(way: Way) -> None:
    async with Peer() as peer, opened(way, peer) as calls:
        history: list[Any] = [user("one")]
        for text in ("two", "three", "four"):
            events = await calls.read({"model": "any", "input": history})
            history += events[-1][1]["response"]["output"]
            history.append(user(text))
        assert [sent(create) for create in peer.creates] == [
            (None, 1),
            ("resp_1", 1),
            ("resp_2", 1),
        ]


async def test_many_chains_interleave(way: Way) -> None:
    async with Peer() as peer, opened(way, peer) as calls:
        agents = [Agent(calls, instructions="Same for all.") for _ in range(8)]
        for turn in range(4):
            told = [await agent.say(f"{number}: {turn}") for number, agent in enumerate(agents)]
            assert [each.chain_miss for each in told] == [None] * 8
        assert [len(create["input"]) for create in peer.creates] == [1] * 32
        assert calls.client.turnwire.statistics().chain_hits == 24


async def test_many_chains_at_once(way: Way) -> None:
    async with Peer() as peer, opened(way, peer, lanes=True) as calls:
        agents = [Agent(calls) for _ in range(8)]
        for turn in range(4):
            await asyncio.gather(
                *(agent.say(f"{number}: {turn}") for number, agent in enumerate(agents))
            )
        assert [len(create["input"]) for create in peer.creates] == [1] * 32
        texts = [
            [item["content"] for item in agent.history if item.get("role") == "user"]
            for agent in agents
        ]
        echoed = [
            [item["content"][0]["text"] for item in agent.history if item.get("id")]
            for agent in agents
        ]
        assert echoed == texts  # each got its own answers


async def test_two_at_once_fork(way: Way) -> None:
    gate = Gate()

    def script(create: Create) -> list[Step]:
        return [*([wait(gate)] if create.text in {"left", "right"} else []), answer(create.text)]

    async with Peer(script) as peer, opened(way, peer) as calls:
        agent = Agent(calls)
        await agent.say("one")
        forks = [Agent(calls), Agent(calls)]
        for fork in forks:
            fork.history = list(agent.history)
        both = asyncio.gather(forks[0].say("left"), forks[1].say("right"))
        await peer.wait_until(lambda: len(peer.creates) == 3)
        gate.open()
        await both
        for fork, text in zip(forks, ("left", "right"), strict=True):
            assert fork.history[-1]["content"][0]["text"] == text
            await fork.say("more")
        creates = sorted(peer.creates, key=lambda create: create["input"][-1]["content"])
        assert [len(create["input"]) for create in creates] == [1] * 5
        links = {create.get("previous_response_id") for create in peer.creates}
        assert links == {None, "resp_1", "resp_2", "resp_3"}


@pytest.mark.parametrize("stream", [False, True])
async def test_an_evicted_parent_costs_one_full_message(way: Way, stream: bool) -> None:  # noqa: FBT001
    async with Peer() as peer, opened(way, peer) as calls:
        agent = Agent(calls)
        await agent.say("one")
        await agent.say("two")
        peer.forget()
        agent.history.append(user("three"))
        body = {"model": "any", "input": agent.history}
        if stream:
            events = await calls.read(body)
            assert [name for name, _ in events[:2]] == ["response.created", "response.in_progress"]
            agent.history += events[-1][1]["response"]["output"]
        else:
            await agent.say()
        told = await agent.say("four")
        assert [sent(create)[1] for create in peer.creates] == [1, 1, 1, 5, 1]
        assert (told.chain_miss, peer.model_runs) == (None, 4)
        assert calls.client.turnwire.statistics().chain_misses == {"evicted": 1}


async def test_without_a_store_a_lost_socket_costs_one_full_message(way: Way) -> None:
    async with Peer() as peer, opened(way, peer) as calls:
        agent = Agent(calls, store=False)
        await agent.say("one")
        peer.connections[0].drop()
        await peer.wait_until(lambda: not peer.connections[0].is_open)
        told = await agent.say("two")
        assert told.chain_miss is not None
        assert (await agent.say("three")).chain_miss is None
        assert [sent(create)[1] for create in peer.creates] == [1, 3, 1]
        assert peer.model_runs == 3


async def test_an_edit_sends_everything_and_says_where(way: Way) -> None:
    async with Peer() as peer, opened(way, peer) as calls:
        agent = Agent(calls)
        await agent.say("one")
        await agent.say("two")
        agent.history[2] = user("TWO")
        told = await agent.say("three")
        assert (told.chain_miss.reason, told.chain_miss.index) == ("history_changed", 2)
        assert (await agent.say("four")).chain_miss is None
        assert [sent(create)[1] for create in peer.creates] == [1, 1, 5, 1]


async def test_regenerating_an_answer(way: Way) -> None:
    """The same request again is another run, and either answer can be continued."""
    async with Peer() as peer, opened(way, peer) as calls:
        first, second = Agent(calls), Agent(calls)
        await first.say("one")
        await second.say("one")
        assert peer.model_runs == 2
        assert first.history != second.history  # they have ids of their own
        for agent, link in ((first, "resp_1"), (second, "resp_2")):
            await agent.say("two")
            assert sent(peer.creates[-1]) == (link, 1)


async def test_text_first_and_a_list_then(way: Way) -> None:
    async with Peer() as peer, opened(way, peer) as calls:
        output = (await calls.ask({"model": "any", "input": "one"})).json()["output"]
        history = [user("one"), *output, user("two")]
        told = report(await calls.ask({"model": "any", "input": history}))
        assert (told.chain_miss, sent(peer.creates[-1])) == (None, ("resp_1", 1))


async def test_other_instructions_continue_and_another_model_sends_everything(way: Way) -> None:
    async with Peer() as peer, opened(way, peer) as calls:
        agent = Agent(calls, instructions="A")
        await agent.say("one")
        told = await agent.say("two", instructions="B")
        assert (told.chain_miss, sent(peer.creates[-1])) == (None, ("resp_1", 1))
        told = await agent.say("three", model="other")
        assert (told.chain_miss.reason, told.chain_miss.field) == ("parameters_changed", "model")
        assert sent(peer.creates[-1]) == (None, 5)


async def test_a_link_of_the_callers_own_is_passed_on(way: Way) -> None:
    async with Peer() as peer, opened(way, peer) as calls:
        made = (await calls.ask({"model": "any", "input": "one"})).json()
        linked = {"model": "any", "input": "two", "previous_response_id": made["id"]}
        told = await calls.ask(linked)
        assert (output_text(told), report(told).chain_miss) == ("two", None)
        assert sent(peer.creates[-1]) == (made["id"], 1)
        gone = await calls.ask({**linked, "previous_response_id": "resp_gone"})
        assert gone.status_code == 400
        assert gone.json()["error"]["code"] == "previous_response_not_found"


async def test_unanswered_calls_are_the_servers_to_refuse(way: Way) -> None:
    script = Turns([call("f", {}, call_id="call_1")], [answer("Fine.")])
    async with Peer(script) as peer, opened(way, peer) as calls:
        agent = Agent(calls)
        await agent.say("one")
        agent.history.append(user("never mind"))
        response = await calls.ask({"model": "any", "input": agent.history})
        assert response.status_code == 400
        assert response.json()["error"]["message"].startswith("No tool output found")
        output = {"type": "function_call_output", "call_id": "call_1", "output": "x"}
        agent.history.insert(-1, output)
        told = await calls.ask({"model": "any", "input": agent.history})
        assert output_text(told) == "Fine."
        assert peer.model_runs == 2


async def test_a_refused_turn_does_not_poison_its_chain(way: Way) -> None:
    script = Turns([answer("1")], [error("invalid_prompt", 400)], [answer("3")], [answer("4")])
    async with Peer(script) as peer, opened(way, peer) as calls:
        agent = Agent(calls)
        await agent.say("one")
        body = {"model": "any", "input": [*agent.history, user("bad")]}
        assert (await calls.ask(body)).status_code == 400
        await agent.say("three")
        assert (await agent.say("four")).chain_miss is None
        assert sent(peer.creates[-1])[1] == 1


async def test_chains_that_are_forgotten_cost_bytes_and_nothing_else(way: Way) -> None:
    async with Peer() as peer, opened(way, peer, chain_bytes=0) as calls:
        agent = Agent(calls)
        for text in ("one", "two", "three"):
            await agent.say(text)
        assert [sent(create) for create in peer.creates] == [(None, 1), (None, 3), (None, 5)]
