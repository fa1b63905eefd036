"""What stands before an upgrade, a POST and a GET."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest

from turnwire.testing import Gate, Peer, Turns, answer, drop, redirect, refuse, say, silence, wait

if TYPE_CHECKING:
    from tests.testing.conftest import Caller

pytestmark = pytest.mark.io


@pytest.mark.parametrize("status", [401, 403, 404, 426, 429, 500, 501, 503])
async def test_handshake_status(caller: Caller, status: int) -> None:
    async with Peer(handshake=status) as peer:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await caller.dial(peer)
    assert (status, 1, 0) == (caught.value.status, len(peer.handshakes), len(peer.connections))


async def test_handshake_429_with_retry_after(caller: Caller) -> None:
    async with Peer(handshake=[refuse(429, retry_after=2)]) as peer:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await caller.dial(peer)
        headers = caught.value.headers
        assert headers is not None
        assert headers["retry-after"] == "2"
        assert (await (await caller.dial(peer)).run(input="x"))["type"] == "response.completed"


async def test_handshake_302_to_the_same_origin(caller: Caller) -> None:
    async with Peer(handshake=[redirect("/responses")]) as peer:
        socket = await caller.dial(peer)
        assert (await socket.run(input="x"))["type"] == "response.completed"
    paths = [entry.note for entry in peer.log if entry.kind == "request"]
    assert (paths, len(peer.handshakes)) == (["/v1/responses", "/responses"], 2)


async def test_handshake_302_to_another_origin(caller: Caller) -> None:
    async with Peer() as other:
        location = f"{other.base_url}/responses"
        async with Peer(handshake=redirect(location)) as peer:
            socket = await caller.dial(peer)
            await socket.run(input="x")
    assert (len(peer.connections), len(other.connections), other.model_runs) == (0, 1, 1)


async def test_handshake_timeout(caller: Caller) -> None:
    async with Peer(handshake=silence()) as peer:
        dialing = asyncio.create_task(caller.dial(peer))
        await peer.wait_until(lambda: len(peer.handshakes) == 1)
        assert not dialing.done()
        dialing.cancel()
        await asyncio.gather(dialing, return_exceptions=True)
    assert peer.connections == []


async def test_handshake_that_takes_its_time(caller: Caller) -> None:
    async with Peer(handshake=wait(5.0)) as peer:
        dialing = asyncio.create_task(caller.dial(peer))
        await peer.wait_until(lambda: peer.clock.next == 5.0)
        assert peer.connections == []
        peer.clock.advance(5.0)
        assert (await (await dialing).run(input="x"))["type"] == "response.completed"


async def test_handshake_garbage(caller: Caller) -> None:
    async with Peer(handshake=say("SSH-2.0-OpenSSH_9.9\r\n")) as peer:
        with pytest.raises(aiohttp.ClientError):
            await caller.dial(peer)
    assert peer.connections == []


async def test_key_rotation(caller: Caller) -> None:
    old, new = ({"Authorization": f"Bearer {key}"} for key in ("old", "new"))
    async with Peer(key="old") as peer:
        socket = await caller.dial(peer, headers=old)
        peer.key = "new"
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await caller.dial(peer, headers=old)
        fresh = await caller.dial(peer, headers=new)
        ends = [await each.run(input="x") for each in (socket, fresh)]
    assert (caught.value.status, peer.model_runs) == (401, 2)
    assert [end["type"] for end in ends] == ["response.completed"] * 2


async def test_the_key_holds_for_posts_and_gets_too(caller: Caller) -> None:
    async with Peer(key="k", resumes="json") as peer:
        status, body = await caller.post(peer, input="x")
        async with caller.session.get(f"{peer.base_url}/responses/resp_1") as response:
            assert (response.status, status, body["error"]["code"]) == (401, 401, "invalid_api_key")
    assert ([post.status for post in peer.posts], peer.model_runs) == ([401], 0)


async def test_posts_one_by_one(caller: Caller) -> None:
    script = [401, refuse(429, retry_after=0.5), None, refuse(500, {"error": "oops"})]
    async with Peer(posts=script) as peer:
        statuses = [(await caller.post(peer, input="x"))[0] for _ in range(5)]
    assert statuses == [401, 429, 200, 500, 200]
    assert [post.status for post in peer.posts] == statuses
    assert (peer.model_runs, len(peer.creates)) == (2, 5)


async def test_a_post_that_is_told_when_to_come_again(caller: Caller) -> None:
    async with Peer(posts=refuse(429, retry_after=0.5)) as peer:
        url = f"{peer.base_url}/responses"
        async with caller.session.post(url, json={}) as response:
            assert (response.status, response.headers["retry-after"]) == (429, "0.5")


async def test_a_post_that_is_held_or_dropped(caller: Caller) -> None:
    gate = Gate()
    async with Peer(Turns([answer("x")]), posts=[drop(), wait(gate)]) as peer:
        with pytest.raises(aiohttp.ClientError):
            await caller.post(peer, input="x")
        posting = asyncio.create_task(caller.post(peer, input="x"))
        await gate.wait_reached()
        gate.open()
        assert (await posting)[0] == 200
    assert peer.model_runs == 1
