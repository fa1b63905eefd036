from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest

from turnwire.testing import (
    Gate,
    Peer,
    Refuse,
    Step,
    Turns,
    abort,
    answer,
    call,
    close,
    drop,
    error,
    failed,
    refuse,
    wait,
)

if TYPE_CHECKING:
    from aiohttp import web
    from tests.testing.conftest import Caller

pytestmark = pytest.mark.io


async def sse(caller: Caller, peer: Peer, **body: Any) -> list[dict[str, Any]]:
    url = f"{peer.base_url}/responses"
    events = []
    async with caller.session.post(url, json={"model": "m", "stream": True, **body}) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        text = (await response.read()).decode()
    for block in text.removesuffix("\n\n").split("\n\n"):
        kind, data = block.split("\n")
        events.append(msgspec.json.decode(data.removeprefix("data: ")))
        assert f"event: {events[-1]['type']}" == kind
    return events


async def test_a_post_gets_the_response(caller: Caller) -> None:
    async with Peer() as peer:
        status, response = await caller.post(peer, input="hello")
        assert (peer.model_runs, peer.posts[0].body) == (1, {"model": "m", "input": "hello"})
    assert (status, response["object"], response["status"]) == (200, "response", "completed")


async def test_a_post_streams(caller: Caller) -> None:
    async with Peer() as peer:
        events = await sse(caller, peer, input="hello")
        assert events == peer.posts[0].sent
    assert (events[0]["type"], events[-1]["type"]) == ("response.created", "response.completed")
    assert list(range(len(events))) == [event["sequence_number"] for event in events]


async def test_posts_and_sockets_share_the_store(caller: Caller) -> None:
    async with Peer() as peer:
        await caller.post(peer, input="a")
        await caller.post(peer, input="b", store=False)
        socket = await caller.dial(peer)
        found = await socket.run(input="c", previous_response_id="resp_1")
        lost = await socket.run(input="c", previous_response_id="resp_2")
    assert (
        found["type"],
        lost["error"]["code"],
    ) == ("response.completed", "previous_response_not_found")


async def test_a_post_that_is_refused(caller: Caller) -> None:
    async with Peer() as peer:
        status, body = await caller.post(peer, input="a", previous_response_id="nobody")
        assert peer.model_runs == 0
    assert (status, body["error"]["code"]) == (400, "previous_response_not_found")


@pytest.mark.parametrize("name", ["stream_id", "generate"])
async def test_what_only_a_socket_takes(caller: Caller, name: str) -> None:
    async with Peer() as peer:
        status, body = await caller.post(peer, input="a", **{name: "x"})
    assert (400, "unsupported_parameter", name) == (
        status,
        body["error"]["code"],
        body["error"]["param"],
    )


async def test_a_body_that_is_no_object(caller: Caller) -> None:
    async with Peer() as peer:
        url = f"{peer.base_url}/responses"
        async with caller.session.post(url, data=b"[") as response:
            assert response.status == 400
            assert (await response.json())["error"]["code"] == "invalid_json"


async def test_a_scripted_refusal_carries_status_and_headers(caller: Caller) -> None:
    step = error("rate_limit_exceeded", 429, headers={"retry-after": "3"})
    async with Peer(lambda create: [step]) as peer:
        url = f"{peer.base_url}/responses"
        async with caller.session.post(url, json={"model": "m", "stream": True}) as response:
            assert (response.status, response.headers["retry-after"]) == (429, "3")


async def test_an_error_in_mid_stream_is_flat(caller: Caller) -> None:
    async with Peer(lambda create: [answer("par"), error("server_error", 500)]) as peer:
        events = await sse(caller, peer, input="x")
    assert ("error", "server_error", len(events) - 1) == (
        events[-1]["type"],
        events[-1]["code"],
        events[-1]["sequence_number"],
    )


async def test_a_response_that_fails_is_still_a_response(caller: Caller) -> None:
    async with Peer(lambda create: [failed("server_error")]) as peer:
        status, response = await caller.post(peer, input="x")
    assert (status, response["status"]) == (200, "failed")


