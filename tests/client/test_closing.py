"""What is left after a client was closed: nothing."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import TYPE_CHECKING, Any

import pytest

from client.colours import Threads, until
from turnwire import (
    AsyncClient,
    Client,
    ConfigError,
    PoolStatistics,
    TurnInterrupted,
    TurnwireError,
)
from turnwire.testing import Gate, Peer, Turns, answer, call, deltas, silence, wait

if TYPE_CHECKING:
    from tests.client.conftest import Open

pytestmark = pytest.mark.io


async def test_a_closed_client_takes_no_turns(open_client: Open, transport: str) -> None:
    async with Peer() as peer, open_client(peer, transport=transport) as client:
        await client.responses.create(model="m", input="x")
        chain = client.chain(model="m")
        for _ in range(2):
            await client.aclose()
        for ask in (
            lambda: client.responses.create(model="m", input="x"),
            lambda: chain.run("x"),
            lambda: client.responses.stream(model="m", input="x").submit(),
        ):
            with pytest.raises(ConfigError, match="the client is closed; make another one"):
                await ask()
        assert peer.model_runs == 1


async def test_closing_a_client_that_was_never_used(open_client: Open) -> None:
    async with open_client("http://127.0.0.1:1/v1") as client:
        assert client.statistics() == PoolStatistics()
        for _ in range(2):
            await client.aclose()
        assert client.statistics() == PoolStatistics()


async def test_closing_leaves_no_task_and_no_socket(open_client: Open, transport: str) -> None:
    async with Peer(lambda _: [answer("a"), silence()]) as peer:
        before = asyncio.all_tasks() if transport == "websocket" else set()
        async with open_client(peer, transport=transport, lanes=True) as client:
            turns = [await client.responses.create(model="m", input="x", stream=True) for _ in "ab"]
            await peer.wait_until(lambda: peer.model_runs == 2)
        names = {task.get_name() for task in asyncio.all_tasks() - before}
        assert {name for name in names if name.startswith("turnwire")} == set()
        await peer.wait_until(lambda: not any(each.is_open for each in peer.connections))
        assert [turn.response for turn in turns] == [None, None]
        del turns, client
        gc.collect()  # an unclosed session or transport would be a ResourceWarning


async def test_closing_ends_a_dial_that_hangs(open_client: Open) -> None:
    gate = Gate()
    async with Peer(handshake=wait(gate)) as peer:
        async with open_client(peer) as client:
            turn = await client.responses.create(model="m", input="x", stream=True)
            await gate.wait_reached()
        assert turn.response is None
        gate.open()
        assert peer.creates == []


async def test_closing_ends_the_tail_of_an_event_stream(open_client: Open) -> None:
    from turnwire.testing import emit

    end = emit("response.done", response={"id": "resp_1", "status": "completed"})
    async with (
        Peer(lambda _: [answer("a"), end, silence()]) as peer,
        open_client(peer, transport="http") as client,
    ):
        response = await client.responses.create(model="m", input="x")
        assert response.output_text == "a"


async def test_a_turn_may_outlive_its_client(open_client: Open) -> None:
    async with Peer(lambda _: [answer("a"), silence()]) as peer, open_client(peer) as client:
        turn = await client.responses.create(model="m", input="x", stream=True)
        await anext(turn)
        await client.aclose()
        await turn.aclose()
        assert (turn.response, turn.partial.id) == (None, "resp_1")
        assert turn.delivery in ("accepted", "output")


async def test_statistics_can_be_read_after_closing(open_client: Open) -> None:
    async with Peer() as peer, open_client(peer) as client:
        await client.responses.create(model="m", input="x")
        sent_bytes = client.statistics().sent_bytes
        await client.aclose()
        expected = PoolStatistics(
            turns=1, completed=1, dials=1, sent_bytes=sent_bytes, full_bytes=sent_bytes
        )
        assert client.statistics() == expected


def turnwire_tasks() -> set[str]:
    names = {task.get_name() for task in asyncio.all_tasks()}
    return {name for name in names if name.startswith("turnwire")}


async def test_closing_that_is_cancelled_goes_on() -> None:
    async with Peer(lambda _: [silence()]) as peer:
        client = AsyncClient(base_url=peer.base_url)
        turn = await client.responses.create(model="m", input="x", stream=True)
        await peer.wait_until(lambda: peer.model_runs == 1)
        closing = asyncio.create_task(client.aclose())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        with pytest.raises(TurnInterrupted):
            await turn.get_final_response()
        await client.aclose()
        assert turnwire_tasks() == set()


async def test_who_closes_later_waits_for_the_end_too() -> None:
    async with Peer(lambda _: [silence()]) as peer:
        client = AsyncClient(base_url=peer.base_url)
        turn = await client.responses.create(model="m", input="x", stream=True)
        await peer.wait_until(lambda: peer.model_runs == 1)
        closing = asyncio.create_task(client.aclose())
        await asyncio.sleep(0)
        await client.aclose()
        assert turnwire_tasks() == set()
        await closing
        assert turn.response is None


# Threads.


def portal_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("turnwire")]


async def test_closing_a_blocking_client_ends_its_thread() -> None:
    threads = Threads()
    async with Peer() as peer:

        def use() -> str:
            with Client(base_url=peer.base_url) as client:
                assert portal_threads() == []
                text = client.responses.create(model="m", input="x").output_text
                assert len(portal_threads()) == 1
                return text

        assert await threads.run(use) == "x"
        assert portal_threads() == []
    threads.executor.shutdown()


def test_a_wrong_argument_starts_no_thread() -> None:
    with pytest.raises(ConfigError):
        Client(base_url="nowhere")
    assert portal_threads() == []


def leave() -> str:
    """Leave the program."""
    raise SystemExit(2)


def leave_early(_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [({}, SystemExit), ({"on_event": leave_early}, KeyboardInterrupt)],
)
async def test_what_would_end_a_program_ends_one_call(
    arguments: dict[str, Any], kind: type[BaseException]
) -> None:
    threads = Threads()
    async with Peer(Turns([call("leave", {})], then=[answer("ok")])) as peer:
        client = Client(base_url=peer.base_url)

        def run() -> str:
            with pytest.raises(kind):
                client.chain(model="m", tools=[leave]).run("go", **arguments)
            return client.responses.create(model="m", input="x").output_text

        assert await threads.run(run) == "ok"
        await threads.run(client.close)
    assert portal_threads() == []
    threads.executor.shutdown()


async def test_a_blocking_client_that_nobody_closed_closes_and_says_so() -> None:
    threads = Threads()
    async with Peer(lambda _: [answer("a"), silence()]) as peer:

        def use_and_lose() -> None:
            client = Client(base_url=peer.base_url)
            turn = client.responses.create(model="m", input="x", stream=True)
            assert next(turn).type == "response.created"
            del client, turn

        with pytest.warns(ResourceWarning, match="a blocking client of turnwire was not closed"):
            await threads.run(use_and_lose)
        await peer.wait_until(lambda: not peer.connections[0].is_open)
        for thread in portal_threads():
            await threads.run(thread.join)
    threads.executor.shutdown()


async def test_what_is_left_of_a_client_keeps_it_alive() -> None:
    threads = Threads()
    async with Peer() as peer:
        client = Client(base_url=peer.base_url)
        chain, close = client.chain(model="m"), client.close
        del client
        gc.collect()
        assert (await threads.run(chain.run, "x")).output_text == "x"
        await threads.run(close)
    threads.executor.shutdown()


async def test_threads_may_share_a_blocking_client() -> None:
    threads = Threads()
    async with Peer() as peer:
        with Client(base_url=peer.base_url) as client:

            def ask(number: int) -> str:
                return client.responses.create(model="m", input=f"q{number}").output_text

            asked = [threads.run(ask, number) for number in range(20)]
            assert await asyncio.gather(*asked) == [f"q{number}" for number in range(20)]
            await threads.run(client.close)
    threads.executor.shutdown()


async def test_closing_while_a_thread_waits_lets_it_go() -> None:
    threads, started = Threads(), threading.Event()

    async def slow() -> str:
        """Take for ever."""
        started.set()
        await asyncio.Event().wait()
        return "never"

    async with Peer(lambda _: [call("slow", {})]) as peer:
        client = Client(base_url=peer.base_url)
        chain = client.chain(model="m", tools=[slow])
        running = asyncio.ensure_future(threads.run(chain.run, "go"))
        await threads.run(started.wait)
        await threads.run(client.close)
        with pytest.raises(TurnwireError, match="closed"):
            await running
    threads.executor.shutdown()


async def test_a_callback_cannot_call_the_client_that_runs_it() -> None:
    threads = Threads()
    async with Peer() as peer:
        client = Client(base_url=peer.base_url)

        def ask_again(_: object) -> None:
            client.responses.create(model="m", input="y")

        with pytest.raises(ConfigError, match="a callback must not call"):
            await threads.run(client.chain(model="m").run, "x", on_event=ask_again)
        await threads.run(client.close)
    threads.executor.shutdown()


async def test_a_partial_is_whole_while_events_arrive() -> None:
    """Another thread reads what the portal's thread writes."""
    threads = Threads()
    script = Turns([deltas(3000, "x")])
    async with Peer(script) as peer:

        def read() -> list[str]:
            seen: list[str] = []
            with Client(base_url=peer.base_url) as client:
                turn = client.responses.create(model="m", input="x", stream=True)
                while turn.response is None:
                    seen.append(turn.partial.output_text)
                    client.statistics()
                seen.append(turn.partial.output_text)
            return seen

        seen = await threads.run(read)
    lengths = [len(text) for text in seen]
    assert lengths == sorted(lengths)
    assert lengths[-1] == 3000
    threads.executor.shutdown()


async def test_a_read_in_flight_learns_of_the_close(open_client: Open) -> None:
    async with Peer(lambda _: [answer("a"), silence()]) as peer, open_client(peer) as client:
        turn = await client.responses.create(model="m", input="x", stream=True)
        await until(lambda: turn.delivery == "output")
        await client.aclose()
        with pytest.raises((TurnInterrupted, ConfigError)):
            async for _ in turn:
                pass
