"""Turns that nobody wants any more: the lane is clean before anything else uses it."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import pytest

from client.colours import read, until
from turnwire import AsyncClient, TurnInterrupted
from turnwire.testing import Gate, Peer, Step, Turns, answer, deltas, silence, wait

if TYPE_CHECKING:
    from tests.client.conftest import Open

    from turnwire.testing.lanes import LaneMode

pytestmark = pytest.mark.io


def ask(client: Any, text: str) -> Any:
    return client.responses.stream(model="m", input=text)


async def start(client: Any, text: str) -> Any:
    return await client.responses.create(model="m", input=text, stream=True)


async def first_text(turn: Any) -> str:
    async for text in turn.text_deltas():
        return text
    raise AssertionError("the turn ended without text")


@pytest.mark.parametrize("lanes", ["echo", "ignore", "reject"])
async def test_the_next_turn_never_reads_the_answer_of_one_that_was_left(
    open_client: Open, lanes: LaneMode
) -> None:
    script = Turns([deltas(200, "old ")], [answer("new")])
    async with Peer(script, lanes=lanes) as peer, open_client(peer) as client:
        async with ask(client, "q1") as turn:
            assert await first_text(turn) == "old "
        response = await client.responses.create(model="m", input="q2")
        assert response.output_text == "new"
        assert peer.model_runs == 2


async def test_alone_on_its_socket_a_turn_that_is_left_closes_it(open_client: Open) -> None:
    script = Turns([answer("old"), silence()], [answer("new")])
    async with Peer(script) as peer, open_client(peer) as client:
        async with ask(client, "q1") as turn:
            await first_text(turn)
        await peer.wait_until(lambda: not peer.connections[0].is_open)
        assert (await client.responses.create(model="m", input="q2")).output_text == "new"
        assert [each.close_code for each in peer.connections] == [1000, None]


async def test_a_neighbours_answer_arrives_whole(open_client: Open) -> None:
    held, released = Gate(), Gate()
    old: list[Step] = [answer("old"), wait(held, after="response.output_text.delta")]
    near: list[Step] = [wait(released, after="response.created"), answer("near")]
    script = Turns(old, near, then=[answer("new")])
    async with Peer(script) as peer, open_client(peer, lanes=True) as client:
        dropped = await start(client, "q1")
        await first_text(dropped)
        neighbour = await start(client, "q2")
        await peer.wait_until(lambda: peer.model_runs == 2)
        await dropped.aclose()
        # Its lane is not used again before its terminal event: the next turn names another one.
        third = await client.responses.create(model="m", input="q3")
        released.open()
        assert (await neighbour.get_final_response()).output_text == "near"
        held.open()
        await until(lambda: client.statistics().active == 0)
        fourth = await client.responses.create(model="m", input="q4")
        assert [each.output_text for each in (third, fourth)] == ["new", "new"]
        lanes = [create.get("stream_id") for create in peer.creates]
        assert lanes == [None, "lane-1", "lane-2", None]
        assert (len(peer.connections), client.statistics().cancelled) == (1, 1)


@pytest.mark.parametrize("lanes", ["ignore", "reject"])
async def test_without_lanes_a_neighbour_has_its_own_socket(
    open_client: Open, lanes: LaneMode
) -> None:
    held, released = Gate(), Gate()
    script = Turns([wait(held), answer("old")], [wait(released), answer("near")], [answer("new")])
    async with Peer(script, lanes=lanes) as peer, open_client(peer) as client:
        dropped = await start(client, "q1")
        await peer.wait_until(lambda: peer.model_runs == 1)
        neighbour = await start(client, "q2")
        await peer.wait_until(lambda: peer.model_runs == 2)
        await dropped.aclose()
        assert (await client.responses.create(model="m", input="q3")).output_text == "new"
        released.open()
        assert (await neighbour.get_final_response()).output_text == "near"
        assert peer.model_runs == 3


async def test_leaving_a_turn_that_was_never_written_costs_nothing(open_client: Open) -> None:
    gate = Gate()
    async with Peer(handshake=[wait(gate)]) as peer, open_client(peer) as client:
        async with ask(client, "q1"):
            await gate.wait_reached()
        gate.open()
        assert (await client.responses.create(model="m", input="q2")).output_text == "q2"
        assert [create["input"][0]["content"] for create in peer.creates] == ["q2"]
        assert peer.model_runs == 1


async def test_a_queued_turn_that_is_left_is_never_sent(open_client: Open) -> None:
    gate = Gate()
    script = Turns([wait(gate), answer("a")], [answer("c")])
    async with Peer(script) as peer, open_client(peer, lanes=False, max_sockets=1) as client:
        first = await start(client, "q1")
        await peer.wait_until(lambda: peer.model_runs == 1)
        async with ask(client, "q2") as queued:
            assert queued.delivery == "queued"
        assert (queued.model_runs, queued.sent_bytes) == (0, 0)
        gate.open()
        await first.get_final_response()
        assert (await client.responses.create(model="m", input="q3")).output_text == "c"
        assert peer.model_runs == 2


async def test_a_turn_that_was_left_never_looks_successful(
    open_client: Open, transport: str
) -> None:
    async with (
        Peer(lambda _: [answer("half"), silence()]) as peer,
        open_client(peer, transport=transport) as client,
    ):
        async with ask(client, "x") as turn:
            await first_text(turn)
        assert (turn.response, turn.usage, turn.delivery) == (None, None, "output")
        assert turn.partial.output_text == "half"
        for _ in range(2):
            with pytest.raises(TurnInterrupted, match="cancelled") as caught:
                await turn.get_final_response()
        assert caught.value.partial.output_text == "half"
        await turn.aclose()


async def test_leaving_a_turn_that_has_ended_changes_nothing(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        async with ask(client, "a") as turn:
            response = await turn.get_final_response()
        await turn.aclose()
        assert turn.response is response
        await client.responses.create(model="m", input="b")
        assert (len(peer.connections), client.statistics().cancelled) == (1, 0)


async def test_leaving_an_http_turn_ends_its_request(open_client: Open) -> None:
    gate = Gate()
    script = Turns([wait(gate, after=1)], [answer("new")])
    async with Peer(script) as peer, open_client(peer, transport="http") as client:
        async with ask(client, "q1") as turn:
            await anext(turn)
        # The peer cancels a POST whose client has left, so its gate is never passed.
        assert (await client.responses.create(model="m", input="q2")).output_text == "new"
        assert client.statistics().active == 0


async def test_another_task_may_end_a_turn_that_is_being_read(open_client: Open) -> None:
    async with Peer(lambda _: [answer("half"), silence()]) as peer, open_client(peer) as client:
        turn = await start(client, "x")
        await first_text(turn)
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(read(turn))
            await asyncio.sleep(0)
            await turn.aclose()
        assert type(reading.result()[1]) is TurnInterrupted


# What only tasks can do.


async def test_cancelling_a_task_cancels_its_turn() -> None:
    script = Turns([answer("old"), silence()], [answer("new")])
    async with Peer(script) as peer, AsyncClient(base_url=peer.base_url) as client:

        async def talk() -> None:
            async with ask(client, "q1") as turn:
                await turn.get_final_response()

        task = asyncio.create_task(talk())
        await peer.wait_until(lambda: peer.model_runs == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await client.responses.create(model="m", input="q2")).output_text == "new"
        assert await _count(client) == (2, 1)


async def _count(client: AsyncClient) -> tuple[int, int]:
    seen = client.statistics()
    assert seen is not None
    return seen.turns, seen.cancelled


async def test_cancelling_create_cancels_its_turn() -> None:
    script = Turns([silence()], [answer("new")])
    async with Peer(script) as peer, AsyncClient(base_url=peer.base_url) as client:
        task = asyncio.create_task(client.responses.create(model="m", input="q1"))
        await peer.wait_until(lambda: peer.model_runs == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await peer.wait_until(lambda: not peer.connections[0].is_open)
        assert (await client.responses.create(model="m", input="q2")).output_text == "new"


async def test_a_wait_that_is_cancelled_loses_no_event() -> None:
    gate = Gate()
    script = Turns([answer("a b c"), wait(gate, after="response.output_text.delta")])
    async with Peer(script) as peer, AsyncClient(base_url=peer.base_url) as client:
        async with ask(client, "x") as turn:
            texts = [await first_text(turn)]
            waiting = asyncio.create_task(anext(turn))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            gate.open()
            texts += [text async for text in turn.text_deltas()]
        assert texts == ["a", " b", " c"]


async def test_a_turn_that_nobody_holds_frees_its_lane(open_client: Open) -> None:
    script = Turns([silence()], [answer("new")])
    async with Peer(script) as peer, open_client(peer, lanes=False, max_sockets=1) as client:
        turn = await start(client, "q1")
        await peer.wait_until(lambda: peer.model_runs == 1)
        del turn
        gc.collect()
        assert (await client.responses.create(model="m", input="q2")).output_text == "new"
        assert client.statistics().cancelled == 1
