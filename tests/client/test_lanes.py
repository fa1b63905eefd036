"""Many turns at once: lanes, sockets, and servers that know no lanes."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from turnwire.testing import Create, Gate, Peer, Step, answer, wait

if TYPE_CHECKING:
    from tests.client.conftest import Open

    from turnwire.testing.lanes import LaneMode

pytestmark = pytest.mark.io


async def ask(client: Any, text: str) -> str:
    response = await client.responses.create(model="m", input=text)
    return response.output_text


async def ask_all(client: Any, count: int) -> list[str]:
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(ask(client, f"q{number}")) for number in range(count)]
    return [task.result() for task in asked]


def lanes_of(peer: Peer) -> list[list[str | None]]:
    return [
        [create.get("stream_id") for create in connection.creates]
        for connection in peer.connections
    ]


async def test_turns_at_once_share_a_socket_of_a_server_with_lanes(open_client: Open) -> None:
    gate = Gate()

    def script(create: Create) -> list[Step]:
        return [wait(gate), answer(create.text)]

    async with Peer(script) as peer, open_client(peer, lanes=True, max_sockets=1) as client:
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(ask_all(client, 5))
            await peer.wait_until(lambda: peer.model_runs == 5)
            gate.open()
        assert asked.result() == ["q0", "q1", "q2", "q3", "q4"]
        assert lanes_of(peer) == [[None, "lane-1", "lane-2", "lane-3", "lane-4"]]


async def test_a_lane_is_used_again_once_it_is_free(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer, lanes=True) as client:
        for _ in range(3):
            assert await ask_all(client, 2) == ["q0", "q1"]
        assert len(peer.connections) <= 2
        used = {lane for lanes in lanes_of(peer) for lane in lanes}
        assert used <= {None, "lane-1"}


async def test_forty_turns_on_two_sockets(open_client: Open) -> None:
    gate = Gate()

    def script(create: Create) -> list[Step]:
        return [wait(gate), answer(create.text)]

    async with Peer(script) as peer, open_client(peer, lanes=True, max_sockets=2) as client:
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(ask_all(client, 40))
            await peer.wait_until(lambda: peer.model_runs == 32)
            assert [len(connection.creates) for connection in peer.connections] == [16, 16]
            while client.statistics().waiting < 8:  # noqa: ASYNC110  # threads take their time
                await asyncio.sleep(0.001)
            assert (client.statistics().active, client.statistics().waiting) == (32, 8)
            gate.open()
        assert asked.result() == [f"q{number}" for number in range(40)]
        assert (len(peer.connections), peer.model_runs, peer.refusals) == (2, 40, [])
        for lanes in lanes_of(peer):
            assert set(lanes) == {None, *(f"lane-{number}" for number in range(1, 16))}


async def test_sixty_turns_that_each_hold_a_lane_stay_within_32_names(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer, lanes=True, max_sockets=1) as client:
        for number in range(60):
            response = await client.responses.create(model="m", input=f"q{number}", store=False)
            assert response.output_text == f"q{number}"
        assert (len(peer.connections), peer.refusals) == (1, [])
        assert Counter(lanes_of(peer)[0]).total() == 60
        assert len(set(lanes_of(peer)[0])) <= 33


@pytest.mark.parametrize(("mode", "resends"), [("echo", 0), ("ignore", 0), ("reject", 1)])
async def test_whether_a_server_has_lanes_is_found_out_when_turns_overlap(
    open_client: Open, mode: LaneMode, resends: int
) -> None:
    gate = Gate()

    def script(create: Create) -> list[Step]:
        return [wait(gate), answer(create.text)]

    async with Peer(script, lanes=mode) as peer, open_client(peer) as client:
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(ask(client, "a"))
            await peer.wait_until(lambda: peer.model_runs == 1)
            async with client.responses.stream(model="m", input="b") as turn:
                await peer.wait_until(lambda: peer.model_runs == 2)
                gate.open()
                response = await turn.get_final_response()
        assert [first.result(), response.output_text] == ["a", "b"]
        assert (turn.resends, turn.model_runs) == (resends, 1)
        named = [[None], ["lane-1"]]
        assert lanes_of(peer) == (named if mode != "reject" else [[None], ["lane-1", None]])
        assert peer.model_runs == 2


@pytest.mark.parametrize("mode", ["ignore", "reject"])
async def test_a_server_without_lanes_gets_one_turn_a_socket(
    open_client: Open, mode: LaneMode
) -> None:
    gate = Gate()

    def script(create: Create) -> list[Step]:
        return [wait(gate), answer(create.text)]

    options = {"lanes": False, "max_sockets": 3}
    async with Peer(script, lanes=mode) as peer, open_client(peer, **options) as client:
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(ask_all(client, 7))
            await peer.wait_until(lambda: peer.model_runs == 3)
            assert (client.statistics().active, client.statistics().waiting) == (3, 4)
            gate.open()
        assert asked.result() == [f"q{number}" for number in range(7)]
        assert {None} == {lane for lanes in lanes_of(peer) for lane in lanes}
        assert (len(peer.connections), peer.model_runs) == (3, 7)


@pytest.mark.parametrize("mode", ["echo", "ignore", "reject"])
async def test_many_turns_at_once_on_any_server(open_client: Open, mode: LaneMode) -> None:
    async with Peer(lanes=mode) as peer, open_client(peer, max_sockets=3) as client:
        for _ in range(3):
            assert await ask_all(client, 12) == [f"q{number}" for number in range(12)]
        assert (len(peer.connections) <= 3, peer.model_runs) == (True, 36)


async def test_http_turns_run_side_by_side(open_client: Open) -> None:
    gate = Gate()

    def script(create: Create) -> list[Step]:
        return [wait(gate), answer(create.text)]

    async with Peer(script) as peer, open_client(peer, transport="http") as client:
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(ask_all(client, 10))
            await peer.wait_until(lambda: peer.model_runs == 10)
            gate.open()
        assert asked.result() == [f"q{number}" for number in range(10)]
