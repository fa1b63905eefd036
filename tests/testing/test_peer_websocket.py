from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from turnwire.testing import (
    Create,
    Gate,
    Peer,
    Step,
    Turns,
    answer,
    call,
    deltas,
    error,
    failed,
    incomplete,
    wait,
)

if TYPE_CHECKING:
    from tests.testing.conftest import Caller

pytestmark = pytest.mark.io

LOST = {
    "type": "error",
    "status": 400,
    "error": {
        "type": "invalid_request_error",
        "code": "previous_response_not_found",
        "message": "Previous response with id 'resp_1' not found.",
        "param": "previous_response_id",
    },
}


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


async def test_a_turn_is_answered_recorded_and_counted(caller: Caller) -> None:
    async with Peer() as peer:
        socket = await caller.dial(peer, headers={"Authorization": "Bearer k"})
        await socket.create(input="Say it")
        events = await socket.turn()
        await socket.raw.close(code=4000)
        connection = peer.connections[0]
        await peer.wait_until(lambda: not connection.is_open)
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "Say it"
    assert list(range(len(events))) == [event["sequence_number"] for event in events]
    assert all("stream_id" not in event for event in events)
    assert events == connection.sent
    expected = {"type": "response.create", "model": "m", "input": "Say it"}
    assert [expected] == connection.received == peer.creates
    assert [msgspec.json.encode(expected)] == connection.raw
    assert (connection.headers["authorization"], connection.close_code) == ("Bearer k", 4000)
    assert (peer.model_runs, peer.warm_ups, peer.refusals) == (1, 0, [])


async def test_a_chain_on_one_lane(caller: Caller) -> None:
    seen: list[Create] = []

    def script(create: Create) -> list[Step]:
        seen.append(create)
        return [call("f", {})] if create.number < 3 else [answer("done")]

    async with Peer(script) as peer:
        socket = await caller.dial(peer)
        end = await socket.run(input="go", store=False)
        for _ in range(2):
            output = {
                "type": "function_call_output",
                "call_id": end["response"]["output"][0]["call_id"],
                "output": "1",
            }
            parent = end["response"]["id"]
            end = await socket.run(input=[output], previous_response_id=parent, store=False)
        assert peer.model_runs == 3
    assert end["response"]["output"][0]["content"][0]["text"] == "done"
    assert [len(create.history) for create in seen] == [0, 2, 4]


async def test_store_decides_what_other_connections_can_continue(caller: Caller) -> None:
    async with Peer() as peer:
        first, second = await caller.dial(peer), await caller.dial(peer)
        await first.run(input="a", store=False)
        await first.run(input="b")
        lost = await second.run(input="x", previous_response_id="resp_1")
        found = await second.run(input="x", previous_response_id="resp_2")
        assert peer.model_runs == 3
        assert [refusal.code for refusal in peer.refusals] == ["previous_response_not_found"]
    assert (lost, found["type"]) == (LOST, "response.completed")


async def test_an_older_response_of_a_lane_is_forgotten(caller: Caller) -> None:
    async with Peer() as peer:
        socket = await caller.dial(peer)
        await socket.run(input="a", store=False)
        await socket.run(input="b", store=False)
        assert await socket.run(input="c", store=False, previous_response_id="resp_1") == LOST


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (failed("server_error"), "response.failed"),
        (incomplete("max_output_tokens"), "response.incomplete"),
        (error("rate_limit_exceeded", 429), "error"),
    ],
)
async def test_a_turn_that_does_not_complete_evicts_its_parent(
    caller: Caller, step: Step, kind: str
) -> None:
    async with Peer(Turns([answer("a")], [step])) as peer:
        socket = await caller.dial(peer)
        await socket.run(input="a", store=False)
        bad = await socket.run(input="b", store=False, previous_response_id="resp_1")
        assert (kind, LOST) == (
            bad["type"],
            await socket.run(input="c", store=False, previous_response_id="resp_1"),
        )


async def test_a_broken_rule_evicts_the_parent_and_is_no_model_run(caller: Caller) -> None:
    async with Peer() as peer:
        socket = await caller.dial(peer)
        await socket.run(input="a", store=False)
        output = {"type": "function_call_output", "call_id": "nobody", "output": ""}
        bad = await socket.run(input=[output], store=False, previous_response_id="resp_1")
        lost = await socket.run(input="c", store=False, previous_response_id="resp_1")
        assert peer.model_runs == 1
    assert bad["error"]["message"] == "No tool call found for function call output at input[0]."
    assert lost == LOST


