"""Streams that are ended early: at once, with one last event, and the next one is whole."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

import pytest

from agent_stream.support import Runner, end_of, read, types, user
from turnwire import AsyncClient, TurnwireError
from turnwire.agent_stream import AgentStreams, ErrorEvent, TextDeltaEvent
from turnwire.testing import Gate, Peer, Turns, answer, wait

if TYPE_CHECKING:
    from turnwire.agent_stream import AgentEvent, AgentStream

pytestmark = pytest.mark.io


def held(gate: Gate) -> Turns:
    """Answer with one word, hold the rest of it, and answer everything else."""
    steps = [answer("Hello world"), wait(gate, after="response.output_text.delta")]
    return Turns(steps, then=[answer("Again.")])


async def until_text(stream: AgentStream) -> list[AgentEvent]:
    """Read up to the first text."""
    events: list[AgentEvent] = []
    async for event in stream:
        events.append(event)
        if isinstance(event, TextDeltaEvent):
            return events
    raise AssertionError("the stream ended without text")


def read_on(stream: AgentStream) -> tuple[asyncio.Task[list[AgentEvent]], asyncio.Event]:
    """Read in a task; the event is set when there was text and the task waits for more."""
    seen = asyncio.Event()

    async def reading() -> list[AgentEvent]:
        events: list[AgentEvent] = []
        async for event in stream:
            events.append(event)
            if isinstance(event, TextDeltaEvent):
                seen.set()
        return events

    return asyncio.create_task(reading()), seen


async def is_left(peer: Peer) -> None:
    """Wait until the peer has seen that nobody wants the turn any more."""
    await peer.wait_until(lambda: not peer.connections[0].is_open)


async def test_a_signal_ends_the_stream_and_the_turn() -> None:
    signal = asyncio.Event()
    async with Peer(held(Gate())) as peer, AgentStreams(base_url=peer.base_url) as streams:
        runner = Runner(streams)
        reading, seen = read_on(runner.stream(user("Hi"), signal=signal))
        await seen.wait()
        signal.set()
        events = await reading
        assert types(events) == ["start", "text_start", "text_delta", "error"]
        end = end_of(events)
        assert isinstance(end, ErrorEvent)
        assert (end.reason, end.message.stop_reason, end.message.text) == (
            "aborted",
            "aborted",
            "Hello",
        )
        assert end.cause is None
        await is_left(peer)
        assert (await runner.ask()).text == "Again."
        assert peer.model_runs == 2


async def test_nothing_comes_after_the_signal_but_the_end() -> None:
    signal = asyncio.Event()
    async with (
        Peer(lambda create: [answer("one two three four")]) as peer,
        AgentStreams(base_url=peer.base_url) as streams,
    ):
        stream = Runner(streams).stream(user("Hi"), signal=signal)
        await until_text(stream)
        await peer.wait_until(lambda: "completed" in peer.transcript())  # all of it has arrived
        signal.set()
        assert types(await read(stream)) == ["error"]


async def test_a_stream_leaves_no_task_behind() -> None:
    async with Peer() as peer, AgentStreams(base_url=peer.base_url) as streams:
        stream = Runner(streams).stream(user("Hi"), signal=asyncio.Event())
        await read(stream)
        watching = [str(task.get_coro()) for task in asyncio.all_tasks()]
        assert [task for task in watching if "_watch" in task or "Event.wait" in task] == []


async def test_a_signal_that_is_set_already_sends_nothing() -> None:
    signal = asyncio.Event()
    signal.set()
    async with Peer() as peer, AgentStreams(base_url=peer.base_url) as streams:
        events = await read(Runner(streams).stream(user("Hi"), signal=signal, warm_up=True))
        assert types(events) == ["error"]
        assert end_of(events).reason == "aborted"
        assert (peer.model_runs, peer.warm_ups, peer.connections) == (0, 0, [])


async def test_the_signal_cancels_a_turn_whose_events_nobody_reads() -> None:
    signal = asyncio.Event()
    async with Peer(held(Gate())) as peer, AgentStreams(base_url=peer.base_url) as streams:
        stream = Runner(streams).stream(user("Hi"), signal=signal)
        await until_text(stream)
        signal.set()
        await is_left(peer)
        assert types(await read(stream)) == ["error"]


async def test_a_stream_that_is_left_ends_its_turn() -> None:
    async with Peer(held(Gate())) as peer, AgentStreams(base_url=peer.base_url) as streams:
        runner = Runner(streams)
        async with runner.stream(user("Hi")) as stream:
            await until_text(stream)
        await is_left(peer)
        assert await read(stream) == []
        with pytest.raises(TurnwireError, match="closed before its end"):
            await stream.result()
        assert (await runner.ask()).text == "Again."
        assert peer.model_runs == 2


async def test_a_loop_that_is_left_ends_its_turn() -> None:
    async with Peer(held(Gate())) as peer, AgentStreams(base_url=peer.base_url) as streams:
        await until_text(Runner(streams).stream(user("Hi")))
        gc.collect()
        await is_left(peer)


async def test_cancelling_the_task_that_reads_ends_the_turn() -> None:
    gate = Gate()
    async with Peer(held(gate)) as peer, AgentStreams(base_url=peer.base_url) as streams:
        runner = Runner(streams)
        reading = asyncio.create_task(read(runner.stream(user("Hi"))))
        await gate.wait_reached()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await is_left(peer)
        assert (await runner.ask()).text == "Again."
        assert peer.model_runs == 2


async def test_a_neighbour_of_an_aborted_stream_arrives_whole() -> None:
    gate, signal = Gate(), asyncio.Event()
    script = Turns(
        [answer("old old"), wait(gate, after="response.output_text.delta")],
        [answer("new new"), wait(gate, after="response.output_text.delta")],
    )
    async with Peer(script) as peer, AgentStreams(base_url=peer.base_url) as streams:
        left = Runner(streams, "left").stream(user("1"), signal=signal)
        await until_text(left)
        kept = Runner(streams, "kept").stream(user("2"))
        await until_text(kept)
        signal.set()
        assert types(await read(left)) == ["error"]
        gate.open()
        assert end_of(await read(kept)).message.text == "new new"
        assert peer.model_runs == 2


async def test_releasing_a_session_ends_its_streams() -> None:
    async with Peer(held(Gate())) as peer, AgentStreams(base_url=peer.base_url) as streams:
        runner = Runner(streams)
        reading, seen = read_on(runner.stream(user("Hi")))
        await seen.wait()
        await streams.release("a")
        await is_left(peer)
        end = end_of(await reading)
        assert isinstance(end, ErrorEvent)
        assert end.reason == "aborted"
        assert (await runner.ask()).text == "Again."


async def test_closing_ends_all_streams_and_refuses_new_ones() -> None:
    async with Peer(held(Gate())) as peer:
        streams = AgentStreams(base_url=peer.base_url)
        runner = Runner(streams)
        stream = runner.stream(user("Hi"))
        await until_text(stream)
        await streams.aclose()
        assert end_of(await read(stream)).reason == "aborted"
        await runner.ask()
        assert isinstance(runner.last, ErrorEvent)
        assert runner.last.message.error_message == "the streams are closed; make new ones"
        assert not peer.connections[0].is_open


async def test_a_client_of_the_callers_stays_open() -> None:
    async with Peer() as peer, AsyncClient(base_url=peer.base_url) as client:
        async with AgentStreams(client=client) as streams:
            await Runner(streams).ask(user("Hi"))
        assert (await client.responses.create(model="m", input="Ho")).output_text == "Ho"
        assert len(peer.connections) == 1
