"""Turns that were cut off after their caller saw some of them: what can be done about the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from client.colours import cut, output_of, user, watch
from turnwire import ChainMiss, TurnInterrupted, TurnwireError
from turnwire.testing import Gate, Peer, Turns, answer, call, reasoning

if TYPE_CHECKING:
    from tests.client.conftest import Open

pytestmark = pytest.mark.io


def ask(client: Any, text: str = "x", **params: Any) -> Any:
    return client.responses.stream(model="m", input=text, **params)


def counted(turn: Any) -> tuple[int, int]:
    return turn.resends, turn.model_runs


async def test_what_was_cut_off_is_continued_where_its_caller_says(
    open_client: Open, transport: str
) -> None:
    gate = Gate()
    steps = [reasoning("hm"), answer("One."), answer("Two and"), *cut(20, gate)]
    script = Turns(steps, [answer("three.")])
    async with Peer(script) as peer, open_client(peer, transport=transport) as client:
        async with ask(client, "Count.", instructions="i") as turn:
            _, raised = await watch(turn, gate)
            finished = [item.to_dict() for item in raised.partial.output[:2]]
            more = turn.continue_from_partial("Go on.")
        async with more:
            assert (await more.get_final_response()).output_text == "three."
        create = peer.creates[1]
        assert create["instructions"] == "i"
        assert create["input"] == [user("Count."), *finished, user("Go on.")]
        assert (counted(more), peer.model_runs, peer.refusals) == ((0, 1), 2, [])


async def test_a_chain_goes_on_from_what_was_cut_off(open_client: Open) -> None:
    gate = Gate()
    steps = [answer("One."), answer("Two and"), *cut(14, gate)]
    script = Turns([answer("ok")], steps, [answer("Two.")], [answer("Three.")])
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m")
        await chain.run("Listen.")
        async with chain.turn("Count.") as turn:
            _, raised = await watch(turn, gate)
            assert type(raised) is TurnInterrupted
            more = turn.continue_from_partial()
        async with more:
            await more.get_final_response()
        assert more.chain_miss == ChainMiss("previous_failed")
        texts = [_text(item) for item in chain.history]
        assert texts == ["Listen.", "ok", "Count.", "One.", "Two."]
        assert (await chain.run("On.")).output_text == "Three."
        assert [len(create["input"]) for create in peer.creates] == [1, 1, 4, 1]
        assert peer.refusals == []


def _text(item: dict[str, Any]) -> str:
    content = item["content"]
    return content if isinstance(content, str) else content[0]["text"]


async def test_a_call_that_was_cut_off_is_left_out_and_a_whole_one_is_kept(
    open_client: Open,
) -> None:
    gate = Gate()
    calls = [call("f", {"a": 1}, call_id="whole"), call("f", {"b": "x" * 64}, call_id="half")]
    script = Turns([*calls, *cut(9, gate)], [answer("ok")])
    async with Peer(script) as peer, open_client(peer) as client:
        async with ask(client) as turn:
            _, raised = await watch(turn, gate)
            assert type(raised) is TurnInterrupted
            more = turn.continue_from_partial([output_of("whole", "1")])
        async with more:
            await more.get_final_response()
        assert [item.get("call_id") for item in peer.creates[1]["input"]] == [
            None,
            "whole",
            "whole",
        ]
        assert peer.refusals == []


async def test_only_what_was_cut_off_can_be_continued(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        turn = ask(client)
        with pytest.raises(TurnwireError, match="was not started"):
            turn.continue_from_partial()
        async with turn:
            await turn.get_final_response()
        with pytest.raises(TurnwireError, match="only a turn that was cut off"):
            turn.continue_from_partial()