async def test_a_failed_fork_leaves_the_other_lane_alone(caller: Caller) -> None:
    async with Peer(Turns([answer("a")], [failed("server_error")], [answer("c")])) as peer:
        socket = await caller.dial(peer)
        await socket.run(input="a", store=False)
        fork = {"previous_response_id": "resp_1", "store": False}
        bad = await socket.run(input="b", stream_id="x", **fork)
        good = await socket.run(input="c", **fork)
    assert (bad["type"], bad["stream_id"]) == ("response.failed", "x")
    assert good["type"] == "response.completed"


async def test_a_warm_up_is_no_model_run_and_can_be_continued(caller: Caller) -> None:
    async with Peer() as peer:
        socket = await caller.dial(peer)
        await socket.create(input="first", generate=False, store=False)
        warm = await socket.turn()
        await socket.create(input=[], previous_response_id="resp_1", store=False)
        await socket.turn()
        assert (peer.warm_ups, peer.model_runs) == (1, 1)
    assert types(warm) == ["response.created", "response.in_progress", "response.completed"]
    assert warm[-1]["response"]["output"] == []


async def test_a_warm_up_has_its_own_script(caller: Caller) -> None:
    async with Peer(warm_up=[error("unsupported_parameter", param="generate")]) as peer:
        socket = await caller.dial(peer)
        bad = await socket.run(input="first", generate=False)
        assert (bad["error"]["code"], peer.warm_ups) == ("unsupported_parameter", 0)


async def test_lanes_echo_their_name_and_do_not_wait_for_each_other(caller: Caller) -> None:
    gate = Gate()
    held = [wait(gate, after="response.created"), answer("a")]
    async with Peer(Turns(held, [answer("b")])) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="a", stream_id="one")
        await gate.wait_reached()
        await socket.create(input="b", stream_id="two")
        first = await socket.event()
        second = await socket.turn()
        gate.open()
        rest = await socket.turn()
    assert (
        first["stream_id"],
        first["type"],
        first["sequence_number"],
    ) == ("one", "response.created", 0)
    assert [("two", number) for number in range(len(second))] == [
        (event["stream_id"], event["sequence_number"]) for event in second
    ]
    assert [("one", number + 1) for number in range(len(rest))] == [
        (event["stream_id"], event["sequence_number"]) for event in rest
    ]


async def test_two_free_lanes_take_turns_event_by_event(caller: Caller) -> None:
    gate = Gate()
    async with Peer(lambda create: [wait(gate), deltas(5)]) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="a", stream_id="one")
        await socket.create(input="b", stream_id="two")
        await peer.wait_until(lambda: peer.model_runs == 2)
        gate.open()
        events = await socket.turn()
        events += await socket.turn()
    assert [event["stream_id"] for event in events] == ["one", "two"] * 13


async def test_a_lane_is_fifo(caller: Caller) -> None:
    gate = Gate()
    async with Peer(Turns([wait(gate), answer("a")], [answer("b")])) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="a")
        await socket.create(input="b")
        await gate.wait_reached()
        await peer.wait_until(lambda: len(peer.creates) == 2)
        assert peer.model_runs == 1
        gate.open()
        ends = [(await socket.turn())[-1]["response"]["id"] for _ in range(2)]
        assert peer.model_runs == 2
    assert ends == ["resp_1", "resp_2"]


async def test_the_seventeenth_turn_waits(caller: Caller) -> None:
    gate = Gate()
    async with Peer(lambda create: [wait(gate)]) as peer:
        socket = await caller.dial(peer)
        for number in range(17):
            await socket.create(input="x", stream_id=f"lane-{number}")
        await peer.wait_until(lambda: len(peer.creates) == 17)
        assert peer.model_runs == 16
        gate.open()
        for _ in range(17):
            assert (await socket.turn())[-1]["type"] == "response.completed"
        assert peer.model_runs == 17


async def test_the_thirty_third_lane_is_refused(caller: Caller) -> None:
    async with Peer() as peer:
        socket = await caller.dial(peer)
        for number in range(32):
            await socket.run(input="x", stream_id=f"lane-{number}")
        refused = await socket.run(input="x", stream_id="lane-32")
        again = await socket.run(input="x", stream_id="lane-0")
        assert peer.model_runs == 33
    assert (
        refused["error"]["code"],
        refused["stream_id"],
    ) == ("websocket_stream_limit_reached", "lane-32")
    assert again["type"] == "response.completed"


async def test_servers_that_know_no_lanes(caller: Caller) -> None:
    async with Peer(lanes="ignore") as ignoring, Peer(lanes="reject") as rejecting:
        socket = await caller.dial(ignoring)
        assert "stream_id" not in await socket.run(input="x", stream_id="a")
        socket = await caller.dial(rejecting)
        refused = await socket.run(input="x", stream_id="a")
        assert ("unsupported_parameter", "stream_id" in refused) == (
            refused["error"]["code"],
            False,
        )
