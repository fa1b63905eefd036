"""Many at once, several keys, several event loops, several threads, another process."""

from __future__ import annotations

import asyncio
import multiprocessing
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from adapters.drop_in_calls import ASK, Calls, opened, output_text, over, report, user
from turnwire.testing import Create, Gate, Peer, Step, answer, wait

if TYPE_CHECKING:
    from types import ModuleType

    Way = tuple[ModuleType, bool]

pytestmark = pytest.mark.io


@pytest.mark.parametrize("lanes", ["echo", "reject"])
async def test_forty_at_once(way: Way, lanes: Any) -> None:
    async with Peer(lanes=lanes) as peer, opened(way, peer, max_sockets=3) as calls:
        said = await asyncio.gather(*(calls.ask({**ASK, "input": str(n)}) for n in range(40)))
        assert [output_text(each) for each in said] == [str(number) for number in range(40)]
        streamed = await asyncio.gather(*(calls.read({**ASK, "input": str(n)}) for n in range(40)))
        assert [events[-1][0] for events in streamed] == ["response.completed"] * 40
        statistics = calls.client.turnwire.statistics()
        assert (statistics.turns, statistics.completed, statistics.active) == (80, 80, 0)
        assert (statistics.waiting, statistics.failed, peer.model_runs) == (0, 0, 80)
        assert 1 <= len(peer.connections) <= 3


async def test_keys_share_neither_chains_nor_sockets(way: Way) -> None:
    async with Peer() as peer, opened(way, peer) as calls:
        history = [user("one")]
        history += (await calls.ask({"model": "m", "input": history})).json()["output"]
        history.append(user("two"))
        calls.key = "sk-of-another"
        told = await calls.ask({"model": "m", "input": history})
        assert (len(peer.creates[-1]["input"]), report(told).sent_bytes) == (
            3,
            report(told).full_bytes,
        )
        keys = [headers["Authorization"] for headers in peer.handshakes]
        assert keys == ["Bearer sk-of-a-test", "Bearer sk-of-another"]


async def test_the_sockets_of_old_keys_are_closed(way: Way) -> None:
    async with Peer() as peer, opened(way, peer) as calls:
        for number in range(17):
            calls.key = f"sk-{number}"
            await calls.ask()
        await peer.wait_until(lambda: not peer.connections[0].is_open)
        assert [each.is_open for each in peer.connections] == [False, *[True] * 16]
        assert calls.client.turnwire.statistics().completed == 17
        calls.key = "sk-1"  # which makes it the one that was used last
        await calls.ask()
        calls.key = "sk-17"
        await calls.ask()
        await peer.wait_until(lambda: not peer.connections[2].is_open)
        assert peer.connections[1].is_open


@pytest.mark.parametrize("transport", ["auto", "websocket"])
async def test_if_the_sockets_of_all_keys_are_busy(
    way: Way, theirs: ModuleType, transport: str
) -> None:
    gate = Gate()

    def script(create: Create) -> list[Step]:
        return [wait(gate), answer("Hi")] if create.number <= 16 else [answer("Hi")]

    async with Peer(script) as peer, opened(way, peer, transport=transport) as calls:
        asking = []
        for number in range(16):
            calls.key = f"sk-{number}"
            asking.append(asyncio.create_task(calls.ask()))
            await peer.wait_until(lambda: len(peer.creates) == number + 1)  # noqa: B023
        calls.key = "sk-16"
        if transport == "websocket":
            with pytest.raises(theirs.PoolTimeout):
                await calls.ask()
            assert peer.posts == []
        else:
            told = report(await calls.ask())
            assert told.transport == "http"
            assert told.transport_reason.startswith("fallback: ")
        gate.open()
        await asyncio.gather(*asking)
        assert report(await calls.ask()).transport == "websocket"


