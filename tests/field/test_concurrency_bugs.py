"""Answers that reached the wrong turn, and turns that waited for ever: the second table.

See docs/field-bugs.md.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import TYPE_CHECKING, Any

import pytest

from client.colours import error_of, read, until
from field.support import (
    Watched,
    ask,
    client_of,
    first_text,
    reply,
    say,
    sockets_closed,
    start,
)
from turnwire import QueueTimeout, TurnError, TurnInterrupted
from turnwire.testing import (
    Create,
    Gate,
    Peer,
    Step,
    Turns,
    answer,
    close,
    deltas,
    drop,
    emit,
    error,
    failed,
    half_open,
    incomplete,
    silence,
    terminal,
    virtual_time,
    wait,
)

if TYPE_CHECKING:
    from tests.field.conftest import Open

    from turnwire.testing.lanes import LaneMode

pytestmark = pytest.mark.io


def in_many_pieces(create: Create) -> list[Step]:
    return [deltas(40, f"{create.text} ")]


@pytest.mark.parametrize("neighbour", [True, False])
@pytest.mark.parametrize("lanes", ["echo", "ignore", "reject"])
async def test_row_27_an_abandoned_answer_never_reaches_the_next_question(
    open_client: Open, lanes: LaneMode, *, neighbour: bool
) -> None:
    gate = Gate()

    def script(create: Create) -> list[Step]:
        held = [wait(gate)] if create.text == "near" else []
        return [*held, *in_many_pieces(create)]

    async with Peer(script, lanes=lanes) as peer, open_client(peer) as client:
        near = await start(client, "near") if neighbour else None
        for question in ("q1", "q2", "q3"):
            async with ask(client, question) as turn:
                assert await first_text(turn) == f"{question} "
        async with ask(client, "q4") as turn:
            pieces = [text async for text in turn.text_deltas()]
        assert pieces == ["q4 "] * 40
        gate.open()
        if near is not None:
            assert (await near.get_final_response()).output_text == "near " * 40
        assert peer.model_runs == 4 + neighbour


@pytest.mark.parametrize("queued", ["behind a dial", "behind a turn"])
@virtual_time
async def test_row_28_leaving_what_was_never_sent_costs_no_time(*, queued: str) -> None:
    dialled, asked = Gate(), Gate()
    script = Turns([wait(asked), answer("first")], then=[answer("next")])
    handshake = [wait(dialled)] if queued == "behind a dial" else None
    async with (
        Peer(script, handshake=handshake) as peer,
        client_of(peer, lanes=False, max_sockets=1) as client,
    ):
        first = await start(client, "first")
        await (dialled if handshake else asked).wait_reached()
        async with ask(client, "left"):
            pass
        last = await start(client, "last")
        dialled.open()
        asked.open()
        answers = [(await turn.get_final_response()).output_text for turn in (first, last)]
        assert (answers, peer.model_runs) == (["first", "next"], 2)
        assert peer.clock.now < 1.0


async def test_row_29_pieces_without_an_id_find_their_turn(open_client: Open) -> None:
    gate = Gate()

    def held(create: Create) -> list[Step]:
        return [wait(gate), deltas(20, create.text)]

    options = {"lanes": True, "max_sockets": 1}
    async with Peer(held) as peer, open_client(peer, **options) as client:
        turns = [await start(client, text) for text in "abc"]
        await peer.wait_until(lambda: peer.model_runs == 3)
        gate.open()
        responses = [await turn.get_final_response() for turn in turns]
        assert [each.output_text for each in responses] == ["a" * 20, "b" * 20, "c" * 20]
        sent = [event for event in peer.connections[0].sent if "delta" in event]
        # They came mixed, and no piece says whose it is.
        assert [event["delta"] for event in sent[:6]] != ["a"] * 6
        assert not any("response_id" in event or "response" in event for event in sent)


async def test_row_30_a_late_error_is_not_the_next_turns(open_client: Open) -> None:
    gate = Gate()
    script = Turns([silence()], [wait(gate), answer("mine")], then=[answer("again")])
    options = {"lanes": True, "max_sockets": 1}
    async with Peer(script) as peer, open_client(peer, **options) as client:
        left = await start(client, "left")
        await peer.wait_until(lambda: peer.model_runs == 1)
        mine = await start(client, "mine")
        await peer.wait_until(lambda: peer.model_runs == 2)
        await left.aclose()
        await peer.connections[0].refuse(error("bad_request"))
        gate.open()
        assert (await mine.get_final_response()).output_text == "mine"
        # The same while nobody waits for anything.
        await peer.connections[0].refuse(error("server_error", 500))
        await until(lambda: client.statistics().sockets == 0)
        assert await reply(client) == "again"
        assert peer.model_runs == 3


@pytest.mark.parametrize("neighbour", [True, False])
@pytest.mark.parametrize("lanes", [True, False])
async def test_row_31_a_stopped_turn_leaves_no_place_that_looks_free(
    open_client: Open, *, lanes: bool, neighbour: bool
) -> None:
    near, running = Gate(), Gate()

    def answers(create: Create) -> list[Step]:
        gate = {"near": near, "old": running}.get(create.text)
        return [*([wait(gate)] if gate else []), answer(create.text)]

    script = Watched(answers)
    async with Peer(script) as peer, open_client(peer, lanes=lanes) as client:
        beside = await start(client, "near") if neighbour else None
        stopped = await start(client, "old")
        await running.wait_reached()
        dirty = script.places[-1]
        await stopped.aclose()
        assert [await reply(client, text) for text in "ab"] == ["a", "b"]
        assert dirty not in script.places[-2:]
        running.open()
        near.open()
        if beside is not None:
            assert (await beside.get_final_response()).output_text == "near"
        assert (await reply(client, "c"), peer.model_runs) == ("c", 4 + neighbour)


async def test_row_32_who_gives_up_waiting_frees_nobody_elses_place(open_client: Open) -> None:
    first, second = Gate(), Gate()
    script = Watched(Turns([wait(first), answer("a")], [wait(second), answer("b")]))
    options = {"lanes": False, "max_sockets": 1, "queue_timeout": 60.0}
    async with Peer(script) as peer, open_client(peer, **options) as client:
        running = await start(client, "a")
        await first.wait_reached()
        for _ in range(3):
            async with ask(client, "gives up"):
                pass
        waiting = await start(client, "b")
        assert (waiting.delivery, client.statistics().active, peer.model_runs) == ("queued", 1, 1)
        first.open()
        assert (await running.get_final_response()).output_text == "a"
        second.open()
        assert (await waiting.get_final_response()).output_text == "b"
        assert script.seen == [["a"], ["b"]]


@virtual_time
async def test_row_32_nor_does_who_waited_too_long() -> None:
    gate = Gate()
    script = Turns([wait(gate), answer("a")], [answer("c")])
    options: dict[str, Any] = {"lanes": False, "max_sockets": 1, "queue_timeout": 1.0}
    async with Peer(script) as peer, client_of(peer, **options) as client:
        running = await start(client, "a")
        await gate.wait_reached()
        assert type(await error_of(ask(client, "b"))) is QueueTimeout
        last = await start(client, "c")
        assert peer.model_runs == 1
        gate.open()
        responses = [await turn.get_final_response() for turn in (running, last)]
        assert [each.output_text for each in responses] == ["a", "c"]


async def test_row_33_lanes_that_a_server_mixes_up_are_not_used(open_client: Open) -> None:
    async with Peer(in_many_pieces, lanes="mix") as peer, open_client(peer) as client:
        for _ in range(3):
            turns = [await start(client, text) for text in "abcd"]
            responses = [await turn.get_final_response() for turn in turns]
            assert [each.output_text for each in responses] == [f"{text} " * 40 for text in "abcd"]
        assert peer.model_runs == 12


async def test_row_34_a_server_that_refuses_lanes_gets_none(open_client: Open) -> None:
    async with Peer(in_many_pieces, lanes="reject") as peer, open_client(peer) as client:
        refused: list[int] = []
        for _ in range(3):
            turns = [await start(client, text) for text in "abcd"]
            responses = [await turn.get_final_response() for turn in turns]
            assert [each.output_text for each in responses] == [f"{text} " * 40 for text in "abcd"]
            refused.append(len(peer.refusals))
        # What was learnt is kept: the rounds after the one that found out name no lane.
        assert len({number for number in refused if number}) == 1
        assert (peer.model_runs, client.statistics().failed) == (12, 0)


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        (terminal("response.completed"), None),
        (incomplete("content_filter"), None),
        (failed("moderated"), TurnError),
        (error("moderated"), TurnError),
    ],
)
async def test_row_35_each_of_the_four_ends_is_one(
    open_client: Open, transport: str, end: Step, kind: type[TurnError] | None
) -> None:
    script = Turns([answer("a"), end], then=[answer("b")])
    async with Peer(script) as peer, open_client(peer, transport=transport) as client:
        if kind is None:
            assert await reply(client) == "a"
        else:
            assert type(await error_of(ask(client))) is kind
        assert await reply(client) == "b"
        assert peer.model_runs == 2


async def test_row_35_anothers_end_is_not_ones_own(open_client: Open) -> None:
    foreign = {"id": "resp_of_a_child", "status": "completed", "output": []}
    script = [answer("half"), emit("response.completed", response=foreign), answer("rest")]
    async with Peer(lambda _: script) as peer, open_client(peer) as client:
        async with ask(client) as turn:
            texts, raised = await read(turn.text_deltas())
        assert (texts, type(raised), turn.response) == (["half"], TurnInterrupted, None)


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (incomplete("max_output_tokens"), "incomplete"),
        (terminal("response.done"), "completed"),
        (terminal("response.ended_of_next_year"), "completed"),
        (terminal("response.done", "incomplete"), "incomplete"),
        (terminal("response.cancelled", "cancelled"), None),
        (terminal("response.done", "failed"), None),
    ],
)
async def test_row_36_no_end_is_waited_for_that_has_come(
    open_client: Open, transport: str, end: Step, status: str | None
) -> None:
    async with (
        Peer(lambda _: [answer("a"), end]) as peer,
        open_client(peer, transport=transport) as client,
        ask(client) as turn,
    ):
        if status is None:
            assert type((await read(turn))[1]) is TurnError
        else:
            response = await turn.get_final_response()
            assert (response.status, response.output_text) == (status, "a")


@pytest.mark.parametrize("step", [close(1000), close(1001), drop()])
async def test_row_37_sockets_that_were_closed_are_not_tried(
    open_client: Open, step: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "turnwire")
    gate = Gate()
    script = Turns(*[[wait(gate), answer("a")]] * 3, then=[answer("b")])
    async with Peer(script) as peer, open_client(peer, lanes=False) as client:
        turns = [await start(client) for _ in range(3)]
        await peer.wait_until(lambda: peer.model_runs == 3)
        gate.open()
        for turn in turns:
            await turn.get_final_response()
        for connection in peer.connections[:3]:
            if hasattr(step, "code"):
                await connection.close(step.code)
            else:
                connection.drop()
        await until(lambda: client.statistics().sockets == 0)
        async with ask(client) as turn:
            assert (await turn.get_final_response()).output_text == "b"
        assert (turn.resends, turn.model_runs) == (0, 1)
        assert [len(connection.creates) for connection in peer.connections] == [1, 1, 1, 1]
        assert [entry for entry in caplog.records if entry.levelno > logging.INFO] == []


@pytest.mark.parametrize("store", [True, False])
async def test_row_38_a_socket_that_closes_under_a_question_is_replaced(
    open_client: Open, *, store: bool
) -> None:
    script = Watched(Turns([answer("A")], [drop(after=0)], then=[answer("B")]))
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m", store=store)
        await say(chain, "a")
        turn = await say(chain, "b")
        assert (turn.response.output_text, turn.resends) == ("B", 1)
        assert script.seen[-1] == ["a", "A", "b"]
        # The server may have run the first one: that is counted.
        assert (turn.model_runs, peer.model_runs, peer.refusals) == (2, 3, [])


async def test_row_39_a_lane_is_free_at_once_when_its_socket_is_lost(open_client: Open) -> None:
    cut = [answer("par"), drop(after="response.output_text.delta")]
    script = Turns(cut, cut, cut, [answer("ok")])
    options = {"lanes": False, "max_sockets": 1, "transport": "websocket", "replay": "never"}
    async with Peer(script) as peer, open_client(peer, **options) as client:
        for _ in range(3):
            async with ask(client) as turn:
                texts, raised = await read(turn.text_deltas())
            assert (texts, type(raised)) == (["par"], TurnInterrupted)
            assert client.statistics().active == 0
        assert await reply(client) == "ok"
        assert peer.model_runs == 4


async def test_row_40_nothing_is_left_open_whatever_happened(open_client: Open) -> None:
    def too_big_for_a_socket(create: Create) -> list[Step]:
        too_big = create.text == "big" and create.connection is not None
        return [close(1009, after=0)] if too_big else [answer("a"), silence()]

    async with Peer(too_big_for_a_socket) as peer:
        async with open_client(peer, lanes=False) as client:
            turns = [await start(client) for _ in range(3)]
            await peer.wait_until(lambda: peer.model_runs == 3)
            turns.append(await start(client, "big"))
            await peer.wait_until(lambda: len(peer.posts) == 1)
        await peer.wait_until(sockets_closed(peer))
        await peer.wait_until(lambda: not peer.posts[0].is_open)
        names = {task.get_name() for task in asyncio.all_tasks()}
        assert {name for name in names if name.startswith("turnwire-")} == set()
        assert [turn.response for turn in turns] == [None] * 4
        del turns, client
        gc.collect()  # what was not closed would be a ResourceWarning, and that an error


@virtual_time
async def test_row_40_a_peer_that_is_gone_keeps_nothing_open() -> None:
    script = Turns([answer("a"), half_open()], then=[answer("b"), silence()])
    async with Peer(script) as peer:
        async with client_of(peer, lanes=False) as client:
            turns = [await start(client) for _ in range(2)]
            await peer.wait_until(lambda: peer.model_runs == 2)
        assert client.statistics().sockets == 0
        await peer.wait_until(lambda: not peer.connections[1].is_open)
        assert [turn.response for turn in turns] == [None, None]
