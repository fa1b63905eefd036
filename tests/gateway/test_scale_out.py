"""Three gateways behind a balancer on one Redis, and one of them is killed under load."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from gateway.cluster import Cluster, cluster
from gateway.support import TERMINAL, Client, Json, text_of, until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.io, pytest.mark.slow, pytest.mark.servers]

AGENTS = 12  # four on each gateway, two of them storing
QUESTION = "PACE 0.01\nHow many items are here?"
TURNS_AFTER = 3


class Lost(Exception):
    """The socket broke."""


@dataclass
class Agent:
    """Continues one chain for ever, on a new socket whenever the old one breaks.

    Attributes:
        items: How many items the model saw in each turn.
        losses: How often its socket broke.
        errors: What it was told instead of an answer.
    """

    session: aiohttp.ClientSession
    url: str
    store: bool
    items: list[int] = field(default_factory=list)
    errors: list[Json] = field(default_factory=list)
    losses: int = 0
    response_id: str | None = None
    _socket: Client | None = None

    async def turn(self) -> None:
        """Ask until there is an answer."""
        answered = len(self.items) + 1
        while len(self.items) < answered:
            try:
                await self._ask()
            except (Lost, aiohttp.ClientError):
                self.losses += 1
                self._socket = None

    async def _ask(self) -> None:
        if self._socket is None:
            self._socket = Client(await self.session.ws_connect(self.url + "/v1/responses"))
        create: Json = {"input": QUESTION, "store": self.store}
        if self.response_id is not None:
            create["previous_response_id"] = self.response_id
        try:
            await self._socket.create(**create)
        except ConnectionError:
            raise Lost from None
        event = await self._terminal(self._socket)
        if event["type"] == "error":
            self.errors.append(event)
            self.response_id = None  # everything is sent again; here that is nothing
            return
        response = event["response"]
        (count,) = re.findall(r"(\d+) items?", text_of(response))
        self.items.append(int(count))
        self.response_id = response["id"]

    @staticmethod
    async def _terminal(socket: Client) -> Json:
        while True:
            message = await socket.raw.receive()
            if message.type is not aiohttp.WSMsgType.TEXT:
                raise Lost
            event: Json = message.json()
            if event["type"] in TERMINAL:
                return event


async def run(agents: list[Agent], turns: int) -> None:
    async def some(agent: Agent) -> None:
        for _ in range(turns):
            await agent.turn()

    await asyncio.gather(*map(some, agents))


async def kill_one(behind: Cluster) -> None:
    victim = next(iter(behind.gateways.values()))
    victim.kill()
    await victim.wait()


async def test_one_of_three_is_killed_under_load(tmp_path: Path) -> None:
    async with cluster(tmp_path) as behind, aiohttp.ClientSession() as session:
        agents = [Agent(session, behind.url, number % 2 == 0) for number in range(AGENTS)]
        for agent in agents:  # one after the other, so that the balancer spreads them evenly
            await agent.turn()
        load = asyncio.create_task(run(agents, 3 * TURNS_AFTER))
        await until(lambda: min(len(agent.items) for agent in agents) >= TURNS_AFTER)
        await kill_one(behind)
        async with asyncio.timeout(30):
            await load

        hit = [agent for agent in agents if agent.losses]
        assert {agent.store for agent in hit} == {True, False}
        assert len(hit) == AGENTS // 3
        growing = [1 + 2 * turn for turn in range(1 + 3 * TURNS_AFTER)]
        for agent in agents:
            if agent in hit and not agent.store:
                (refusal,) = agent.errors
                assert (refusal["status"], refusal["error"]["code"]) == (
                    400,
                    "previous_response_not_found",
                )
                # It began anew, once, and went on from there.
                begun_anew = agent.items.index(1, 1)
                assert agent.items == growing[:begun_anew] + growing[: len(growing) - begun_anew]
            else:
                # Whoever stored its chain, or was elsewhere, has not lost an item.
                assert (agent.errors, agent.items) == ([], growing)


async def test_posts_and_stored_responses_are_everywhere(tmp_path: Path) -> None:
    async with cluster(tmp_path) as behind, aiohttp.ClientSession() as session:

        async def post(**create: Any) -> Json:
            # A connection of its own each time: the balancer sends it to the next gateway.
            body = {"model": "m", "input": QUESTION, **create}
            headers = {"Connection": "close"}
            url = behind.url + "/v1/responses"
            async with session.post(url, json=body, headers=headers) as answer:
                assert answer.status == 200
                return await answer.json()

        async def fetch(address: str, response_id: str) -> Json:
            async with session.get(f"http://{address}/v1/responses/{response_id}") as answer:
                assert answer.status == 200
                return await answer.json()

        first = await post()
        agent = Agent(session, behind.url, store=True, response_id=first["id"])
        await agent.turn()
        assert agent.items == [3]
        await kill_one(behind)
        last = await post(previous_response_id=agent.response_id)
        (_, *left) = behind.gateways
        assert [await fetch(address, last["id"]) for address in left] == [last, last]
        agent.response_id = last["id"]
        await agent.turn()
        assert agent.items == [3, 7]


async def test_a_gateway_that_drains_lets_its_turns_finish(tmp_path: Path) -> None:
    async with cluster(tmp_path) as behind, aiohttp.ClientSession() as session:
        agents = [Agent(session, behind.url, store=True) for _ in range(6)]
        for agent in agents:
            await agent.turn()
        turns = asyncio.create_task(run(agents, 1))
        victim = next(iter(behind.gateways.values()))
        victim.terminate()
        async with asyncio.timeout(30):
            await turns
            await victim.wait()
            await run(agents, 2)
        assert victim.returncode == 0
        limits = {"websocket_connection_limit_reached"}
        assert {error["error"]["code"] for agent in agents for error in agent.errors} <= limits
        assert [len(agent.items) for agent in agents] == [4] * 6
