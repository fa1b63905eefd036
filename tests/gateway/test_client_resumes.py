"""The client against the gateway: what a lost socket carried is fetched, not paid again."""

from __future__ import annotations

from typing import Any

import pytest

import turnwire
from gateway.cable import Cable, cable
from gateway.support import Puppet, Talk, talk, until
from turnwire.events import ResponseTextDeltaEvent

pytestmark = pytest.mark.io

LONG = 600.0  # seconds; no test waits for them


def client(line: Cable, **options: Any) -> turnwire.AsyncClient:
    given = {"resume": True, "transport": "websocket", **options}
    return turnwire.AsyncClient(base_url=line.base_url, **given)


async def cut(here: Talk, line: Cable) -> None:
    line.cut()
    await until(lambda: here.gateway.statistics().sockets_open == 0)


async def test_a_stream_goes_on_where_it_was_cut_off() -> None:
    puppet = Puppet()
    async with (
        talk(puppet, linger=LONG) as here,
        cable(here.gateway.base_url) as line,
        client(line) as resuming,
    ):
        texts: list[str] = []
        types: list[str] = []
        async with resuming.responses.stream(model="m", input="x") as turn:
            run = await puppet.run()
            run.say("one ")
            async for event in turn:
                types.append(event.type)
                if isinstance(event, ResponseTextDeltaEvent):
                    texts.append(event.delta)
                    if texts == ["one "]:
                        await cut(here, line)
                        run.finish("two")
            response = await turn.get_final_response()
        assert ("".join(texts), response.output_text) == ("one two", "one two")
        assert (types.count("turn.resumed"), types.count("response.created")) == (1, 1)
        assert (turn.model_runs, here.gateway.statistics().model_runs) == (1, 1)
        assert (turn.resends, resuming.statistics().resumes) == (0, 1)


async def test_the_chain_goes_on_from_a_response_that_was_fetched() -> None:
    puppet = Puppet()
    async with (
        talk(puppet, linger=LONG) as here,
        cable(here.gateway.base_url) as line,
        client(line) as resuming,
    ):
        chain = resuming.chain(model="m")
        async with chain.turn("x") as turn:
            run = await puppet.run()
            run.say("one ")
            await until(lambda: turn.delivery == "output")
            await cut(here, line)
            run.finish("two")
            await turn.get_final_response()
        async with chain.turn("y") as following:
            run = await puppet.run()
            run.finish("three")
            await following.get_final_response()
        assert (following.chain_miss, following.transport) == (None, "websocket")
        said = [item["content"] for item in chain.history if item["role"] == "assistant"]
        assert [part["text"] for content in said for part in content] == ["one two", "three"]
        assert here.gateway.statistics().model_runs == 2


@pytest.mark.parametrize(
    ("options", "params"),
    [({"resume": False}, {}), ({}, {"store": False})],
    ids=["not asked for", "not stored"],
)
async def test_what_cannot_be_fetched_is_run_again(
    options: dict[str, Any], params: dict[str, Any]
) -> None:
    puppet = Puppet()
    async with (
        talk(puppet, linger=LONG) as here,
        cable(here.gateway.base_url) as line,
        client(line, **options) as plain,
    ):
        turn = plain.responses.stream(model="m", input="x", **params)
        async with turn:
            run = await puppet.run()
            run.say("one ")
            await until(lambda: turn.delivery == "output")
            await cut(here, line)
            again = await puppet.run()
            again.finish("anew")
            assert (await turn.get_final_response()).output_text == "anew"
        assert (turn.model_runs, plain.statistics().resumes) == (2, 0)


async def test_a_gateway_that_keeps_nothing_running_is_asked_once() -> None:
    puppet = Puppet()
    async with (
        talk(puppet, linger=0.0) as here,
        cable(here.gateway.base_url) as line,
        client(line) as resuming,
    ):
        turn = resuming.responses.stream(model="m", input="x")
        async with turn:
            run = await puppet.run()
            run.say("one ")
            await until(lambda: turn.delivery == "output")
            await cut(here, line)
            again = await puppet.run()
            again.finish("anew")
            assert (await turn.get_final_response()).output_text == "anew"
        assert (turn.model_runs, resuming.statistics().resumes) == (2, 1)
