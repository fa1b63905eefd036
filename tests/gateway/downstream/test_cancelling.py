"""A turn that is cancelled over HTTP ends at once, for everybody, and nothing goes on from it."""

import asyncio

import pytest

from gateway.support import (
    TERMINAL,
    Client,
    Endless,
    Json,
    ModelRun,
    Puppet,
    Talk,
    events_in,
    talk,
    until,
)
from turnwire.gateway.app import RESPONSES_PATHS, WORK
from turnwire.gateway.downstream import holding
from turnwire.gateway.downstream.event_stream import EventStream
from turnwire.gateway.upstreams.deltas import ArgumentsDelta, CallStarted

pytestmark = pytest.mark.io


async def begin(here: Talk, puppet: Puppet, **create: object) -> tuple[Client, ModelRun, str]:
    client = await here.dial()
    await client.create(input="x", **create)
    run = await puppet.run()
    return client, run, (await client.event())["response"]["id"]


async def cancel(here: Talk, response_id: str, **headers: str) -> tuple[int, Json]:
    return await here.request("POST", f"/v1/responses/{response_id}/cancel", **headers)


async def test_a_running_turn_is_cancelled_and_its_model_run_stops() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client, run, response_id = await begin(here, puppet, stream_id="a")
        run.say("half a ")
        await client.until("response.output_text.delta")
        status, response = await cancel(here, response_id)
        assert run.stopped.is_set()
        (*done, terminal) = await client.until(*TERMINAL)
        assert [event["type"] for event in done] == [
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
        ]
        assert terminal["type"] == "response.incomplete"
        assert (status, response) == (200, terminal["response"])
        assert (response["status"], response["output"][0]["status"]) == ("cancelled", "incomplete")
        statistics = here.gateway.statistics()
        assert (statistics.model_runs_active, statistics.model_runs_stopped) == (0, 1)
        assert (await client.refused(input="y", previous_response_id=response_id, stream_id="a"))[
            "error"
        ]["code"] == "previous_response_not_found"


async def test_a_model_that_is_silent_is_cancelled() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        _, run, response_id = await begin(here, puppet)
        _, response = await cancel(here, response_id)
        assert run.stopped.is_set()
        assert (response["status"], response["output"]) == ("cancelled", [])


async def test_a_half_made_call_is_not_whole() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client, run, response_id = await begin(here, puppet)
        run.say(CallStarted(0, "f", "call_1"))
        run.say(ArgumentsDelta(0, '{"a'))
        await client.until("response.function_call_arguments.delta")
        _, response = await cancel(here, response_id)
        assert response["output"][0]["status"] == "incomplete"


async def test_a_model_that_talks_is_cancelled_and_says_nothing_more() -> None:
    endless = Endless()
    async with talk(endless) as here:
        client = await here.dial()
        await client.create(input="x")
        response_id = (await client.event())["response"]["id"]
        reading = asyncio.create_task(client.terminal())
        await cancel(here, response_id)
        said = endless.said_bytes
        assert endless.stopped.is_set()
        assert (await reading)["response"]["status"] == "cancelled"
        assert endless.said_bytes == said


async def test_a_turn_that_lingers_is_cancelled() -> None:
    puppet = Puppet()
    async with talk(puppet, linger=600) as here:
        client, run, response_id = await begin(here, puppet)
        await client.raw.close()
        _, response = await cancel(here, response_id)
        assert run.stopped.is_set()
        assert response["status"] == "cancelled"
        assert await here.get(f"/v1/responses/{response_id}") == (200, response)
        assert (await here.fetch(response_id))[-1]["response"] == response


async def test_a_stream_of_events_ends_when_its_turn_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(holding, "PATIENCE", 0.0)
    puppet = Puppet()
    async with talk(puppet) as here:
        create = {"model": "m", "input": "x", "stream": True}
        async with here.session.post(here.gateway.base_url + "/responses", json=create) as answer:
            await puppet.run()
            first = await answer.content.readuntil(b"\n\n")
            (created,) = events_in(first.decode())
            await cancel(here, created["response"]["id"])
            events = events_in(await answer.text())
        assert events[-1]["response"]["status"] == "cancelled"


