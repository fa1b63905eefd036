"""Warm-ups: asked for, once for a session, and never in the way."""

from __future__ import annotations

import asyncio

import pytest

from agent_stream.support import WEATHER, Runner, end_of, one_try, read, sent, types, user
from turnwire.agent_stream import AgentStreams
from turnwire.testing import Peer, drop, error, silence, virtual_time

pytestmark = pytest.mark.io


async def test_without_being_asked_for_there_is_none() -> None:
    async with Peer() as peer, AgentStreams(base_url=peer.base_url) as streams:
        await Runner(streams).ask(user("1"))
        assert (peer.warm_ups, peer.model_runs) == (0, 1)


async def test_there_is_one_for_a_session_and_the_turn_continues_it() -> None:
    async with Peer() as peer, AgentStreams(base_url=peer.base_url) as streams:
        runner = Runner(streams, tools=[WEATHER], systemPrompt="Be brief.")
        await runner.ask(user("1"), warm_up=True)
        await runner.ask(user("2"), warm_up=True)
        assert (peer.warm_ups, peer.model_runs) == (1, 2)
        assert sent(peer) == [[], ["1"], ["2"]]
        warm_up, turn, _ = peer.creates
        assert (warm_up["instructions"], warm_up["tools"]) == ("Be brief.", turn["tools"])
        assert turn["previous_response_id"] == "resp_1"


async def test_it_can_be_done_before_there_is_a_question() -> None:
    async with Peer() as peer, AgentStreams(base_url=peer.base_url) as streams:
        await streams.warm_up("m", {"messages": [], "tools": [WEATHER]}, session_id="a")
        assert (peer.warm_ups, len(peer.connections)) == (1, 1)
        await Runner(streams, tools=[WEATHER]).ask(user("1"), warm_up=True)
        assert (peer.warm_ups, peer.model_runs, sent(peer)) == (1, 1, [[], ["1"]])


@pytest.mark.parametrize("step", [error("unsupported_parameter", 400), drop()])
async def test_one_that_fails_is_noted_and_nothing_else(
    step: object, caplog: pytest.LogCaptureFixture
) -> None:
    async with Peer(warm_up=[step]) as peer, one_try(peer) as streams:  # type: ignore[list-item]
        runner = Runner(streams)
        assert (await runner.ask(user("1"), warm_up=True)).text == "1"
        assert "the warm-up failed" in caplog.text
        assert (await runner.ask(user("2"), warm_up=True)).text == "2"
        assert peer.model_runs == 2
        turns = [create for create in peer.creates if create.get("generate") is not False]
        assert [len(create["input"]) for create in turns] == [1, 1]


@virtual_time
async def test_one_that_takes_too_long_is_given_up_after_eight_seconds() -> None:
    async with Peer(warm_up=[silence()]) as peer, AgentStreams(base_url=peer.base_url) as streams:
        message = await Runner(streams).ask(user("1"), warm_up=True)
        assert (message.text, peer.model_runs) == ("1", 1)
        assert 8.0 <= peer.clock.now < 9.0


async def test_an_aborted_one_ends_the_stream() -> None:
    signal = asyncio.Event()
    async with Peer(warm_up=[silence()]) as peer, AgentStreams(base_url=peer.base_url) as streams:
        stream = Runner(streams).stream(user("1"), warm_up=True, signal=signal)
        reading = asyncio.create_task(read(stream))
        await peer.wait_until(lambda: len(peer.creates) == 1)
        signal.set()
        events = await reading
        assert types(events) == ["error"]
        assert end_of(events).reason == "aborted"
        assert peer.model_runs == 0
