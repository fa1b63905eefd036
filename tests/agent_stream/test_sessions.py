"""Sessions: found by id, bounded, idle ones forgotten, released by hand."""

from __future__ import annotations

import asyncio

import pytest

from agent_stream.support import Clock, Runner, end_of, read, sent, user
from turnwire import AsyncClient, ConfigError
from turnwire import agent_stream as module
from turnwire.agent_stream import AgentStreams, ErrorEvent
from turnwire.testing import Gate, Peer, Turns, answer, failed, wait

pytestmark = pytest.mark.io


async def test_a_session_is_live_from_its_first_answer_until_it_is_released() -> None:
    async with Peer() as peer, AgentStreams(base_url=peer.base_url) as streams:
        assert not streams.has_live("a")
        runner = Runner(streams)
        await runner.ask(user("1"))
        assert (streams.has_live("a"), streams.has_live("b")) == (True, False)
        await streams.release("a")
        await streams.release("a")
        assert not streams.has_live("a")
        await runner.ask(user("2"))
        assert len(sent(peer)[-1]) == 3  # it knows nothing of what was
        assert streams.has_live("a")


async def test_a_session_whose_socket_is_gone_is_not_live() -> None:
    async with Peer() as peer, AgentStreams(base_url=peer.base_url) as streams:
        runner = Runner(streams)
        await runner.ask(user("1"))
        await peer.connections[0].close(1001)
        await peer.wait_until(lambda: not peer.connections[0].is_open)
        assert not streams.has_live("a")
        assert (await runner.ask(user("2"))).text == "2"
        assert len(sent(peer)[-1]) == 3
        assert streams.has_live("a")


async def test_a_session_whose_last_answer_came_over_http_or_failed_is_not_live() -> None:
    script = Turns([answer("1")], [answer("2")], [failed("x")])
    async with Peer(script) as peer, AgentStreams(base_url=peer.base_url) as streams:
        runner = Runner(streams)
        await runner.ask(user("1"))
        await runner.ask(user("2"), transport="sse")
        assert not streams.has_live("a")  # though a socket is open
        await runner.ask(user("3"))
        assert not streams.has_live("a")


async def test_the_session_used_longest_ago_makes_room() -> None:
    async with Peer() as peer, AgentStreams(base_url=peer.base_url, max_sessions=2) as streams:
        a, b, c = (Runner(streams, name) for name in "abc")
        for runner in (a, b, a, c):
            await runner.ask(user("Hi"))
        assert [streams.has_live(name) for name in "abc"] == [True, False, True]
        await b.ask(user("Ho"))
        assert len(sent(peer)[-1]) == 3


async def test_sessions_that_run_are_not_forgotten() -> None:
    gate = Gate()
    async with (
        Peer(lambda create: [answer("Hi"), wait(gate, after="response.created")]) as peer,
        AgentStreams(base_url=peer.base_url, max_sessions=1) as streams,
    ):
        stream = Runner(streams, "a").stream(user("Hi"))
        assert (await anext(aiter(stream))).type == "start"
        end = end_of(await read(Runner(streams, "b").stream(user("Hi"))))
        assert isinstance(end, ErrorEvent)
        assert "raise `max_sessions`" in (end.message.error_message or "")
        gate.open()
        assert end_of(await read(stream)).message.text == "Hi"
        assert peer.model_runs == 1


async def test_idle_sessions_are_forgotten() -> None:
    clock = Clock()
    async with (
        Peer() as peer,
        AgentStreams(base_url=peer.base_url, idle_timeout=60.0, clock=clock) as streams,
    ):
        a, b = Runner(streams, "a"), Runner(streams, "b")
        await a.ask(user("1"))
        clock.now = 59.0
        await b.ask(user("1"))
        assert streams.has_live("a")
        clock.now = 60.0
        assert [streams.has_live(name) for name in "ab"] == [False, True]
        await b.ask(user("2"))
        assert len(sent(peer)[-1]) == 1
        clock.now = 119.0
        await streams.warm_up("m", {"messages": []}, session_id="b")
        clock.now = 121.0
        assert streams.has_live("b")