async def test_a_stream_that_is_held_back_begins_and_ends_when_its_turn_is_cancelled() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        create = {"model": "m", "input": "x", "stream": True}
        url = here.gateway.base_url + "/responses"
        request = asyncio.create_task(here.session.post(url, json=create))
        run = await puppet.run()
        assert here.gateway.statistics().bytes_out == 0
        await cancel(here, run.prompt.response_id)
        async with await request as answer:
            events = events_in(await answer.text())
        assert [event["type"] for event in events] == [
            "response.created",
            "response.in_progress",
            "response.incomplete",
        ]
        assert (run.stopped.is_set(), events[-1]["response"]["status"]) == (True, "cancelled")


@pytest.mark.parametrize("path", RESPONSES_PATHS)
async def test_what_has_ended_cannot_be_cancelled(path: str) -> None:
    async with talk() as here:
        _, response = await here.post(input="x")
        status, body = await here.request("POST", f"{path}/{response['id']}/cancel")
        assert (status, body["error"]) == (
            400,
            {
                "message": "Cannot cancel a response that is completed.",
                "type": "invalid_request_error",
                "param": None,
                "code": None,
            },
        )


async def test_to_cancel_again_changes_nothing() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        _, _, response_id = await begin(here, puppet)
        first = await cancel(here, response_id)
        assert await cancel(here, response_id) == first


async def test_two_who_cancel_at_once_get_the_same() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        _, _, response_id = await begin(here, puppet)
        one, two = await asyncio.gather(cancel(here, response_id), cancel(here, response_id))
        assert one == two
        assert one[1]["status"] == "cancelled"


async def test_what_is_not_stored_or_not_yours_cannot_be_cancelled() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client, run, unstored = await begin(here, puppet, store=False)
        assert (await cancel(here, unstored))[0] == 404
        run.finish()
        await client.terminal()
        client, run, response_id = await begin(here, puppet)
        assert (await cancel(here, response_id, Authorization="Bearer other"))[0] == 404
        assert (await cancel(here, "resp_unknown"))[0] == 404
        run.finish("done")
        assert (await client.terminal())["response"]["status"] == "completed"


async def test_other_turns_of_the_lane_go_on() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client, _, response_id = await begin(here, puppet)
        await client.create(input="behind it")
        await cancel(here, response_id)
        (await puppet.run()).finish("next")
        terminals = [await client.terminal() for _ in range(2)]
        assert [each["response"]["status"] for each in terminals] == ["cancelled", "completed"]


async def test_nobody_waits_for_a_client_that_reads_nothing() -> None:
    endless = Endless()
    async with talk(endless, outbox_bytes=10_000, stall_timeout=600) as here:
        client = await here.dial()
        await client.create(input="x")
        response_id = (await client.event())["response"]["id"]
        (socket,) = here.gateway._app[WORK]._sockets
        outbox = socket._outbox
        write, outbox.news = outbox.news, lambda: None
        await until(lambda: outbox._roomy is not None)
        said = endless.said_bytes
        async with asyncio.timeout(10):
            status, response = await cancel(here, response_id)
        assert (status, response["status"]) == (200, "cancelled")
        assert (endless.stopped.is_set(), endless.said_bytes) == (True, said)
        outbox.news = write
        write()
        assert (await client.terminal())["response"] == response


async def test_nobody_waits_for_a_stream_that_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    endless, read, write = Endless(), asyncio.Event(), EventStream.write
    waiting = asyncio.Event()

    async def write_late(self: EventStream, kind: str, data: bytes) -> None:
        if kind == "response.output_text.delta":
            waiting.set()
            await read.wait()
        await write(self, kind, data)

    monkeypatch.setattr(EventStream, "write", write_late)
    async with talk(endless) as here:
        create = {"model": "m", "input": "x", "stream": True}
        async with here.session.post(here.gateway.base_url + "/responses", json=create) as answer:
            first = await answer.content.readuntil(b"\n\n")
            (created,) = events_in(first.decode())
            await waiting.wait()
            async with asyncio.timeout(10):
                _, response = await cancel(here, created["response"]["id"])
            assert (endless.stopped.is_set(), response["status"]) == (True, "cancelled")
            read.set()
            assert events_in(await answer.text())[-1]["response"] == response
