"""Lanes and forks as a bare client sees them; the limits are in test_peer_websocket.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from turnwire.testing import Gate, Peer, Turns, answer, deltas, wait

if TYPE_CHECKING:
    from tests.testing.conftest import Caller

    from turnwire.testing.lanes import LaneMode

pytestmark = pytest.mark.io


@pytest.mark.parametrize(
    ("mode", "names"),
    [("echo", ["a"]), ("ignore", [None]), ("mix", [None])],
)
async def test_which_names_are_echoed(
    caller: Caller, mode: LaneMode, names: list[str | None]
) -> None:
    async with Peer(lanes=mode) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="x", stream_id="a")
        events = await socket.turn()
    assert set(names) == {event.get("stream_id") for event in events}


async def test_interleave(caller: Caller) -> None:
    gate = Gate()
    async with Peer(lambda create: [wait(gate), deltas(4)]) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="x", stream_id="a")
        await socket.create(input="x")
        await peer.wait_until(lambda: peer.model_runs == 2)
        gate.open()
        events = [await socket.event() for _ in range(8)]
    assert [event.get("stream_id") for event in events] == ["a", None] * 4


async def test_mixed_lanes_cannot_be_told_apart(caller: Caller) -> None:
    gate = Gate()
    async with Peer(lambda create: [wait(gate), answer(create.text)], lanes="mix") as peer:
        socket = await caller.dial(peer)
        for text in "ab":
            await socket.create(input=text, stream_id=text)
        await peer.wait_until(lambda: peer.model_runs == 2)
        gate.open()
        events = await socket.turn() + await socket.turn()
    assert [event["response"]["id"] for event in events[:2]] == ["resp_1", "resp_2"]
    assert {event.get("stream_id") for event in events} == {None}


async def test_fork_barrier(caller: Caller) -> None:
    gate = Gate()
    turns = Turns([answer("a")], [wait(gate), answer("first on the lane")], then=[answer("c")])
    async with Peer(turns) as peer:
        socket = await caller.dial(peer)
        await socket.run(input="a", store=False)
        fork = {"previous_response_id": "resp_1", "store": False, "stream_id": "fork"}
        await socket.create(input="other", stream_id="fork", store=False)
        await socket.create(input="b", **fork)  # waits on its lane, so it has not bound its parent
        await gate.wait_reached()
        await socket.run(input="c", previous_response_id="resp_1", store=False)  # the source moves
        gate.open()
        await socket.turn()
        lost = (await socket.turn())[-1]
    assert (lost["error"]["code"], lost["stream_id"]) == ("previous_response_not_found", "fork")


async def test_a_fork_that_has_begun_keeps_its_parent(caller: Caller) -> None:
    gate = Gate()
    held = [wait(gate, after="response.in_progress"), answer("fork")]
    async with Peer(Turns([answer("a")], held, then=[answer("c")])) as peer:
        socket = await caller.dial(peer)
        await socket.run(input="a", store=False)
        parent = {"previous_response_id": "resp_1", "store": False}
        await socket.create(input="b", stream_id="fork", **parent)
        assert [(await socket.event())["sequence_number"] for _ in range(2)] == [0, 1]
        await socket.run(input="c", **parent)
        gate.open()
        assert (await socket.turn())[-1]["type"] == "response.completed"
