"""One client, several event loops, several processes: each has sockets of its own."""

from __future__ import annotations

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from client.forking import in_a_forked_process
from turnwire import AsyncClient, Client, ConfigError, TurnInterrupted
from turnwire.testing import Gate, Peer, Turns, answer, half_open, silence, wait

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.io


@pytest.fixture
def peer() -> Iterator[Peer]:
    """Serve from a thread: these tests have loops that end."""
    with Peer() as served:
        yield served


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Find what is left unclosed, here and not in a test that comes later."""
    yield
    gc.collect()


async def asked(client: AsyncClient, text: str = "x") -> str:
    return (await client.responses.create(model="m", input=text)).output_text


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


# Loops.


def test_loops_one_after_the_other(peer: Peer) -> None:
    client = AsyncClient(base_url=peer.base_url, api_key="k")
    before = descriptors()
    for number in range(10):
        assert asyncio.run(asked(client, f"{number}")) == f"{number}"
        peer.block_until(lambda: not any(each.is_open for each in peer.connections))
    assert (len(peer.connections), descriptors() < before + 10) == (10, True)
    counts = client.statistics()
    assert (counts.turns, counts.completed, counts.dials, counts.sockets) == (10, 10, 10, 0)
    asyncio.run(client.aclose())
    with pytest.raises(ConfigError, match="the client is closed"):
        asyncio.run(asked(client))


def test_loops_side_by_side(peer: Peer) -> None:
    client = AsyncClient(base_url=peer.base_url, api_key="k")

    async def talk(name: str) -> list[str]:
        return [await asked(client, f"{name}{number}") for number in range(5)]

    with ThreadPoolExecutor(3) as threads:
        talks = [threads.submit(asyncio.run, talk(name)) for name in "abc"]
        said = [each.result(20) for each in talks]
    assert said == [[f"{name}{number}" for number in range(5)] for name in "abc"]
    assert (len(peer.connections), client.statistics().completed) == (3, 15)
    asyncio.run(client.aclose())


def test_a_chain_goes_on_in_the_next_loop(peer: Peer) -> None:
    client = AsyncClient(base_url=peer.base_url, api_key="k")
    stored, kept = client.chain(model="m"), client.chain(model="m", store=False)
    for text in "ab":
        asyncio.run(stored.run(text))
        asyncio.run(kept.run(text))
    assert [len(create["input"]) for create in peer.creates] == [1, 1, 1, 3]
    assert stored.statistics.chain_misses == {}
    assert kept.statistics.chain_misses == {"connection_lost": 1}
    asyncio.run(client.aclose())


async def test_a_chain_whose_turn_runs_in_another_loop_says_so() -> None:
    gate = Gate()
    async with (
        Peer(Turns([wait(gate), answer("a")], [answer("b")])) as peer,
        AsyncClient(base_url=peer.base_url, api_key="k") as client,
    ):
        chain = client.chain(model="m")
        async with chain.turn("a") as turn:
            await peer.wait_until(lambda: peer.model_runs == 1)
            with pytest.raises(ConfigError, match="runs in another event loop"):
                await asyncio.to_thread(asyncio.run, chain.run("b"))
            gate.open()
            await turn.get_final_response()
        assert (await asyncio.to_thread(asyncio.run, chain.run("b"))).output_text == "b"


async def test_closing_in_one_loop_closes_in_all_that_run() -> None:
    async with Peer(lambda _: [silence()]) as peer:
        client = AsyncClient(base_url=peer.base_url, api_key="k")

        async def wait_for_ever() -> Any:
            try:
                return await client.responses.create(model="m", input="x")
            except TurnInterrupted as error:
                return error

        others = [asyncio.create_task(asyncio.to_thread(asyncio.run, wait_for_ever()))]
        others.append(asyncio.create_task(wait_for_ever()))
        await peer.wait_until(lambda: peer.model_runs == 2)
        await client.aclose()
        errors = await asyncio.gather(*others)
        assert ["the client was closed" in str(each) for each in errors] == [True] * 2
        await peer.wait_until(lambda: not any(each.is_open for each in peer.connections))
        assert client.statistics().sockets == 0


async def test_closing_from_another_loop_alone() -> None:
    async with Peer() as peer:
        client = AsyncClient(base_url=peer.base_url, api_key="k")
        assert await asked(client) == "x"
        await asyncio.to_thread(asyncio.run, client.aclose())
        await peer.wait_until(lambda: not peer.connections[0].is_open)
        with pytest.raises(ConfigError, match="the client is closed"):
            await asked(client)
        names = {task.get_name() for task in asyncio.all_tasks()}
        assert {name for name in names if name.startswith("turnwire")} == set()


async def test_closing_while_another_loop_ends() -> None:
    """Its goodbyes take a second; it ends before them, and the closing is done all the same."""
    closing, ending = threading.Event(), threading.Event()
    async with Peer(lambda _: [half_open(after="response.created")]) as peer:
        client = AsyncClient(base_url=peer.base_url, api_key="k")

        async def leave_while_closing() -> None:
            turn = await client.responses.create(model="m", input="x", stream=True)
            async with turn:
                assert (await anext(turn)).type == "response.created"
                closing.set()
                with pytest.raises(TurnInterrupted):
                    await turn.get_final_response()
            ending.set()

        other = asyncio.create_task(asyncio.to_thread(asyncio.run, leave_while_closing()))
        await asyncio.to_thread(closing.wait)
        await client.aclose()
        await other
        assert ending.is_set()


async def test_closing_that_is_cancelled_at_once_ends_other_loops_too() -> None:
    async with Peer(lambda _: [silence()]) as peer:
        client = AsyncClient(base_url=peer.base_url, api_key="k")

        async def wait_for_ever() -> str:
            with pytest.raises(TurnInterrupted):
                await client.responses.create(model="m", input="x")
            return "ended"

        other = asyncio.create_task(asyncio.to_thread(asyncio.run, wait_for_ever()))
        await peer.wait_until(lambda: peer.model_runs == 1)
        closing = asyncio.create_task(client.aclose())
        await asyncio.sleep(0)
        closing.cancel()
        assert await other == "ended"


# Processes.


def test_a_child_works_and_leaves_its_parents_sockets_alone(peer: Peer) -> None:
    client = AsyncClient(base_url=peer.base_url, api_key="k")
    chain = client.chain(model="m", store=False)

    async def talk(text: str) -> str:
        return (await chain.run(text)).output_text

    async def last() -> str:
        said = await talk("c")
        await client.aclose()
        return f"{said} {client.statistics().sockets}"

    with asyncio.Runner() as runner:
        assert runner.run(talk("a")) == "a"
        # Another loop, as in every process that begins anew.
        assert in_a_forked_process(lambda: asyncio.run(last())) == "c 0"
        peer.block_until(lambda: peer.connections[1].close_code == 1000)
        assert runner.run(talk("b")) == "b"
        assert [connection.is_open for connection in peer.connections] == [True, False]
        assert [len(create["input"]) for create in peer.connections[0].creates] == [1, 1]
        assert [len(create["input"]) for create in peer.connections[1].creates] == [3]
        runner.run(client.aclose())
        assert peer.connections[0].close_code in (None, 1000)


def test_a_child_may_close_what_its_parent_uses(peer: Peer) -> None:
    client = AsyncClient(base_url=peer.base_url, api_key="k")

    async def close() -> str:
        await client.aclose()
        return "closed"

    with asyncio.Runner() as runner:
        assert runner.run(asked(client)) == "x"
        assert in_a_forked_process(lambda: asyncio.run(close())) == "closed"
        assert runner.run(asked(client, "y")) == "y"
        assert (len(peer.connections), peer.connections[0].is_open) == (1, True)
        runner.run(client.aclose())


def test_a_blocking_client_works_in_a_child(peer: Peer) -> None:
    with Client(base_url=peer.base_url, api_key="k") as client:
        chain = client.chain(model="m")
        assert chain.run("a").output_text == "a"

        def in_the_child() -> str:
            text = chain.run("b").output_text
            client.close()
            left = [each.name for each in threading.enumerate() if "turnwire-p" in each.name]
            return f"{text} {client.statistics().completed} {left}"

        assert in_a_forked_process(in_the_child) == "b 1 []"
        assert chain.run("c").output_text == "c"
        assert (len(peer.connections), peer.connections[0].is_open) == (2, True)
        assert [len(create["input"]) for create in peer.creates] == [1, 1, 1]


def test_a_child_forked_in_the_middle_of_a_turn_does_not_take_part_in_it() -> None:
    gate = Gate()
    with (
        Peer(Turns([wait(gate), answer("a")], [answer("b")])) as peer,
        Client(base_url=peer.base_url, api_key="k") as client,
    ):
        turn = client.responses.create(model="m", input="a", stream=True)
        peer.block_until(lambda: peer.model_runs == 1)

        def in_the_child() -> str:
            return client.responses.create(model="m", input="b").output_text

        assert in_a_forked_process(in_the_child) == "b"
        gate.open()
        assert turn.get_final_response().output_text == "a"
        assert (turn.model_runs, peer.model_runs) == (1, 2)


def test_a_chain_whose_turn_runs_in_the_parent_goes_on_in_a_child() -> None:
    gate = Gate()
    script = Turns([answer("a")], [wait(gate), answer("b")], [answer("c")])
    with Peer(script) as peer, Client(base_url=peer.base_url, api_key="k") as client:
        chain = client.chain(model="m")
        chain.run("a")
        turn = chain.turn("b").submit()
        peer.block_until(lambda: peer.model_runs == 2)

        def in_the_child() -> str:
            text = chain.run("c").output_text
            return f"{text} {[len(create['input']) for create in peer.creates]}"

        assert in_a_forked_process(in_the_child).startswith("c ")
        assert len(peer.connections[1].creates[0]["input"]) == 1
        gate.open()
        assert turn.get_final_response().output_text == "b"
        assert (len(chain.history), peer.refusals) == (4, [])


def test_a_child_cannot_wait_for_its_parents_turn_and_does_not_end_it() -> None:
    gate = Gate()
    with (
        Peer(Turns([wait(gate), answer("a")])) as peer,
        Client(base_url=peer.base_url, api_key="k") as client,
    ):
        turn = client.responses.create(model="m", input="a", stream=True)
        peer.block_until(lambda: peer.model_runs == 1)

        def in_the_child() -> str:
            with pytest.raises(ConfigError, match="this one was forked from"):
                turn.get_final_response()
            with pytest.raises(ConfigError, match="this one was forked from"), turn:
                next(turn)
            turn.close()
            return "ended"

        assert in_a_forked_process(in_the_child) == "ended"
        gate.open()
        assert turn.get_final_response().output_text == "a"
        assert peer.connections[0].is_open


def test_a_child_that_only_looks_starts_no_thread(peer: Peer) -> None:
    with Client(base_url=peer.base_url, api_key="k") as client:
        client.responses.create(model="m", input="x")

        def look() -> str:
            seen = client.statistics().turns, client.health().state
            return f"{seen} {[each.name for each in threading.enumerate()]}"

        assert in_a_forked_process(look) == "(0, 'closed') ['MainThread']"


# Turns.


async def test_a_turn_is_waited_for_in_its_own_loop() -> None:
    gate = Gate()
    async with (
        Peer(Turns([wait(gate), answer("a")])) as peer,
        AsyncClient(base_url=peer.base_url, api_key="k") as client,
        client.responses.stream(model="m", input="x") as turn,
    ):
        for wait_for in (turn.get_final_response, turn.next_batch):
            with pytest.raises(ConfigError, match="runs in another event loop"):
                await asyncio.to_thread(asyncio.run, wait_for())
        gate.open()
        assert (await turn.get_final_response()).output_text == "a"


async def test_a_turn_may_be_closed_from_another_loop() -> None:
    async with (
        Peer(lambda _: [silence()]) as peer,
        AsyncClient(base_url=peer.base_url, api_key="k") as client,
    ):
        turn = await client.responses.create(model="m", input="x", stream=True)
        await peer.wait_until(lambda: peer.model_runs == 1)
        await asyncio.to_thread(asyncio.run, turn.aclose())
        with pytest.raises(TurnInterrupted, match="cancelled"):
            await turn.get_final_response()


def test_what_came_of_a_turn_is_there_after_its_loop(peer: Peer) -> None:
    client = AsyncClient(base_url=peer.base_url, api_key="k")

    async def begin() -> Any:
        turn = await client.responses.create(model="m", input="x", stream=True)
        while client.statistics().completed == 0:  # noqa: ASYNC110  # it has no event
            await asyncio.sleep(0)
        return turn

    turn = asyncio.run(begin())
    assert asyncio.run(turn.get_final_response()).output_text == "x"
    asyncio.run(client.aclose())


# Nothing is left.


@pytest.mark.parametrize("transport", ["websocket", "http"])
def test_a_row_of_clients_leave_no_descriptor(peer: Peer, transport: Any) -> None:
    async def use() -> None:
        async with AsyncClient(base_url=peer.base_url, api_key="k", transport=transport) as client:
            assert await asked(client) == "x"

    asyncio.run(use())
    before = descriptors()
    for _ in range(20):
        asyncio.run(use())
    assert descriptors() < before + 10  # the peer, which lives here too, may be late with its own


def test_blocking_clients_leave_no_descriptor_and_no_thread(peer: Peer) -> None:
    def use() -> None:
        with Client(base_url=peer.base_url, api_key="k") as client:
            assert client.responses.create(model="m", input="x").output_text == "x"

    use()
    before = descriptors(), threading.active_count()
    for _ in range(20):
        use()
    assert descriptors() < before[0] + 10
    assert threading.active_count() == before[1]
