"""Stored responses that are fetched instead of being run again; the server has to keep them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from client.colours import cut, error_of, until, watch
from turnwire import TurnInterrupted, TurnResumedEvent
from turnwire.testing import (
    Gate,
    Peer,
    Turns,
    answer,
    call,
    drop,
    failed,
    incomplete,
    refuse,
    wait,
)

if TYPE_CHECKING:
    from tests.client.conftest import Open

pytestmark = pytest.mark.io

TEXT = "One two three four five six seven."


def ask(client: Any, **params: Any) -> Any:
    return client.responses.stream(model="m", input="x", **params)


def text_of(events: list[Any]) -> str:
    return "".join(each.delta for each in events if each.type == "response.output_text.delta")


async def read_past(turn: Any, gate: Gate) -> list[Any]:
    """Read a turn to its end; what is lost is lost once some output was seen."""
    events = []
    async for event in turn:
        events.append(event)
        if event.type.endswith(".delta"):
            gate.open()
    return events


async def test_what_was_shown_goes_on_where_it_was_cut_off(
    open_client: Open, transport: str
) -> None:
    gate = Gate()
    script = Turns([answer(TEXT), *cut(7, gate)])
    async with (
        Peer(script, resumes="stream") as peer,
        open_client(peer, transport=transport, resume=True) as client,
    ):
        async with ask(client) as turn:
            events = await read_past(turn, gate)
        assert (text_of(events), turn.response.output_text) == (TEXT, TEXT)
        (resumed,) = (event for event in events if isinstance(event, TurnResumedEvent))
        assert (resumed.type, resumed.response_id) == ("turn.resumed", "resp_1")
        (retrieval,) = peer.retrievals
        assert retrieval.is_stream
        assert retrieval.starting_after == resumed.starting_after
        numbers = [event.sequence_number for event in events if event is not resumed]
        assert numbers == list(range(len(numbers)))
        assert (turn.resends, turn.model_runs, peer.model_runs) == (0, 1, 1)
        counts = client.statistics()
        assert (counts.resumes, counts.repeats, counts.completed) == (1, 0, 1)


async def test_create_gets_one_answer_from_one_run(open_client: Open, transport: str) -> None:
    script = Turns([answer(TEXT), drop(after=7)])
    async with (
        Peer(script, resumes="stream") as peer,
        open_client(peer, transport=transport, resume=True) as client,
    ):
        response = await client.responses.create(model="m", input="x")
        assert (response.output_text, response.id, peer.model_runs) == (TEXT, "resp_1", 1)


async def test_a_stream_that_breaks_again_is_fetched_again(open_client: Open) -> None:
    gate = Gate()
    script = Turns([answer(TEXT), *cut(6, gate)])
    async with (
        Peer(script, resumes="stream", retrievals=[drop(after=2), drop(after=2)]) as peer,
        open_client(peer, resume=True) as client,
    ):
        async with ask(client) as turn:
            events = await read_past(turn, gate)
        assert text_of(events) == TEXT
        assert sum(isinstance(event, TurnResumedEvent) for event in events) == 3
        assert [each.is_stream for each in peer.retrievals] == [True] * 3
        assert peer.model_runs == 1


async def test_a_server_that_only_has_the_whole_is_asked_for_that(open_client: Open) -> None:
    script = Turns([answer(TEXT), drop(after=7)])
    async with (
        Peer(script, resumes="json") as peer,
        open_client(peer, resume=True) as client,
    ):
        response = await client.responses.create(model="m", input="x")
        assert (response.output_text, peer.model_runs) == (TEXT, 1)
        assert [each.is_stream for each in peer.retrievals] == [True, False]


async def test_text_that_came_in_one_piece_is_handed_out_once(open_client: Open) -> None:
    script = Turns([answer(TEXT), drop(after=2)])
    async with (
        Peer(script, resumes="json") as peer,
        open_client(peer, resume=True) as client,
    ):
        async with ask(client) as turn:
            assert [text async for text in turn.text_deltas()] == [TEXT]
        assert peer.model_runs == 1


async def test_half_of_it_shown_is_not_mended_by_the_whole(open_client: Open) -> None:
    gate = Gate()
    script = Turns([answer(TEXT), *cut(7, gate)])
    async with (
        Peer(script, resumes="json") as peer,
        open_client(peer, resume=True) as client,
    ):
        async with ask(client) as turn:
            text, raised = await watch(turn, gate)
        assert (type(raised), raised.partial.output_text) == (TurnInterrupted, text)
        assert (text, peer.model_runs) == ("One two three", 1)


async def test_where_nothing_is_kept_the_model_runs_again(
    open_client: Open, transport: str
) -> None:
    script = Turns([answer("lost"), drop(after=7)], [answer(TEXT)])
    async with Peer(script) as peer, open_client(peer, transport=transport, resume=True) as client:
        turn = ask(client)
        assert (await turn.get_final_response()).output_text == TEXT
        assert (turn.resends, turn.model_runs, peer.model_runs) == (1, 2, 2)
        assert [each.status for each in peer.retrievals] == [404]


async def test_without_being_asked_nothing_is_fetched(open_client: Open) -> None:
    script = Turns([answer("lost"), drop(after=7)], [answer(TEXT)])
    async with Peer(script, resumes="stream") as peer, open_client(peer) as client:
        async with ask(client) as turn:
            await turn.get_final_response()
        assert (peer.retrievals, peer.model_runs) == ([], 2)


@pytest.mark.parametrize("params", [{"store": False}, {"generate": False}])
async def test_what_is_not_stored_is_not_fetched(open_client: Open, params: dict[str, Any]) -> None:
    script = Turns([answer("lost"), drop(after="response.created")], [answer(TEXT)])
    warm_up = [drop(after="response.created")]
    async with (
        Peer(script, resumes="stream", warm_up=warm_up) as peer,
        open_client(peer, resume=True) as client,
    ):
        if "store" in params:
            assert (await ask(client, **params).get_final_response()).output_text == TEXT
        else:
            assert type(await error_of(ask(client, **params))) is TurnInterrupted
        assert peer.retrievals == []


async def test_a_stored_answer_that_failed_is_an_error(open_client: Open) -> None:
    script = Turns([answer("half"), failed("c", "No luck."), drop(after=5)])
    async with Peer(script, resumes="stream") as peer, open_client(peer, resume=True) as client:
        raised = await error_of(ask(client))
        assert (raised.code, "No luck." in str(raised), peer.model_runs) == ("c", True, 1)


async def test_a_stored_answer_that_is_incomplete_says_so(open_client: Open) -> None:
    script = Turns([answer("half"), incomplete("max_output_tokens"), drop(after=5)])
    async with Peer(script, resumes="json") as peer, open_client(peer, resume=True) as client:
        response = await client.responses.create(model="m", input="x")
        assert (response.status, response.output_text, peer.model_runs) == (
            "incomplete",
            "half",
            1,
        )


async def test_a_chain_goes_on_from_what_was_fetched(open_client: Open) -> None:
    script = Turns([answer("a")], [call("f", {}, call_id="c"), drop(after=4)], [answer("b")])
    async with Peer(script, resumes="stream") as peer, open_client(peer, resume=True) as client:
        chain = client.chain(model="m")
        await chain.run("a")
        async with chain.turn("go") as turn:
            await turn.get_final_response()
        assert (turn.model_runs, chain.unanswered_calls) == (1, ["c"])
        output = [{"type": "function_call_output", "call_id": "c", "output": "1"}]
        async with chain.turn(output) as turn:
            await turn.get_final_response()
        assert (turn.chain_miss, peer.model_runs, peer.refusals) == (None, 3, [])
        assert [len(create["input"]) for create in peer.creates] == [1, 1, 1]


async def test_a_key_is_fetched_for_a_retrieval_too(open_client: Open) -> None:
    keys = iter(["one", "two"])
    script = Turns([answer(TEXT), drop(after=7)])
    async with (
        Peer(script, resumes="stream") as peer,
        open_client(peer, resume=True, api_key=lambda: next(keys)) as client,
    ):
        assert (await client.responses.create(model="m", input="x")).output_text == TEXT
        assert peer.retrievals[0].headers["Authorization"] == "Bearer two"


@pytest.mark.parametrize("refusal", [401, 403, 404, 500, 503])
async def test_a_retrieval_that_is_refused_ends_in_another_run(
    open_client: Open, refusal: int
) -> None:
    script = Turns([answer("lost"), drop(after=2)], [answer(TEXT)])
    async with (
        Peer(script, resumes="stream", retrievals=lambda _: refuse(refusal)) as peer,
        open_client(peer, resume=True) as client,
    ):
        async with ask(client) as turn:
            events = [event async for event in turn]
        assert text_of(events) == turn.response.output_text == TEXT
        local = [event.type for event in events if event.type.startswith("turn.")]
        assert local in (["turn.resumed", "turn.restarted"], ["turn.restarted"])
        assert (turn.resends, turn.model_runs, peer.model_runs) == (1, 2, 2)


async def test_cancelling_while_it_is_fetched_stops_it(open_client: Open) -> None:
    gate = Gate()
    script = Turns([answer("a"), drop(after=5)])
    async with (
        Peer(script, resumes="stream", retrievals=wait(gate)) as peer,
        open_client(peer, resume=True) as client,
    ):
        async with ask(client) as turn:
            await turn.submit()
            await gate.wait_reached()
        await until(lambda: client.statistics().active == 0)
        assert turn.response is None
        gate.open()
