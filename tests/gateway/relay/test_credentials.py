"""Whose key an upstream gets, and that it is nowhere else."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from gateway.relay.relaying import TRANSPORTS, relayed, upstream_at
from gateway.support import TurnsInMemory, talk
from turnwire.core.settings import PoolSettings
from turnwire.gateway.context import Prompt
from turnwire.gateway.input.parameters import read_parameters
from turnwire.gateway.store.event_log import EventLog
from turnwire.gateway.upstreams.responses.accounts import Account, Accounts
from turnwire.gateway.upstreams.responses.options import ResponsesOptions
from turnwire.io.engine import Engine
from turnwire.testing import Gate, Peer, Turns, answer, error, refuse, wait

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.io

both = pytest.mark.parametrize("transport", TRANSPORTS)


def bearer(key: str) -> dict[str, dict[str, str]]:
    return {"headers": {"Authorization": f"Bearer {key}"}}


def keys_seen(peer: Peer) -> list[str]:
    seen = [*peer.handshakes, *(post.headers for post in peer.posts)]
    return [headers.get("Authorization", "") for headers in seen]


@both
async def test_one_key_for_all(transport: str) -> None:
    async with (
        Peer(key="sk-ours") as peer,
        relayed(peer, transport=transport, api_key="sk-ours") as talking,
    ):
        for key in ("a", "b"):
            client = await talking.dial(**bearer(key))
            await client.respond(input="x")
        assert set(keys_seen(peer)) == {"Bearer sk-ours"}
        assert len(peer.connections) == (transport == "websocket")


@both
async def test_each_client_with_a_key_of_its_own(transport: str) -> None:
    async with (
        Peer() as peer,
        relayed(peer, transport=transport, credentials="client", continues=True) as talking,
    ):
        for key in ("sk-a", "sk-b"):
            client = await talking.dial(**bearer(key))
            first = await client.respond(input="x")
            await client.respond(input="y", previous_response_id=first["id"])
        assert set(keys_seen(peer)) == {"Bearer sk-a", "Bearer sk-b"}
        assert [len(create["input"]) for create in peer.creates] == [1, 1, 1, 1]
        if transport == "websocket":
            assert [len(each.creates) for each in peer.connections] == [2, 2]


@both
async def test_the_same_words_with_another_key_are_another_chain(transport: str) -> None:
    async with (
        Peer() as peer,
        relayed(peer, transport=transport, credentials="client", continues=True) as talking,
    ):
        client = await talking.dial(**bearer("sk-a"))
        response = await client.respond(input="x")
        other = await talking.dial(**bearer("sk-b"))
        start = {"type": "message", "role": "user",
                 "content": [{"type": "input_text", "text": "x"}]}  # fmt: skip
        more = {"role": "user", "content": "y"}
        await other.respond(input=[start, *response["output"], more])
        assert [len(create["input"]) for create in peer.creates] == [1, 3]


@both
async def test_owners_who_share_the_gateways_key_share_no_chain(transport: str) -> None:
    options = {"transport": transport, "api_key": "sk-ours", "continues": True}
    async with Peer(key="sk-ours") as peer, relayed(peer, **options) as talking:
        client = await talking.dial(**bearer("a"))
        response = await client.respond(input="x")
        start = {"type": "message", "role": "user",
                 "content": [{"type": "input_text", "text": "x"}]}  # fmt: skip
        whole = [start, *response["output"], {"role": "user", "content": "y"}]
        for key in ("b", "a"):
            other = await talking.dial(**bearer(key))
            await other.respond(input=whole)
        assert [len(create["input"]) for create in peer.creates] == [1, 3, 1]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer k\N{SNOWMAN}y"}])
async def test_without_a_key_of_its_own_a_client_is_told_so(headers: dict[str, str]) -> None:
    async with Peer() as peer, relayed(peer, credentials="client") as talking:
        client = await talking.dial(headers=headers)
        await client.create(input="x")
        end = await client.terminal()
        assert (end["status"], end["error"]["code"]) == (401, "invalid_api_key")
        assert peer.creates == []


async def test_keys_that_nobody_uses_are_let_go() -> None:
    gate = Gate()
    options = {"transport": "websocket", "credentials": "client", "max_credentials": 2}
    async with Peer(lambda _: [answer("Hi"), wait(gate, after=4)]) as peer:
        upstream = upstream_at(peer, **options)
        async with talk(upstream) as talking:
            clients = [await talking.dial(**bearer(key)) for key in ("a", "b", "c")]
            for client in clients[:2]:
                await client.create(input="x")
            await peer.wait_until(lambda: peer.model_runs == 2)
            await clients[2].create(input="x")
            assert (await clients[2].terminal())["status"] == 429  # both are in use
            gate.open()
            for client in clients[:2]:
                await client.terminal()
            await clients[2].respond(input="x")
            await peer.wait_until(lambda: not peer.connections[0].is_open)
            assert [each.is_open for each in peer.connections] == [False, True, True]
            assert upstream.statistics().completed == 3


async def test_a_key_that_is_idle_is_let_go() -> None:
    options = {"transport": "websocket", "credentials": "client", "idle": 0.01}
    async with Peer() as peer, relayed(peer, **options) as talking:
        client = await talking.dial(**bearer("a"))
        first = await client.respond(input="x")
        await peer.wait_until(lambda: not peer.connections[0].is_open)
        await client.respond(input="y", previous_response_id=first["id"])
        assert [len(create["input"]) for create in peer.creates] == [1, 3]


async def test_a_key_that_is_used_again_stays() -> None:
    async with Peer() as peer:
        endpoint = ResponsesOptions(trust_env=False).endpoint(peer.base_url, "a")
        engine = Engine(endpoint, PoolSettings(), inbox_bytes=1, client_bytes=1)
        accounts = Accounts(lambda _: Account(engine, 1), limit=1, idle=600)
        with accounts.use("a") as account:
            with accounts.use("a") as same:
                assert same is account
            assert account.timer is None
        assert account.timer is not None
        with accounts.use("a"):
            assert account.timer is None
        await accounts.aclose()
        assert (len(accounts), engine.closed) == (0, True)


async def everything_said(talking: Any, key: str) -> AsyncIterator[str]:
    client = await talking.dial(**bearer(key))
    for _ in range(3):
        await client.create(input="x")
        yield str(await client.terminal())
    _, body = await talking.post(input="x")
    yield str(body)


@both
@pytest.mark.parametrize("credentials", ["gateway", "client"])
async def test_no_key_is_in_logs_nor_in_errors(
    transport: str, credentials: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = "sk-do-not-tell"
    told = f"Incorrect API key provided: {key}."
    refused = refuse(401, {"error": {"message": told, "code": "invalid_api_key"}})
    bad = error("bad", 400, message=f"Bad header: Bearer {key}.")
    script = Turns([bad], then=[answer("Hi"), bad])
    options: dict[str, Any] = {"transport": transport, "credentials": credentials}
    if credentials == "gateway":
        options["api_key"] = key
    doors = {"handshake": [None, refused], "posts": [None, None, refused]}
    async with Peer(script, **doors) as peer, relayed(peer, **options) as talking:
        said = [each async for each in everything_said(talking, key)]
        assert ["Bearer [key]" in each for each in said[:2]] == [True, True]
        assert keys_seen(peer)[0] == f"Bearer {key}"
        assert key not in "".join([*said, caplog.text, repr(talking.gateway.statistics())])


async def test_the_key_of_a_prompt_is_not_in_its_repr() -> None:
    parameters = read_parameters({"model": "m", "input": "x"})
    prompt = Prompt(parameters, None, (), (), credential="sk-secret")
    assert "sk-secret" not in repr(prompt)


class Asked:
    """An upstream that wants no keys."""

    models = ()

    def __init__(self) -> None:
        self.prompts: list[Prompt] = []

    async def generate(self, prompt: Prompt) -> AsyncIterator[Any]:
        self.prompts.append(prompt)
        return
        yield


@pytest.mark.parametrize(("wanted", "given"), [("client", "sk-x"), ("gateway", None)])
async def test_only_an_upstream_that_wants_the_key_gets_it(wanted: str, given: str | None) -> None:
    upstream: Any = Asked()
    upstream.credentials = wanted
    turns = TurnsInMemory(upstream)
    create = {"model": "m", "input": "x"}
    events = turns.turns.events(create, EventLog(""), credential="sk-x")
    assert [event async for event in events]
    assert [prompt.credential for prompt in upstream.prompts] == [given]
