"""Many clients over few sockets of one upstream in WebSocket mode."""

from __future__ import annotations

import asyncio

import pytest

from gateway.relay.relaying import deltas_of, inputs, relayed, upstream_at
from gateway.support import TERMINAL, Client, Talk, talk, text_of, until
from turnwire.testing import Create, Gate, Peer, Step, Turns, answer, deltas, refuse, wait

pytestmark = pytest.mark.io

CLIENTS = 40
SOCKETS = 3


async def two_turns(client: Client, name: str) -> list[str]:
    first = await client.respond(input=name, store=False)
    second = await client.respond(
        input=f"{name} again", previous_response_id=first["id"], store=False
    )
    return [text_of(first), text_of(second)]


async def test_forty_clients_share_three_sockets() -> None:
    gate = Gate()

    def script(create: Create) -> list[Step]:
        return [answer(create.text), wait(gate, after=4)]

    upstream_options = {"transport": "websocket", "lanes": True, "max_sockets": SOCKETS}
    async with Peer(script) as peer, relayed(peer, **upstream_options) as talking:
        clients = [await talking.dial() for _ in range(CLIENTS)]
        names = [f"client {number}" for number in range(CLIENTS)]
        turns = [
            asyncio.create_task(two_turns(client, name))
            for client, name in zip(clients, names, strict=True)
        ]
        await peer.wait_until(lambda: peer.model_runs == CLIENTS)  # all at the same time
        gate.open()
        assert await asyncio.gather(*turns) == [[name, f"{name} again"] for name in names]
        assert len(peer.connections) == SOCKETS
        assert peer.model_runs == 2 * CLIENTS
        assert inputs(peer) == [1] * 2 * CLIENTS  # each second turn was only what is new
        assert len({create.get("stream_id") for create in peer.creates}) > 1
        assert peer.refusals == []


async def test_a_client_that_vanishes_disturbs_nobody_on_its_socket() -> None:
    gate = Gate()

    def script(create: Create) -> list[Step]:
        if create.text == "leaves":
            return [deltas(100), wait(gate, after=6)]
        return [answer(create.text), wait(gate, after=5)]

    options = {"transport": "websocket", "lanes": True, "max_sockets": 1}
    async with Peer(script) as peer, relayed(peer, **options) as talking:
        stays, leaves = await talking.dial(), await talking.dial()
        await stays.create(input="stays here")
        await leaves.create(input="leaves")
        await stays.until("response.output_text.delta")
        await leaves.until("response.output_text.delta")
        await leaves.raw.close()
        await until(lambda: talking.gateway.statistics().model_runs_active == 1)
        gate.open()
        events = await stays.until(*TERMINAL)
        assert (deltas_of(events), text_of(events[-1]["response"])) == (" here", "stays here")
        assert text_of(await stays.respond(input="again")) == "again"
        assert len(peer.connections) == 1


async def test_a_server_without_lanes_gets_a_socket_for_each_turn() -> None:
    gate = Gate()
    script = [answer("Hello"), wait(gate, after=4)]
    options = {"transport": "websocket", "max_sockets": 2}
    async with Peer(lambda _: script, lanes="reject") as peer, relayed(peer, **options) as talking:
        clients = [await talking.dial() for _ in range(2)]
        for client in clients:
            await client.create(input="x")
        await peer.wait_until(lambda: peer.model_runs == 2)
        gate.open()
        for client in clients:
            assert text_of((await client.terminal())["response"]) == "Hello"
        assert len(peer.connections) == 2


@pytest.mark.parametrize("status", [404, 426])
async def test_where_an_upgrade_is_refused_it_goes_over_http(status: int) -> None:
    async with (
        Peer(handshake=status) as peer,
        relayed(peer, transport="auto") as talking,
    ):
        client = await talking.dial()
        first = await client.respond(input="one")
        second = await client.respond(input="two", previous_response_id=first["id"])
        assert text_of(second) == "two"
        assert (len(peer.connections), len(peer.posts)) == (0, 2)
        assert peer.model_runs == 2


@pytest.mark.parametrize(
    ("answered", "status", "code"),
    [
        (426, 502, "upstream_unreachable"),
        (401, 401, "invalid_api_key"),
        (403, 403, "invalid_api_key"),
    ],
)
async def test_where_it_must_be_a_socket_the_client_is_told(
    answered: int, status: int, code: str
) -> None:
    async with (
        Peer(handshake=refuse(answered)) as peer,
        relayed(peer, transport="websocket") as talking,
    ):
        client = await talking.dial()
        await client.create(input="x")
        end = await client.terminal()
        assert (end["type"], end["status"], end["error"]["code"]) == ("error", status, code)


async def test_a_chain_goes_on_after_its_socket_was_lost() -> None:
    async with Peer() as peer, relayed(peer, transport="websocket") as talking:
        client = await talking.dial()
        stored = await client.respond(input="one")
        kept = await client.respond(input="one", stream_id="b", store=False)
        for connection in tuple(peer.connections):
            connection.drop()
        await peer.wait_until(lambda: not any(each.is_open for each in peer.connections))
        first = await client.respond(input="two", previous_response_id=stored["id"])
        second = await client.respond(
            input="two", previous_response_id=kept["id"], stream_id="b", store=False
        )
        assert [text_of(first), text_of(second)] == ["two", "two"]
        assert sorted(inputs(peer)[2:]) == [1, 3]  # stored: the link; not stored: everything
        assert peer.refusals == []


async def leave_everything_open(talking: Talk) -> None:
    client = await talking.dial()
    await client.create(input="x")
    await client.until("response.output_text.delta")


async def test_when_the_gateway_stops_its_sockets_upstream_are_closed() -> None:
    gate = Gate()
    script = Turns([answer("idle now")], then=[answer("Hello there"), wait(gate, after=5)])
    async with Peer(script) as peer:
        upstream = upstream_at(peer, transport="websocket")
        async with talk(upstream) as talking:
            await talking.post(input="x")
            assert peer.connections[0].is_open
        await peer.wait_until(lambda: not peer.connections[0].is_open)
        async with talk(upstream, drain_timeout=0) as talking:
            await leave_everything_open(talking)
        await peer.wait_until(lambda: not peer.connections[1].is_open)
        async with talk(upstream) as talking:  # and it can be used again
            gate.open()
            assert (await talking.post(input="x"))[0] == 200
