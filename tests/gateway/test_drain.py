"""How the gateway stops: nobody new, time for those who are there, an answer for everybody."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from gateway.support import Puppet, Talk, talk, text_of, until
from turnwire.gateway.app import WORK

pytestmark = pytest.mark.io

LONG = 30.0


async def busy(here: Talk, puppet: Puppet, **create: Any) -> Any:
    client = await here.dial()
    await client.create(input="Hello", **create)
    return client, await puppet.run()


async def test_a_draining_gateway_says_so_to_balancers() -> None:
    puppet = Puppet()
    async with talk(puppet, drain_timeout=2.5) as here:
        client, run = await busy(here, puppet)
        assert await here.get("/healthz") == (200, {"status": "ok"})
        stopping = asyncio.create_task(here.gateway.__aexit__(None, None, None))
        await until(lambda: here.gateway._app[WORK].stopping)
        # A new connection: the port is still open.
        async with (
            aiohttp.ClientSession() as balancer,
            balancer.get(here.gateway.url + "/healthz") as answer,
        ):
            assert (answer.status, await answer.json()) == (503, {"status": "draining"})
            assert answer.headers["Retry-After"] == "3"
        run.finish("done")
        assert text_of((await client.terminal())["response"]) == "done"
        await client.closed()
        await stopping
        with pytest.raises(aiohttp.ClientConnectionError):
            await here.session.get(here.gateway.url + "/healthz")


async def test_new_work_over_http_is_refused_with_when_to_come_back() -> None:
    puppet = Puppet()
    async with talk(puppet, drain_timeout=LONG) as here:
        client, run = await busy(here, puppet)
        here.gateway._app[WORK].stop()
        async with here.session.post(
            here.gateway.base_url + "/responses", json={"model": "m", "input": "x"}
        ) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "30")
            assert (await answer.json())["error"]["type"] == "server_error"
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await here.dial()
        assert refused.value.headers is not None
        assert (refused.value.status, refused.value.headers["Retry-After"]) == (503, "30")
        run.finish("done")
        await client.terminal()
        await client.closed()


async def test_r19_creates_on_open_sockets_get_the_limit_error_and_what_waited_runs() -> None:
    puppet = Puppet()
    async with talk(puppet, drain_timeout=LONG) as here:
        client, run = await busy(here, puppet)
        await client.create(input="waits in its lane")
        await client.send({"type": "unknown"})
        await client.until("error")  # so both creates were read
        here.gateway._app[WORK].stop()
        await client.create(input="too late", stream_id="b")
        refused = (await client.until("error"))[-1]
        assert (refused["status"], refused["error"]["code"], refused["stream_id"]) == (
            400,
            "websocket_connection_limit_reached",
            "b",
        )
        run.finish("one")
        (await puppet.run()).finish("two")
        answers = [text_of((await client.terminal())["response"]) for _ in range(2)]
        assert answers == ["one", "two"]
        assert await client.closed() == 1001


async def test_what_has_not_ended_by_the_deadline_gets_an_error_and_a_close() -> None:
    puppet = Puppet()
    async with talk(puppet, drain_timeout=LONG) as here:
        client, run = await busy(here, puppet, stream_id="a")
        await client.create(input="waits in its lane", stream_id="a")
        run.say("some")
        await client.until("response.output_text.delta")
        draining = asyncio.create_task(here.gateway._app[WORK].drain(0.01))
        errors = [(await client.until("error"))[-1] for _ in range(2)]
        for error in errors:
            assert (error["status"], error["error"]["code"], error["stream_id"]) == (
                503,
                "server_shutdown",
                "a",
            )
        assert await client.closed() == 1001
        await draining
        assert run.stopped.is_set()
        assert here.gateway.statistics().sockets_open == 0


async def test_a_drain_ends_as_soon_as_the_last_turn_has() -> None:
    puppet = Puppet()
    async with talk(puppet, drain_timeout=LONG) as here:
        client, run = await busy(here, puppet)
        draining = asyncio.create_task(here.gateway._app[WORK].drain(10**6))
        await until(lambda: here.gateway._app[WORK].stopping)
        run.finish("done")
        await client.terminal()
        await client.closed()
        await draining


async def test_a_turn_that_has_said_its_last_event_is_not_ended_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    puppet = Puppet()
    async with talk(puppet, drain_timeout=LONG) as here:
        client, run = await busy(here, puppet)
        await client.create(input="goes on", stream_id="b")
        await puppet.run()
        await client.until("response.in_progress")
        (socket,) = here.gateway._app[WORK]._sockets

        async def room() -> None:
            if socket._serving.active < 2:
                await asyncio.Event().wait()  # as for a client that reads slowly

        monkeypatch.setattr(socket._outbox, "room", room)
        run.finish("done")
        assert (await client.terminal())["type"] == "response.completed"
        draining = asyncio.create_task(here.gateway._app[WORK].drain(0.01))
        assert (await client.terminal())["stream_id"] == "b"
        assert await client.closed() == 1001
        await draining
