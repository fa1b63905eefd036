"""Steering in front of other servers: those that speak chat, and those that speak Responses."""

import asyncio
from typing import Any

import pytest
from aiohttp import web

from gateway.relay.relaying import relayed, upstream_at
from gateway.support import TERMINAL, Client, Json, calls_of, output_of, talk, text_of, until
from gateway.upstreams.chat.support import DONE, called, chat_server, said
from turnwire.gateway.upstreams.chat import ChatUpstream
from turnwire.gateway.upstreams.detecting import Detected, DetectingUpstream
from turnwire.gateway.upstreams.routed import Route, RoutedUpstream
from turnwire.gateway.upstreams.scripted import ScriptedUpstream
from turnwire.testing import Gate, Peer, Turns, answer, reasoning, wait

pytestmark = pytest.mark.io


async def steer(client: Client, response_id: str, given: str) -> None:
    await client.send(
        {"type": "response.steer", "previous_response_id": response_id, "input": given}
    )
    await client.until("response.steer.accepted")


def spoken(messages: list[Json]) -> list[tuple[str, Any]]:
    return [(message["role"], message.get("content")) for message in messages]


async def test_a_silent_chat_server_is_left_and_asked_again() -> None:
    left = asyncio.Event()

    async def silent(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        return response

    async with chat_server() as server, talk(ChatUpstream(server.url)) as here:
        server.answers.append(silent)
        server.says(said(content="By train."), said("stop"), DONE)
        client = await here.dial()
        await client.create(input="Plan a trip.", instructions="Be brief.")
        (*_, event) = await client.until("response.in_progress")
        await steer(client, event["response"]["id"], "By train, please.")
        assert (await client.terminal())["response"]["incomplete_details"] == {"reason": "steered"}
        await left.wait()
        assert text_of((await client.terminal())["response"]) == "By train."
        assert spoken(server.asked[-1]["messages"]) == [
            ("system", "Be brief."),
            ("user", "Plan a trip."),
            ("user", "By train, please."),
        ]


async def test_what_was_said_while_a_tool_ran_comes_after_its_output_for_a_chat_server() -> None:
    fragment = called(index=0, id="call_1", name="f", arguments="{}")
    async with chat_server() as server, talk(ChatUpstream(server.url)) as here:
        server.says(fragment, said("tool_calls"), DONE)
        server.says(said(content="I see."), said("stop"), DONE)
        client = await here.dial()
        first = await client.respond(input="What?", tools=[{"type": "function", "name": "f"}])
        await steer(client, first["id"], "In euros.")
        await client.until("response.steer.pending")
        (call,) = calls_of(first)
        second = await client.respond(
            input=[output_of(call, "42")], previous_response_id=first["id"]
        )
        assert text_of(second) == "I see."
        roles = [message["role"] for message in server.asked[-1]["messages"]]
        assert roles == ["user", "assistant", "tool", "user"]


async def test_a_server_that_speaks_responses_is_steered() -> None:
    gate = Gate()
    script = Turns([reasoning("Hm"), wait(gate, after=4), answer("Planes.")], [answer("Trains.")])
    async with Peer(script) as peer, relayed(peer) as here:
        client = await here.dial()
        await client.create(input="Plan a trip.")
        created, *_ = await client.until("response.output_item.added")
        await steer(client, created["response"]["id"], "By train, please.")
        gate.open()
        (*_, terminal) = await client.until(*TERMINAL)
        assert terminal["response"]["incomplete_details"] == {"reason": "steered"}
        (item,) = terminal["response"]["output"]
        assert item["type"] == "reasoning"
        successor = await client.terminal()
        assert text_of(successor["response"]) == "Trains."
        said = [item for item in peer.creates[-1]["input"] if item["type"] == "message"]
        assert [item["content"] for item in said][-1] == "By train, please."
        assert peer.refusals == []


async def refused(client: Client, response_id: str) -> str:
    await client.send(
        {"type": "response.steer", "previous_response_id": response_id, "input": "By train."}
    )
    *_, failed = await client.until("response.steer.failed")
    return str(failed["error"]["code"])


@pytest.mark.parametrize("transport", ["websocket", "auto"])
async def test_a_turn_that_cannot_be_stopped_at_its_server_is_not_steered(transport: str) -> None:
    gate = Gate()
    script = Turns([reasoning("Hm"), wait(gate, after=4), answer("Planes.")])
    async with Peer(script) as peer, relayed(peer, transport=transport) as here:
        client = await here.dial()
        await client.create(input="Plan a trip.")
        created, *_ = await client.until("response.output_item.added")
        assert await refused(client, created["response"]["id"]) == "steering_not_supported"
        gate.open()
        assert text_of((await client.terminal())["response"]) == "Planes."
        assert peer.model_runs == 1


async def test_each_model_is_steered_as_all_its_upstreams_can_be() -> None:
    async with Peer(Turns([])) as peer:
        socket = upstream_at(peer, transport="websocket")
        routed = RoutedUpstream(
            [
                Route(name="socket", upstream=socket, models=("far-*", "both")),
                Route(name="here", upstream=ScriptedUpstream(), models=("near-*", "both")),
            ],
            default="here",
        )
        steered = {name: routed.steers_model(name) for name in ("far-1", "near-1", "both", "")}
        assert steered == {"far-1": False, "near-1": True, "both": False, "": True}


async def test_the_name_of_the_model_decides_on_one_socket() -> None:
    gate = Gate()
    script = Turns([reasoning("Hm"), wait(gate, after=4), answer("Planes.")])
    async with Peer(script) as peer:
        far = Route(name="far", upstream=upstream_at(peer, transport="websocket"), models=("far",))
        near = Route(name="near", upstream=ScriptedUpstream())
        async with talk(RoutedUpstream([far, near])) as here:
            client = await here.dial()
            await client.create(model="far", input="Plan a trip.")
            created, *_ = await client.until("response.output_item.added")
            assert await refused(client, created["response"]["id"]) == "steering_not_supported"
            gate.open()
            await client.terminal()
            await client.create(model="near", input="PACE 60\nWORDS 2")
            created, *_ = await client.until("response.created")
            await steer(client, created["response"]["id"], "WORDS 2")
            assert (await client.terminal())["response"]["status"] == "incomplete"


class Detection:
    """Finds out when the test says so."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_end = asyncio.Event()

    async def __call__(self, url: str, _: str | None) -> Detected:
        self.asked += 1
        await self.may_end.wait()
        return Detected("responses", url, None, (), "it is so")


async def test_the_first_turn_can_be_steered_before_it_is_known_what_its_server_is() -> None:
    detection = Detection()
    async with Peer(Turns([answer("Trains.")])) as peer:
        upstream = DetectingUpstream(peer.base_url, lambda _: upstream_at(peer), detect=detection)
        async with talk(upstream) as here:
            client = await here.dial()
            await client.create(input="Plan a trip.")
            created, *_ = await client.until("response.in_progress")
            await until(lambda: detection.asked == 1)
            await steer(client, created["response"]["id"], "By train, please.")
            first = (await client.terminal())["response"]
            assert first["incomplete_details"] == {"reason": "steered"}
            detection.may_end.set()
            assert text_of((await client.terminal())["response"]) == "Trains."
        said = [item["content"] for item in peer.creates[-1]["input"]]
        assert (peer.model_runs, said) == (1, [
            [{"type": "input_text", "text": "Plan a trip."}], "By train, please.",
        ])  # fmt: skip


@pytest.mark.parametrize("transport", ["http", "websocket"])
async def test_once_it_is_known_the_server_decides(transport: str) -> None:
    detection, gate = Detection(), Gate()
    script = Turns([reasoning("Hm"), wait(gate, after=4), answer("Planes.")], [answer("Trains.")])
    async with Peer(script) as peer:
        upstream = DetectingUpstream(
            peer.base_url, lambda _: upstream_at(peer, transport=transport), detect=detection
        )
        async with talk(upstream) as here:
            client = await here.dial()
            await client.create(input="Plan a trip.")
            created, *_ = await client.until("response.in_progress")
            detection.may_end.set()
            await client.until("response.output_item.added")
            response_id = created["response"]["id"]
            if transport == "websocket":
                assert await refused(client, response_id) == "steering_not_supported"
            else:
                await steer(client, response_id, "By train.")
            gate.open()
            terminal = (await client.terminal())["response"]
            assert terminal["status"] == ("completed" if transport == "websocket" else "incomplete")