def test_one_event_loop_after_the_other(ours: ModuleType) -> None:
    history: list[Any] = [user("one")]
    with Peer() as peer:
        calls = over((ours, True), peer)

        async def turn() -> Any:
            response = await calls.ask({"model": "any", "input": history})
            history.extend([*response.json()["output"], user("more")])
            return report(response).chain_miss

        assert asyncio.run(turn()) is None
        assert asyncio.run(turn()) is None
        assert [len(create["input"]) for create in peer.creates] == [1, 1]
        peer.block_until(lambda: not any(each.is_open for each in peer.connections))
        asyncio.run(calls.close())
        assert calls.client.turnwire.statistics().completed == 2


def test_two_threads_with_an_event_loop_each(ours: ModuleType) -> None:
    """They share the transport from the first request on, and what it knows."""
    start = threading.Barrier(2)
    texts: list[list[str]] = [[], []]
    with Peer() as peer:
        calls = over((ours, True), peer)

        async def turns(number: int) -> None:
            start.wait()
            for turn in range(20):
                told = await calls.ask({**ASK, "input": f"{number}.{turn}"})
                texts[number].append(output_text(told))

        threads = [
            threading.Thread(target=asyncio.run, args=[turns(number)]) for number in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert texts == [[f"{number}.{turn}" for turn in range(20)] for number in range(2)]
        assert len(peer.connections) == 2  # one for each, and no server was made twice
        asyncio.run(calls.close())
        assert calls.client.turnwire.statistics().completed == 40


def test_keys_that_come_and_go_on_two_threads(ours: ModuleType) -> None:
    with Peer() as peer:
        client = ours.AsyncClient()
        said: list[str] = []

        async def turns(name: str) -> None:
            calls = Calls(client, f"{peer.base_url}/responses", is_async=True)
            for number in range(24):
                calls.key = f"{name}-{number}"
                said.append(output_text(await calls.ask()))

        threads = [threading.Thread(target=asyncio.run, args=[turns(name)]) for name in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        asyncio.run(client.aclose())
        assert said == ["Hi"] * 48
        assert client.turnwire.statistics().turns == 48


def test_threads_share_a_blocking_client(ours: ModuleType) -> None:
    with Peer() as peer, ours.Client() as client:
        said: list[str] = []

        def turns(number: int) -> None:
            for turn in range(10):
                body = {**ASK, "input": f"{number}.{turn}"}
                said.append(output_text(client.post(f"{peer.base_url}/responses", json=body)))

        threads = [threading.Thread(target=turns, args=[number]) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(said) == sorted(f"{n}.{turn}" for n in range(4) for turn in range(10))


def _ask_in_child(client: Any, url: str, told: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        told.send(output_text(client.post(url, json={**ASK, "input": "child"})))
        client.close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_process_that_is_forked_off_has_sockets_of_its_own(ours: ModuleType) -> None:
    with Peer() as peer, ours.Client() as client:
        url = f"{peer.base_url}/responses"
        assert output_text(client.post(url, json=ASK)) == "Hi"
        ours_end, theirs_end = multiprocessing.Pipe()
        context = multiprocessing.get_context("fork")
        child = context.Process(target=_ask_in_child, args=(client, url, theirs_end))
        child.start()
        assert ours_end.recv() == "child"
        child.join()
        assert child.exitcode == 0
        assert output_text(client.post(url, json=ASK)) == "Hi"
        assert len(peer.connections) == 2
        ours_end.close()
        theirs_end.close()


def test_a_client_that_is_not_closed_says_so_and_ends(ours: ModuleType) -> None:
    with Peer() as peer:
        client = ours.Client()
        client.post(f"{peer.base_url}/responses", json=ASK)
        clients = [client]
        del client
        with pytest.warns(ResourceWarning, match="not closed"):
            clients.clear()
        peer.block_until(lambda: not peer.connections[0].is_open)


async def test_what_is_remembered_is_bounded(way: Way) -> None:
    async with Peer() as peer, opened(way, peer, chain_bytes=20_000) as calls:
        for number in range(60):
            await calls.ask({**ASK, "input": [user(f"{number} " + "x" * 500)]})
        drop_in = calls.client.turnwire._door._drop_in  # nobody else needs to know
        [server] = drop_in._servers.values()
        assert 0 < server.chain_bytes <= 20_000
        assert server.chains < 40
        assert server.users == 0
