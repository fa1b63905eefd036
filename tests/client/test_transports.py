"""The transport is chosen for a client, a chain or a turn; the nearest choice counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from turnwire import ConfigError
from turnwire.testing import Create, Peer, Step, answer, call

if TYPE_CHECKING:
    from tests.client.conftest import Open

pytestmark = pytest.mark.io

OTHER = {"websocket": "http", "http": "websocket"}


def lookup(word: str) -> str:
    """Look a word up."""
    return word


def script(create: Create) -> list[Step]:
    items = create.input
    if create.request.get("tools") and items[-1].get("type") != "function_call_output":
        return [call("lookup", {"word": "a"})]
    return [answer("ok")]


def used(peer: Peer) -> tuple[int, int]:
    """Return how many turns came over sockets, and how many were POSTed."""
    return sum(len(each.creates) for each in peer.connections), len(peer.posts)


async def test_a_turn_of_a_chain_may_go_another_way(open_client: Open, transport: str) -> None:
    async with Peer(script) as peer, open_client(peer, transport=transport) as client:
        chain = client.chain(model="m")
        for chosen in (None, OTHER[transport], transport):
            async with chain.turn("x", transport=chosen) as turn:
                await turn.get_final_response()
            assert turn.transport == (chosen or transport)
        assert used(peer) == ((2, 1) if transport == "websocket" else (1, 2))
        # The responses are stored, so the link holds on either way.
        assert [create.get("previous_response_id") for create in peer.creates].count(None) == 1


async def test_a_run_may_go_another_way(open_client: Open, transport: str) -> None:
    async with Peer(script) as peer, open_client(peer, transport=transport) as client:
        chain = client.chain(model="m", tools=[lookup])
        response = await chain.run("x", transport=OTHER[transport])
        assert response.output_text == "ok"
        assert used(peer) == ((0, 2) if transport == "websocket" else (2, 0))
        await chain.run("y")
        assert used(peer) == (2, 2)


async def test_a_chain_may_go_another_way_than_its_client(open_client: Open) -> None:
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m", transport="http")
        await chain.run("x")
        await chain.fork().run("y", transport="websocket")
        assert used(peer) == (1, 1)


@pytest.mark.parametrize("wrong", ["smoke", "", 5])
async def test_a_transport_that_is_none(open_client: Open, wrong: Any) -> None:
    async with Peer(script) as peer, open_client(peer) as client:
        chain = client.chain(model="m")
        with pytest.raises(ConfigError, match="'websocket' or 'http'"):
            chain.turn("x", transport=wrong)
        with pytest.raises(ConfigError, match="'websocket' or 'http'"):
            await chain.run("x", transport=wrong)
        with pytest.raises(ConfigError, match="'websocket' or 'http'"):
            await client.responses.create(model="m", input="x", transport=wrong)
        assert used(peer) == (0, 0)
