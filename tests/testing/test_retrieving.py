"""Stored responses over GET, also while a turn goes on whose connection is gone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import openai
import pytest

from turnwire.testing import (
    Gate,
    Peer,
    Step,
    Turns,
    answer,
    call,
    close,
    drop,
    error,
    half_open,
    refuse,
    wait,
)

if TYPE_CHECKING:
    from tests.testing.conftest import Caller, Socket

pytestmark = pytest.mark.io


async def get(caller: Caller, peer: Peer, name: str, **query: Any) -> tuple[int, dict[str, Any]]:
    url = f"{peer.base_url}/responses/{name}"
    async with caller.session.get(url, params=query) as response:
        return response.status, msgspec.json.decode(await response.read())


async def stream(caller: Caller, peer: Peer, name: str, **query: Any) -> list[dict[str, Any]]:
    url = f"{peer.base_url}/responses/{name}"
    async with caller.session.get(url, params={"stream": "true", **query}) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        blocks = (await response.read()).decode().removesuffix("\n\n").split("\n\n")
    return [msgspec.json.decode(block.split("\ndata: ")[1]) for block in blocks]


async def until_lost(socket: Socket) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    while (message := await socket.raw.receive()).type is aiohttp.WSMsgType.TEXT:
        events.append(message.json())
    return events


async def test_a_stored_response_can_be_retrieved(caller: Caller) -> None:
    async with Peer() as peer:
        socket = await caller.dial(peer)
        end = await socket.run(input="a", stream_id="x")
        status, found = await get(caller, peer, "resp_1")
    assert (status, found) == (200, end["response"])
    (retrieval,) = peer.retrievals
    assert (retrieval.response_id, retrieval.is_stream, retrieval.status) == ("resp_1", False, 200)


@pytest.mark.parametrize("members", [{"store": False}, {"previous_response_id": "nobody"}])
async def test_what_is_not_stored_is_not_found(caller: Caller, members: dict[str, Any]) -> None:
    async with Peer(resumes="stream") as peer:
        socket = await caller.dial(peer)
        await socket.run(input="a", **members)
        status, body = await get(caller, peer, "resp_1")
    assert (status, body["error"]["message"]) == (404, "Response with id 'resp_1' not found.")


@pytest.mark.parametrize("step", [drop(after=4), half_open(after=4)])
async def test_a_turn_goes_on_without_its_socket(caller: Caller, step: Step) -> None:
    async with Peer(Turns([answer("Hello world"), step]), resumes="stream") as peer:
        socket = await caller.dial(peer)
        await socket.create(input="a")
        before = [await socket.event() for _ in range(4)]
        after = await stream(caller, peer, "resp_1", starting_after="3")
        _, whole = await get(caller, peer, "resp_1")
    numbers = [event["sequence_number"] for event in before + after]
    assert numbers == list(range(len(numbers)))
    assert (after[-1]["type"], after[-1]["response"]) == ("response.completed", whole)
    assert "".join(event.get("delta", "") for event in before + after) == "Hello world"
    assert [each.starting_after for each in peer.retrievals] == [3, None]
    assert peer.retrievals[0].sent == after
    assert peer.model_runs == 1


async def test_a_turn_goes_on_after_a_close(caller: Caller) -> None:
    async with Peer(Turns([answer("a"), close(1001, after=1)]), resumes="stream") as peer:
        socket = await caller.dial(peer)
        await socket.create(input="a")
        before = await until_lost(socket)
        after = await stream(caller, peer, "resp_1", starting_after="0")
    assert (len(before), after[0]["sequence_number"], after[-1]["type"]) == (
        1,
        1,
        "response.completed",
    )


async def test_a_stream_is_followed_while_it_is_made(caller: Caller) -> None:
    gate = Gate()
    steps = [answer("Hello world"), drop(after=4), wait(gate, after=6)]
    async with Peer(Turns(steps), resumes="stream") as peer:
        socket = await caller.dial(peer)
        await socket.create(input="a")
        await until_lost(socket)
        await gate.wait_reached()
        following = asyncio.create_task(stream(caller, peer, "resp_1", starting_after="3"))
        await peer.wait_until(lambda: len(peer.retrievals) == 1)
        await peer.wait_until(lambda: len(peer.retrievals[0].sent) == 2)
        status, now = await get(caller, peer, "resp_1")
        gate.open()
        events = await following
    assert (status, now["status"], now["output"]) == (200, "in_progress", [])
    assert [events[0]["sequence_number"], events[-1]["type"]] == [4, "response.completed"]


async def test_a_turn_goes_on_when_its_client_vanishes(caller: Caller) -> None:
    gate = Gate()
    async with Peer(Turns([answer("a"), wait(gate, after=1)]), resumes="json") as peer:
        socket = await caller.dial(peer)
        await socket.create(input="a")
        await gate.wait_reached()
        transport: Any = socket.raw._conn.transport
        transport.abort()
        await peer.wait_until(lambda: not peer.connections[0].is_open)
        gate.open()
        status, found = await get(caller, peer, "resp_1")
        while found["status"] != "completed":
            status, found = await get(caller, peer, "resp_1")
        refused = await get(caller, peer, "resp_1", stream="true")
    assert (status, found["output"][0]["content"][0]["text"]) == (200, "a")
    assert (refused[0], refused[1]["error"]["param"]) == (400, "stream")


async def test_a_post_goes_on_without_its_client(caller: Caller) -> None:
    async with Peer(Turns([answer("Hello world"), drop(after=4)]), resumes="stream") as peer:
        body = {"model": "m", "stream": True}
        with pytest.raises(aiohttp.ClientError):
            async with caller.session.post(f"{peer.base_url}/responses", json=body) as response:
                await response.read()
        events = await stream(caller, peer, "resp_1")
    assert events[-1]["type"] == "response.completed"
    assert (peer.model_runs, len(peer.posts[0].sent)) == (1, 4)


async def test_without_resuming_a_turn_ends_with_its_socket(caller: Caller) -> None:
    async with Peer(Turns([answer("a"), drop(after=4)])) as peer:
        socket = await caller.dial(peer)
        await socket.create(input="a")
        await until_lost(socket)
        assert (await get(caller, peer, "resp_1"))[0] == 404


async def test_what_is_not_stored_ends_with_its_socket(caller: Caller) -> None:
    gate = Gate()
    async with Peer(Turns([wait(gate), answer("a")]), resumes="stream") as peer:
        socket = await caller.dial(peer)
        await socket.create(input="a", store=False)
        await gate.wait_reached()
        await socket.raw.close()
        await peer.wait_until(lambda: not peer.connections[0].is_open)
        gate.open()
        assert (await get(caller, peer, "resp_1"))[0] == 404


async def test_what_waited_behind_a_lost_turn_never_starts(caller: Caller) -> None:
    gate = Gate()
    async with Peer(Turns([wait(gate), answer("a")]), resumes="stream") as peer:
        socket = await caller.dial(peer)
        await socket.create(input="a")
        await socket.create(input="b")
        await peer.wait_until(lambda: len(peer.creates) == 2)
        await socket.raw.close()
        await peer.wait_until(lambda: not peer.connections[0].is_open)
        gate.open()
        assert (await stream(caller, peer, "resp_1"))[-1]["type"] == "response.completed"
    assert peer.model_runs == 1


async def test_an_error_ends_a_resumed_stream(caller: Caller) -> None:
    steps = [answer("par"), drop(after=3), error("server_error", 500, message="m")]
    async with Peer(Turns(steps), resumes="stream") as peer:
        socket = await caller.dial(peer)
        await socket.create(input="a")
        await until_lost(socket)
        events = await stream(caller, peer, "resp_1")
        _, whole = await get(caller, peer, "resp_1")
    assert (events[-1]["type"], events[-1]["code"]) == ("error", "server_error")
    assert (whole["status"], whole["error"]) == ("failed", {"code": "server_error", "message": "m"})


async def test_retrievals_one_by_one(caller: Caller) -> None:
    script = [503, refuse(429, retry_after=1), drop(after=2)]
    async with Peer(resumes="stream", retrievals=script) as peer:
        socket = await caller.dial(peer)
        await socket.run(input="a")
        statuses = [(await get(caller, peer, "resp_1"))[0] for _ in range(2)]
        with pytest.raises(aiohttp.ClientError):
            await stream(caller, peer, "resp_1")
        events = await stream(caller, peer, "resp_1", starting_after="1")
    assert (statuses, len(peer.retrievals[2].sent)) == ([503, 429], 2)
    assert [events[0]["sequence_number"], events[-1]["type"]] == [2, "response.completed"]


@pytest.mark.parametrize("number", ["x", "-1"])
async def test_a_bad_number_is_refused(caller: Caller, number: str) -> None:
    async with Peer(resumes="stream") as peer:
        socket = await caller.dial(peer)
        await socket.run(input="a")
        query = {"stream": "true", "starting_after": number}
        status, body = await get(caller, peer, "resp_1", **query)
    assert (status, body["error"]["param"]) == (400, "starting_after")


@pytest.mark.interop
async def test_the_openai_package_retrieves(caller: Caller) -> None:
    script = Turns([answer("Hello world"), call("f", {}), drop(after=5)])
    async with (
        Peer(script, resumes="stream") as peer,
        openai.AsyncOpenAI(api_key="k", base_url=peer.base_url, max_retries=0) as client,
    ):
        socket = await caller.dial(peer)
        await socket.create(input="a")
        await until_lost(socket)
        rest = await client.responses.retrieve("resp_1", stream=True, starting_after=4)
        events = [event async for event in rest]
        whole = await client.responses.retrieve("resp_1")
    assert (events[0].sequence_number, events[-1].type) == (5, "response.completed")
    assert (whole.output_text, whole.status) == ("Hello world", "completed")
