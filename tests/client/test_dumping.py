"""Chains that outlive their process, and calls that nobody has answered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from client.colours import error_of, output_of, user
from turnwire import ChainMiss, ConfigError, UnansweredCalls
from turnwire.testing import Gate, Peer, Turns, answer, call, item, reasoning, reencrypted, silence
from turnwire.testing.script import completed

if TYPE_CHECKING:
    from tests.client.conftest import Open

pytestmark = pytest.mark.io

KEY = "sk-not-for-dumps"


async def say(chain: Any, *given: Any, **named: Any) -> Any:
    async with chain.turn(*given, **named) as turn:
        await turn.get_final_response()
    return turn


def sizes(peer: Peer) -> list[int]:
    return [len(create["input"]) for create in peer.creates]


# Dumps.


async def test_a_stored_chain_goes_on_in_another_client(open_client: Open, transport: str) -> None:
    async with Peer() as peer:
        async with open_client(peer, transport=transport, api_key=KEY) as client:
            chain = client.chain(model="m", instructions="i")
            for text in "ab":
                await say(chain, text)
            dumped, history = chain.dump(), chain.history
        async with open_client(peer, transport=transport, api_key=KEY) as client:
            chain = client.load_chain(dumped, model="m", instructions="i")
            assert (chain.history, chain.previous_response_id) == (history, "resp_2")
            turn = await say(chain, "c")
            assert (turn.chain_miss, turn.response.output_text) == (None, "c")
        assert (sizes(peer), peer.refusals) == ([1, 1, 1], [])
        assert (KEY.encode() in dumped, isinstance(dumped, bytes)) == (False, True)


async def test_without_store_the_history_is_what_is_left(open_client: Open) -> None:
    async with Peer() as peer:
        async with open_client(peer) as client:
            chain = client.chain(model="m", store=False)
            await say(chain, "a")
            dumped = chain.dump()
        async with open_client(peer) as client:
            chain = client.load_chain(dumped, model="m", store=False)
            assert chain.previous_response_id is None
            turn = await say(chain, "b")
            assert turn.chain_miss == ChainMiss("connection_lost")
            assert (await say(chain, "c")).chain_miss is None
        assert (sizes(peer), peer.refusals) == ([1, 3, 1], [])


@pytest.mark.parametrize(
    ("changed", "miss"),
    [
        ({"model": "other"}, ChainMiss("parameters_changed", field="model")),
        ({"text": {"verbosity": "low"}}, ChainMiss("parameters_changed", field="text")),
        ({"instructions": "others"}, None),  # per turn by contract
    ],
)
async def test_other_parameters_cost_the_link(
    open_client: Open, changed: dict[str, Any], miss: ChainMiss | None
) -> None:
    async with Peer() as peer, open_client(peer) as client:
        chain = client.chain(model="m")
        await say(chain, "a")
        again = client.load_chain(chain.dump(), **{"model": "m"} | changed)
        assert (await say(again, "b")).chain_miss == miss


async def test_another_key_costs_the_link(open_client: Open) -> None:
    async with Peer() as peer:
        async with open_client(peer, api_key="one") as client:
            chain = client.chain(model="m")
            await say(chain, "a")
            dumped = chain.dump()
        async with open_client(peer, api_key="other") as client:
            turn = await say(client.load_chain(dumped, model="m"), "b")
            assert turn.chain_miss == ChainMiss("credential_changed")


async def test_a_server_that_has_forgotten_is_sent_everything(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        chain = client.chain(model="m")
        await say(chain, "a")
        dumped = chain.dump()
        peer.forget()
        turn = await say(client.load_chain(dumped, model="m"), "b")
        assert (turn.chain_miss, turn.resends) == (ChainMiss("evicted"), 1)
        assert sizes(peer) == [1, 1, 3]


async def test_two_may_be_loaded_from_one(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        chain = client.chain(model="m")
        await say(chain, "a")
        dumped = chain.dump()
        chains = [client.load_chain(dumped, model="m") for _ in "ab"]
        assert [(await say(one, "b")).chain_miss for one in (*chains, chain)] == [None] * 3
        assert sizes(peer) == [1, 1, 1, 1]


async def test_a_turn_that_runs_is_not_in_the_dump(open_client: Open) -> None:
    gate = Gate()
    script = Turns([answer("a")], [answer("b"), silence()], then=[answer("ok")])
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m")
        await say(chain, "a")
        async with chain.turn("b") as turn:
            assert (await anext(turn)).type == "response.created"
            again = client.load_chain(chain.dump(), model="m")
            assert again.history[0]["content"] == "a"
            assert (len(again.history), again.previous_response_id) == (2, "resp_1")
        gate.open()


async def test_calls_that_wait_are_in_the_dump(open_client: Open) -> None:
    def f() -> str:
        """Work."""
        return "done"

    script = Turns([call("f", {}, call_id="c")], [answer("ok")])
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m", tools=[f])
        await say(chain, "a")
        again = client.load_chain(chain.dump(), model="m", tools=[f])
        assert again.unanswered_calls == ["c"]
        turn = await say(again, [output_of("c", "done")])
        assert (turn.chain_miss, again.unanswered_calls, peer.refusals) == (None, [], [])


async def test_every_form_of_an_item_is_in_the_dump(open_client: Open) -> None:
    thought = reasoning("hm", encrypted_content="secret")
    script = Turns([thought, answer("a"), completed(reencrypted)], then=[answer("b")])
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m")
        async with chain.turn("a") as turn:
            streamed = [
                event.item.to_dict()
                async for event in turn
                if event.type == "response.output_item.done"
            ]
        again = client.load_chain(chain.dump(), model="m")
        turn = await say(again, history=[user("a"), *streamed, user("b")])
        assert turn.chain_miss is None
        assert peer.refusals == []


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (b"", "this is no dump of a chain"),
        (b"[]", "this is no dump of a chain"),
        (b'{"format":"turnwire-chain","version":99}', "has version 99 and this turnwire reads"),
        (b'{"format":"turnwire-chain","version":1}', "damaged"),
    ],
)
async def test_what_is_no_dump(open_client: Open, bad: bytes, words: str) -> None:
    async with Peer() as peer, open_client(peer) as client:
        with pytest.raises(ConfigError, match=words):
            client.load_chain(bad, model="m")


# Calls without an output.


async def test_an_interrupted_tool_loop_goes_on_with_stubs(open_client: Open) -> None:
    started = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def slow() -> str:
        """Take for ever."""
        loop.call_soon_threadsafe(started.set)
        await asyncio.Event().wait()
        return "never"

    calls = [call("slow", {}, call_id="one"), call("slow", {}, call_id="two")]
    script = Turns(calls, [answer("I see.")], [answer("ok")])
    async with Peer(script) as peer, open_client(peer, unanswered_calls="stub") as client:
        chain = client.chain(model="m", tools=[slow], store=False)
        async with chain.turn("go") as turn:
            await turn.get_final_response()
        assert chain.unanswered_calls == ["one", "two"]
        turn = await say(chain, "What happened?")
        assert (turn.chain_miss, turn.response.output_text) == (None, "I see.")
        sent = peer.creates[1]["input"]
        assert [entry.get("call_id") for entry in sent] == ["one", "two", None]
        assert "interrupted" in sent[0]["output"]
        assert (await say(chain, "b")).chain_miss is None
        assert (chain.unanswered_calls, peer.refusals) == ([], [])


async def test_calls_may_be_left_out(open_client: Open) -> None:
    calls = [reasoning("hm"), call("f", {}, call_id="one")]
    script = Turns(calls, [answer("I see.")], [answer("ok")])
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m", store=False, unanswered_calls="drop")
        await say(chain, "go")
        turn = await say(chain, "Never mind.")
        assert turn.chain_miss == ChainMiss("unanswered_call", field="one")
        assert peer.creates[1]["input"] == [user("go"), user("Never mind.")]
        assert (await say(chain, "b")).chain_miss is None
        assert (chain.unanswered_calls, peer.refusals) == ([], [])


async def test_by_default_nothing_is_sent(open_client: Open, transport: str) -> None:
    calls = [call("f", {}, call_id="one"), call("f", {}, call_id="two")]
    async with (
        Peer(Turns(calls)) as peer,
        open_client(peer, transport=transport) as client,
    ):
        chain = client.chain(model="m")
        await say(chain, "go")
        for _ in range(2):
            raised = await error_of(chain.turn("b"))
            assert type(raised) is UnansweredCalls
            assert isinstance(raised, ConfigError)
            assert raised.call_ids == ("one", "two")
        with pytest.raises(UnansweredCalls):
            await chain.run("b")
        assert (peer.model_runs, chain.previous_response_id) == (1, "resp_1")
        assert client.statistics().sockets <= 1


async def test_a_call_that_only_its_caller_can_answer_is_named(open_client: Open) -> None:
    script = Turns([item(type="computer_call", call_id="c", action={}, status="completed")])
    async with Peer(script) as peer, open_client(peer, unanswered_calls="stub") as client:
        chain = client.chain(model="m")
        await say(chain, "go")
        raised = await error_of(chain.turn("b"))
        assert (type(raised), raised.call_ids, peer.model_runs) == (UnansweredCalls, ("c",), 1)


@pytest.mark.parametrize("wrong", ["ignore", None, True])
async def test_what_is_no_policy(open_client: Open, wrong: Any) -> None:
    words = "`unanswered_calls` must be 'error', 'drop', 'stub' or 'send'"
    with pytest.raises(ConfigError, match=words):
        async with open_client("http://127.0.0.1:1/v1", unanswered_calls=wrong):
            pass
