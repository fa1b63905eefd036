"""Steering: docs/protocol/events.md, the steering guide, and what can go wrong on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import WSMsgType

from turnwire.testing import (
    Create,
    Gate,
    Peer,
    Steer,
    SteerStep,
    Step,
    Turns,
    accept,
    answer,
    call,
    drop,
    failed,
    item,
    reject,
    swallow,
    wait,
)

if TYPE_CHECKING:
    from tests.testing.conftest import Caller, Socket

pytestmark = pytest.mark.io

IDENTITY = "steer_" + "1".zfill(32)


async def steer(socket: Socket, target: str = "resp_1", text: Any = "left") -> None:
    message = {"type": "response.steer", "previous_response_id": target, "input": text}
    await socket.raw.send_json(message)


async def until(socket: Socket, *kinds: str) -> list[dict[str, Any]]:
    """Return the events up to the first one of these types."""
    events = [await socket.event()]
    while events[-1]["type"] not in kinds:
        events.append(await socket.event())
    return events


async def test_accept_then_successor(caller: Caller) -> None:
    seen: list[Create] = []
    gate = Gate()

    def script(create: Create) -> list[Step]:
        seen.append(create)
        if create.number == 1:
            return [answer("one"), wait(gate, after="response.output_text.delta"), answer("two")]
        return [answer("three")]

    async with Peer(script, steer=[accept()]) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="go", stream_id="a", store=False, instructions="Be brief.")
        await gate.wait_reached()
        await steer(socket)
        told = (await until(socket, "response.steer.accepted"))[-1]
        gate.open()
        steered = (await until(socket, "response.incomplete"))[-1]
        successor = await socket.turn()
    assert (told["steer"], told["stream_id"]) == (
        {"id": IDENTITY, "previous_response_id": "resp_1"},
        "a",
    )
    response = steered["response"]
    assert response["incomplete_details"] == {"reason": "steered"}
    assert [each["content"][0]["text"] for each in response["output"]] == ["one"]
    assert (successor[0]["response"]["id"], successor[0]["stream_id"]) == ("resp_2", "a")
    assert successor[-1]["response"]["previous_response_id"] == "resp_1"
    assert successor[-1]["response"]["instructions"] == "Be brief."
    assert (seen[1].text, [each["type"] for each in seen[1].history]) == (
        "left",
        ["message", "message"],
    )
    assert (peer.model_runs, len(peer.creates)) == (2, 1)


async def test_numbers_go_on_through_a_steer(caller: Caller) -> None:
    gate = Gate()
    held = [answer("one"), wait(gate, after="response.created")]
    async with Peer(Turns(held, [answer("b")]), steer=[accept()]) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="go")
        await gate.wait_reached()
        await steer(socket)
        first = await until(socket, "response.steer.accepted")
        gate.open()
        first += await until(socket, "response.incomplete")
        second = await socket.turn()
    assert [event["sequence_number"] for event in first] == list(range(len(first)))
    assert second[0]["sequence_number"] == 0


async def test_a_response_may_come_to_its_own_end_first(caller: Caller) -> None:
    gate = Gate()
    held = [answer("one"), wait(gate, after="response.created"), answer("two")]
    script = Turns(held, [answer("three")])
    async with Peer(script, steer=[accept(interrupts=False)]) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="go")
        await gate.wait_reached()
        await steer(socket)
        await until(socket, "response.steer.accepted")
        gate.open()
        ends = [(await socket.turn())[-1] for _ in range(2)]
    assert [(end["type"], end["response"]["id"]) for end in ends] == [
        ("response.completed", "resp_1"),
        ("response.completed", "resp_2"),
    ]


async def test_a_successor_goes_before_what_waits_on_its_lane(caller: Caller) -> None:
    gate = Gate()
    held = [answer("one"), wait(gate, after="response.created")]
    async with Peer(Turns(held, then=[answer("x")]), steer=[accept()]) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="go")
        await gate.wait_reached()
        await socket.create(input="queued")
        await steer(socket)
        await until(socket, "response.steer.accepted")
        gate.open()
        parents = [(await socket.turn())[-1]["response"]["previous_response_id"] for _ in range(3)]
    assert parents == [None, "resp_1", None]


async def test_accept_pending_then_create(caller: Caller) -> None:
    seen: list[Create] = []

    def script(create: Create) -> list[Step]:
        seen.append(create)
        calls = [call("f", {}), item(type="tool_search_call", execution="client")]
        return calls if create.number == 1 else [answer("done")]

    async with Peer(script, steer=[accept()]) as peer:
        socket = await caller.dial(peer)
        await socket.run(input="go")
        await steer(socket)
        accepted, pending = [await socket.event() for _ in range(2)]
        outputs = [stub | {"output": "1"} for stub in pending["required_input"]]
        end = await socket.run(input=outputs, previous_response_id="resp_1")
    assert (accepted["type"], pending["type"]) == (
        "response.steer.accepted",
        "response.steer.pending",
    )
    assert (pending["reason"], pending["required_input"]) == (
        "waiting_for_required_input",
        [
            {"type": "function_call_output", "call_id": "call_1_0", "name": "f"},
            {"type": "tool_search_output", "call_id": "call_1_1", "execution": "client"},
        ],
    )
    assert (end["type"], peer.model_runs) == ("response.completed", 2)
    kinds = [each["type"] for each in seen[1].input]
    assert kinds == ["message", "function_call_output", "tool_search_output"]


async def test_each_steer_is_pending_once_and_committed_once(caller: Caller) -> None:
    seen: list[int] = []

    def script(create: Create) -> list[Step]:
        seen.append(len(create.steered))
        return [call("f", {})] if create.number == 1 else [answer("done")]

    async with Peer(script, steer=[accept()]) as peer:
        socket = await caller.dial(peer)
        await socket.run(input="go")
        await steer(socket, text="left")
        await steer(socket, text="right")
        told = [await socket.event() for _ in range(4)]
        output = [told[1]["required_input"][0] | {"output": "1"}]
        for _ in range(2):
            await socket.run(input=output, previous_response_id="resp_1")
    kinds = [(event["type"], int(event["steer"]["id"][6:])) for event in told]
    assert sorted(kinds) == [
        ("response.steer.accepted", 1),
        ("response.steer.accepted", 2),
        ("response.steer.pending", 1),
        ("response.steer.pending", 2),
    ]
    assert (seen, peer.model_runs) == ([0, 2, 0], 3)


async def test_a_steer_of_a_running_response_may_become_pending(caller: Caller) -> None:
    gate = Gate()
    held = [answer("x"), wait(gate, after="response.created"), call("f", {})]
    async with Peer(Turns(held), steer=[accept(interrupts=False)]) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="go")
        await gate.wait_reached()
        await steer(socket)
        gate.open()
        events = await until(socket, "response.steer.pending")
    kinds = [event["type"] for event in events]
    assert kinds[-2:] == ["response.completed", "response.steer.pending"]
    assert events[-1]["steer"]["id"] == IDENTITY


@pytest.mark.parametrize(
    ("steps", "identities"),
    [([reject("too_many_pending_steers")], [None]), ([accept(), reject("x")], [IDENTITY])],
)
async def test_fail(caller: Caller, steps: list[SteerStep], identities: list[str | None]) -> None:
    gate = Gate()
    async with Peer(Turns([wait(gate, after=1), answer("a")]), steer=steps) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="go")
        await gate.wait_reached()
        await steer(socket)
        refused = (await until(socket, "response.steer.failed"))[-1]
        gate.open()
        assert (await socket.turn())[-1]["type"] == "response.completed"  # as if nothing was
    assert [refused["steer"].get("id")] == identities
    assert (refused["steer"]["input"], refused["error"]["type"], peer.model_runs) == (
        "left",
        "invalid_request_error",
        1,
    )


async def test_a_response_that_fails_returns_its_steers(caller: Caller) -> None:
    gate = Gate()
    script = Turns([wait(gate, after=1), answer("a"), failed("server_error")])
    async with Peer(script, steer=[accept(interrupts=False)]) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="go")
        await gate.wait_reached()
        await steer(socket)
        await until(socket, "response.steer.accepted")
        gate.open()
        events = await until(socket, "response.steer.failed")
    assert [event["type"] for event in events[-2:]] == ["response.failed", "response.steer.failed"]
    assert (events[-1]["steer"]["id"], events[-1]["error"]["code"]) == (
        IDENTITY,
        "successor_creation_failed",
    )


async def test_lost_ack(caller: Caller) -> None:
    gate = Gate()
    async with Peer(Turns([wait(gate, after=1), answer("a")]), steer=[drop()]) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="go")
        await gate.wait_reached()
        await steer(socket)
        await socket.event()
        assert WSMsgType.CLOSED is (await socket.raw.receive()).type


async def test_an_ack_that_never_comes(caller: Caller) -> None:
    gate = Gate()
    async with Peer(Turns([wait(gate, after=1), answer("a")]), steer=[swallow()]) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="go")
        await gate.wait_reached()
        await steer(socket)
        await peer.wait_until(lambda: len(peer.connections[0].received) == 2)
        gate.open()
        kinds = [event["type"] for event in await socket.turn()]
    assert not any(kind.startswith("response.steer") for kind in kinds)


@pytest.mark.parametrize(
    ("target", "text", "code"),
    [
        ("resp_9", "left", "response_not_found"),
        ("resp_1", "", "invalid_input"),
        ("resp_1", [], "invalid_input"),
        ("resp_1", [{"role": "system", "content": "x"}], "invalid_input"),
        ("resp_1", [{"type": "function_call_output", "call_id": "c"}], "invalid_input"),
        ("resp_1", "left", "response_already_completed"),
        ("resp_2", "left", "response_not_active"),
    ],
)
async def test_rules_of_steering(caller: Caller, target: str, text: Any, code: str) -> None:
    async with Peer(Turns([answer("a")], [failed("x")]), steer=[accept()]) as peer:
        socket = await caller.dial(peer)
        await socket.run(input="a")
        await socket.run(input="b")
        await steer(socket, target, text)
        refused = await socket.event()
    assert (refused["type"], refused["error"]["code"]) == ("response.steer.failed", code)
    assert refused["steer"] == {"previous_response_id": target, "input": text}


async def test_a_script_sees_the_steer(caller: Caller) -> None:
    gate = Gate()
    seen: list[Steer] = []

    def script(steered: Steer) -> list[SteerStep]:
        seen.append(steered)
        return [reject("steering_not_supported")]

    async with Peer(Turns([wait(gate, after=1)]), steer=script) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="go")
        await gate.wait_reached()
        await steer(socket)
        await until(socket, "response.steer.failed")
        gate.open()
    left = {"type": "message", "role": "user", "content": "left"}
    assert seen == [Steer(1, "resp_1", [left], is_active=True)]


async def test_a_script_of_steers_that_fails_fails_the_test(caller: Caller) -> None:
    gate = Gate()

    def script(steered: Steer) -> list[SteerStep]:
        raise LookupError(steered.target)

    async def run() -> None:
        async with Peer(Turns([wait(gate, after=1)]), steer=script) as peer:
            socket = await caller.dial(peer)
            await socket.create(input="go")
            await gate.wait_reached()
            await steer(socket)
            refused = (await until(socket, "response.steer.failed"))[-1]
            assert refused["error"]["code"] == "script_failed"

    with pytest.raises(ExceptionGroup) as caught:
        await run()
    assert [str(each) for each in caught.value.exceptions] == ["resp_1"]