@pytest.mark.parametrize("step", [drop(after=3), abort(after=3), close(1001, after=3)])
async def test_a_stream_that_is_cut_off(caller: Caller, step: Step) -> None:
    async with Peer(lambda create: [answer("x"), step]) as peer:
        url = f"{peer.base_url}/responses"
        body = {"model": "m", "stream": True}
        with pytest.raises(aiohttp.ClientError):
            async with caller.session.post(url, json=body) as response:
                await response.read()
        assert (peer.model_runs, len(peer.posts[0].sent)) == (1, 3)


async def test_a_post_that_is_dropped_before_its_answer(caller: Caller) -> None:
    async with Peer(lambda create: [drop()]) as peer:
        with pytest.raises(aiohttp.ClientError):
            await caller.post(peer, input="x")
        assert peer.model_runs == 1


async def test_a_post_whose_client_leaves_is_cancelled(caller: Caller) -> None:
    gate = Gate()
    async with Peer(lambda create: [wait(gate), call("f", {})]) as peer:
        task = asyncio.create_task(caller.post(peer, input="x"))
        await gate.wait_reached()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await peer.wait_until(lambda: not peer.posts[0].is_open)
        assert peer.posts[0].sent == []


@pytest.mark.parametrize("status", [401, 403, 404, 426, 429, 500, 503])
async def test_an_upgrade_that_is_refused(caller: Caller, status: int) -> None:
    async with Peer(handshake=status) as peer:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await caller.dial(peer)
        assert (status, 1, []) == (caught.value.status, len(peer.handshakes), peer.connections)


async def test_a_refusal_has_a_body_and_headers(caller: Caller) -> None:
    step = refuse(429, {"error": {"code": "slow_down"}}, headers={"retry-after": "2"})
    async with Peer(handshake=step) as peer:
        url = peer.websocket_url.replace("ws", "http", 1)
        headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
        async with caller.session.get(url, headers=headers) as response:
            assert (
                response.status,
                response.headers["retry-after"],
                await response.json(),
            ) == (429, "2", {"error": {"code": "slow_down"}})


async def test_upgrades_can_be_scripted_one_by_one(caller: Caller) -> None:
    async with Peer(handshake=[503, None, 401]) as peer:
        statuses: list[int] = []
        for _ in range(4):
            try:
                await caller.dial(peer)
                statuses.append(101)
            except aiohttp.WSServerHandshakeError as refused:
                statuses.append(refused.status)
        assert statuses == [503, 101, 401, 101]
        assert len(peer.connections) == 2


async def test_an_upgrade_can_be_judged_by_its_headers(caller: Caller) -> None:
    def judge(request: web.Request) -> Refuse | None:
        return None if request.headers.get("Authorization") == "Bearer new" else refuse(401)

    async with Peer(handshake=judge) as peer:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await caller.dial(peer, headers={"Authorization": "Bearer old"})
        socket = await caller.dial(peer, headers={"Authorization": "Bearer new"})
        assert (await socket.run(input="x"))["type"] == "response.completed"


async def test_an_upgrade_can_be_held_or_dropped(caller: Caller) -> None:
    gate = Gate()
    # aiohttp as a client repeats a GET once by itself
    async with Peer(handshake=[drop(), drop(), wait(gate)]) as peer:
        with pytest.raises(aiohttp.ClientError):
            await caller.dial(peer)
        task = asyncio.create_task(caller.dial(peer))
        await gate.wait_reached()
        assert peer.connections == []
        gate.open()
        assert (await (await task).run(input="x"))["type"] == "response.completed"


async def test_a_plain_get_is_told_to_upgrade(caller: Caller) -> None:
    async with Peer(Turns()) as peer:
        async with caller.session.get(f"{peer.base_url}/responses") as response:
            assert (response.status, response.headers["Upgrade"]) == (426, "websocket")
        assert peer.handshakes == []