async def test_a_session_that_runs_is_not_idle() -> None:
    clock, gate = Clock(), Gate()
    script = Turns([answer("1")], [answer("2"), wait(gate, after="response.created")], then=[])
    async with (
        Peer(script) as peer,
        AgentStreams(base_url=peer.base_url, idle_timeout=60.0, clock=clock) as streams,
    ):
        runner = Runner(streams)
        await runner.ask(user("1"))
        asking = asyncio.create_task(runner.ask(user("2")))
        await gate.wait_reached()
        clock.now = 600.0
        assert streams.has_live("a")
        gate.open()
        await asking
        await runner.ask(user("3"))
        assert sent(peer)[-1] == ["3"]


async def test_a_stream_function_belongs_to_one_session() -> None:
    async with Peer() as peer, AgentStreams(base_url=peer.base_url) as streams:
        one, other = streams.stream_fn("one"), streams.stream_fn("other")
        history = [user("Hi")]
        message = await one("m", {"messages": history}).result()
        history += [module.to_dict(message), user("Ho")]
        await one("m", {"messages": history}, {"maxTokens": 9}).result()
        await other("m", {"messages": history}).result()
        assert [len(create["input"]) for create in peer.creates] == [1, 1, 3]
        assert peer.creates[1]["max_output_tokens"] == 9


async def test_sessions_without_an_object_to_keep() -> None:
    async with Peer() as peer:
        ask = module.create_stream_fn("k", "a", base_url=peer.base_url)
        try:
            assert not module.has_live("a")
            message = await ask("m", {"messages": [user("Hi")]}).result()
            assert (message.text, module.has_live("a")) == ("Hi", True)
            again = module.create_stream_fn("k", "a", base_url=peer.base_url)
            history = [user("Hi"), message, user("Ho")]
            assert (await again("m", {"messages": history}).result()).text == "Ho"
            assert [len(create["input"]) for create in peer.creates] == [1, 1]
            with pytest.raises(ConfigError, match="open with other arguments"):
                module.create_stream_fn("other", "a", base_url=peer.base_url)
        finally:
            await module.release("a")
        assert not module.has_live("a")
        await module.release("a")
        assert not peer.connections[0].is_open


def test_arguments_that_do_not_fit_together() -> None:
    with pytest.raises(ConfigError, match="give either `client`"):
        AgentStreams(api_key="k", client=AsyncClient(api_key="k"))
    with pytest.raises(ConfigError, match="`max_sessions` must be at least 1"):
        AgentStreams(api_key="k", max_sessions=0)
    with pytest.raises(ConfigError, match="`idle_timeout` must be a number of seconds above 0"):
        AgentStreams(api_key="k", idle_timeout=0)
    with pytest.raises(ConfigError, match="`transport` must be auto, websocket, sse or http"):
        AgentStreams(api_key="k", transport="tcp")  # type: ignore[arg-type]


async def test_arguments_of_a_stream_are_looked_at_before_it_begins() -> None:
    async with Peer() as peer, AgentStreams(base_url=peer.base_url) as streams:
        with pytest.raises(ConfigError, match=r"messages\[0\]"):
            streams.stream("m", {"messages": ["Hi"]}, session_id="a")
        with pytest.raises(ConfigError, match="`messages` must be a list"):
            streams.stream("m", {}, session_id="a")
        with pytest.raises(ConfigError, match="`id` must be text"):
            streams.stream({}, {"messages": []}, session_id="a")
        with pytest.raises(ConfigError, match=r"tools\[0\]"):
            streams.stream("m", {"messages": [], "tools": [{}]}, session_id="a")
        assert peer.connections == []


async def test_the_request_can_be_seen_and_changed_before_it_is_sent() -> None:
    seen: list[dict[str, object]] = []

    def label(request: dict[str, object]) -> dict[str, object]:
        seen.append(request)
        return {**request, "metadata": {"of": "me"}}

    async with Peer() as peer, AgentStreams(base_url=peer.base_url) as streams:
        runner = Runner(streams)
        await runner.ask(user("1"), on_request=seen.append)
        await runner.ask(user("2"), on_request=label)
        assert [len(request["input"]) for request in seen] == [1, 3]  # type: ignore[arg-type]
        assert sorted(seen[0]) == ["input", "model", "store"]
        assert [create.get("metadata") for create in peer.creates] == [None, {"of": "me"}]
        assert [len(create["input"]) for create in peer.creates] == [1, 1]
        await runner.ask(user("3"), on_request=lambda request: 1 / 0)  # type: ignore[arg-type, return-value]
        assert isinstance(runner.last, ErrorEvent)
        assert isinstance(runner.last.cause, ZeroDivisionError)
        assert peer.model_runs == 2
