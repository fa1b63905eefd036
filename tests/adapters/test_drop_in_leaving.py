"""Who leaves early frees what the turn held, and the next request gets its own answer."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import TYPE_CHECKING, Any

import pytest

from adapters.drop_in_calls import ASK, opened, output_text, over, report, user
from turnwire.testing import Gate, Peer, Turns, answer, drop, wait

if TYPE_CHECKING:
    from types import ModuleType

    from turnwire.testing import Step

    Way = tuple[ModuleType, bool]

pytestmark = pytest.mark.io

MIDDLE = "response.output_text.delta"


def held(gate: Gate) -> list[Step]:
    return [answer("Hello world"), wait(gate, after=MIDDLE)]


async def test_a_stream_that_is_left_does_not_answer_the_next(way: Way) -> None:
    gate = Gate()
    async with (
        Peer(Turns(held(gate), [answer("Again.")])) as peer,
        opened(way, peer) as calls,
    ):
        async with calls.stream() as streamed:
            assert b'"Hello"' in await streamed.until(b".delta")
        gate.open()
        assert output_text(await calls.ask()) == "Again."
        statistics = calls.client.turnwire.statistics()
        assert (statistics.cancelled, statistics.completed) == (1, 1)
        await peer.wait_until(lambda: not peer.connections[0].is_open)


async def test_a_stream_that_was_not_read_at_all_is_left_too(way: Way) -> None:
    gate = Gate()
    async with (
        Peer(Turns(held(gate), [answer("Again.")])) as peer,
        opened(way, peer) as calls,
    ):
        async with calls.stream():
            await gate.wait_reached()
        assert output_text(await calls.ask()) == "Again."


async def test_another_turn_on_the_same_socket_is_not_touched(way: Way) -> None:
    gates = [Gate(), Gate()]
    script = Turns(held(gates[0]), held(gates[1]), then=[answer("Again.")])
    async with Peer(script) as peer, opened(way, peer, max_sockets=1, lanes=True) as calls:
        async with calls.stream() as kept:
            await kept.until(b".delta")
            async with calls.stream() as left:
                await left.until(b".delta")
            for gate in gates:
                gate.open()
            assert b'" world"' in await kept.until(b"response.completed")
        assert output_text(await calls.ask()) == "Again."
        assert len(peer.connections) == 1
        await peer.wait_until(lambda: len(peer.creates) == 3)


async def test_a_cancelled_task_cancels_its_turn(ours: ModuleType) -> None:
    for stream in (False, True):
        gate = Gate()
        script = Turns([wait(gate), answer("Late.")], [answer("Again.")])
        async with Peer(script) as peer, opened((ours, True), peer) as calls:
            asking = asyncio.create_task(calls.ask({**ASK, "stream": stream}))
            await gate.wait_reached()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            await peer.wait_until(lambda: not peer.connections[0].is_open)
            assert output_text(await calls.ask()) == "Again."
            assert calls.client.turnwire.statistics().cancelled == 1


async def test_a_task_that_is_cancelled_while_it_dials(ours: ModuleType) -> None:
    gate = Gate()
    async with Peer(handshake=wait(gate)) as peer, opened((ours, True), peer) as calls:
        asking = asyncio.create_task(calls.ask())
        await gate.wait_reached()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        gate.open()
        assert output_text(await calls.ask()) == "Hi"
        assert peer.model_runs == 1


async def test_a_task_that_is_cancelled_while_it_reads(ours: ModuleType) -> None:
    gate = Gate()
    script = Turns(held(gate), [answer("Again.")])
    async with Peer(script) as peer, opened((ours, True), peer) as calls:
        reading = asyncio.create_task(calls.read())
        await gate.wait_reached()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert output_text(await calls.ask()) == "Again."


async def test_a_generator_that_is_closed(ours: ModuleType) -> None:
    gate = Gate()
    async with (
        Peer(Turns(held(gate), [answer("Again.")])) as peer,
        opened((ours, False), peer) as calls,
    ):

        def said() -> Any:
            with calls.client.stream("POST", calls.url, json={**ASK, "stream": True}) as response:
                yield from response.iter_bytes()

        def first() -> None:
            pieces = said()
            next(pieces)
            pieces.close()

        await asyncio.to_thread(first)
        assert output_text(await calls.ask()) == "Again."
        assert calls.client.turnwire.statistics().cancelled == 1


async def test_a_response_that_is_thrown_away_is_left_too(ours: ModuleType) -> None:
    """Not nice, but it happens: its lane must not stay busy, nor its chain taken."""
    gate = Gate()
    history = [user("one")]
    script = Turns([answer("1")], held(gate), [answer("2")], then=[answer("3")])
    async with Peer(script) as peer, opened((ours, True), peer, max_sockets=1) as calls:
        history += (await calls.ask({"model": "m", "input": history})).json()["output"]
        history.append(user("two"))
        body = {"model": "m", "input": history}
        headers = {"authorization": f"Bearer {calls.key}"}
        asked = {"json": {**body, "stream": True}, "headers": headers}
        request = calls.client.build_request("POST", calls.url, **asked)
        response = await calls.client.send(request, stream=True)
        await gate.wait_reached()
        del response
        gc.collect()
        await peer.wait_until(lambda: not peer.connections[0].is_open)
        response = await calls.ask(body)
        assert output_text(response) == "2"
        assert report(response).chain_miss is None
        assert calls.client.turnwire.statistics().active == 0


# The end of the transport


async def test_streams_that_go_on_end_with_an_error(way: Way, theirs: ModuleType) -> None:
    gate = Gate()
    async with Peer(lambda _: held(gate)) as peer:
        calls = over(way, peer)
        async with calls.stream() as streamed:
            await streamed.until(b".delta")
            reading = asyncio.create_task(streamed.until(b"response.completed"))
            await asyncio.sleep(0)
            await calls.close()
            with pytest.raises(theirs.TransportError):
                await reading
        await peer.wait_until(lambda: not peer.connections[0].is_open)


async def test_turns_that_go_on_end_with_an_error(way: Way, theirs: ModuleType) -> None:
    gate = Gate()
    async with Peer(lambda _: [wait(gate), answer("Late.")]) as peer:
        calls = over(way, peer)
        asking = asyncio.create_task(calls.ask())
        await gate.wait_reached()
        await calls.close()
        with pytest.raises(theirs.TransportError):
            await asking


async def test_a_closed_transport_says_so(way: Way, theirs: ModuleType) -> None:
    async with Peer() as peer:
        calls = over(way, peer)
        transport = calls.client.turnwire
        await calls.ask()
        await calls.close()
        await calls.close()  # once more does no harm
        for method, path in (("POST", "responses"), ("GET", "responses/resp_1")):
            request = theirs.Request(method, f"{peer.base_url}/{path}", json=ASK)
            function = (
                transport.handle_async_request if calls.is_async else transport.handle_request
            )
            with pytest.raises(theirs.LocalProtocolError, match="closed"):
                await calls.run(function, request)
        assert transport.statistics().completed == 1
        assert transport.health().state == "closed"


async def test_nothing_is_left_behind(way: Way) -> None:
    tasks, threads = asyncio.all_tasks(), {thread.name for thread in threading.enumerate()}
    async with Peer() as peer:
        serving = asyncio.all_tasks() - tasks
        async with opened(way, peer) as calls:
            await calls.ask()
            await calls.read()
        left = asyncio.all_tasks() - tasks - serving
        assert not [task for task in left if "turnwire" in task.get_name()]
    new = {thread.name for thread in threading.enumerate()} - threads
    assert not [name for name in new if name.startswith("turnwire")]


async def test_a_transport_that_was_never_used_is_closed(way: Way) -> None:
    calls = over(way, "http://127.0.0.1:9")
    await calls.close()


async def test_a_callback_of_ours_must_not_ask_the_blocking_client_that_runs_it(
    ours: ModuleType, theirs: ModuleType
) -> None:
    """It would wait for itself; it is told so instead."""
    raised: list[BaseException] = []

    def replay(_: Any) -> bool:
        try:
            calls.client.post(calls.url, json=ASK)
        except theirs.TransportError as error:
            raised.append(error)
        return False

    async with (
        Peer(lambda _: [drop()]) as peer,
        opened((ours, False), peer, replay=replay) as calls,
    ):
        with pytest.raises(theirs.ReadError):
            await calls.ask()
    assert "callback" in str(raised[0])
