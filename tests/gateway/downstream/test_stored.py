"""Stored responses over HTTP: fetched whole, fetched event by event, deleted."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import msgspec
import pytest

from gateway.support import TERMINAL, Json, ModelRun, Puppet, Talk, talk, text_of
from turnwire.gateway.app import RESPONSES_PATHS
from turnwire.gateway.store import MemoryStore
from turnwire.gateway.upstreams import UpstreamFailed

pytestmark = pytest.mark.io

NOT_HERE = (
    404,
    {
        "error": {
            "message": "No response with this id is stored here.",
            "type": "invalid_request_error",
            "param": "response_id",
            "code": None,
        }
    },
)


async def lines(answer: aiohttp.ClientResponse) -> AsyncIterator[Json]:
    """Yield the events of a stream as they come."""
    async for line in answer.content:
        if line.startswith(b"data: "):
            yield msgspec.json.decode(line.removeprefix(b"data: "))


async def begin(here: Talk, puppet: Puppet) -> tuple[ModelRun, Json]:
    """Let a turn run over a socket that stays; return its run and its response."""
    client = await here.dial()
    await client.create(input="x")
    run = await puppet.run()
    return run, (await client.until("response.in_progress"))[0]["response"]


@pytest.mark.parametrize("path", RESPONSES_PATHS)
async def test_a_response_is_fetched_and_deleted_on_every_path(path: str) -> None:
    async with talk() as here:
        _, response = await here.post(input="x")
        place = f"{path}/{response['id']}"
        assert await here.get(place) == (200, response)
        deleted = {"id": response["id"], "object": "response", "deleted": True}
        assert await here.request("DELETE", place) == (200, deleted)
        assert await here.get(place) == NOT_HERE
        assert await here.request("DELETE", place) == NOT_HERE


@pytest.mark.parametrize("query", ["", "?stream=true", "?stream=true&starting_after=3"])
async def test_what_was_never_stored_is_not_here(query: str) -> None:
    async with talk() as here:
        _, unstored = await here.post(input="x", store=False)
        for name in (unstored["id"], "resp_unknown"):
            assert await here.get(f"/v1/responses/{name}{query}") == NOT_HERE


async def test_a_response_can_be_looked_at_while_it_runs() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        run, response = await begin(here, puppet)
        place = f"/v1/responses/{response['id']}"
        assert await here.get(place) == (200, response)
        assert response["status"] == "in_progress"
        run.finish("done")
        (*_, terminal) = await here.fetch(response["id"])
        assert await here.get(place) == (200, terminal["response"])
        assert terminal["response"]["status"] == "completed"


@pytest.mark.parametrize("cause", ["upstream", "cut"])
async def test_a_failed_response_says_so(cause: str) -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        run, response = await begin(here, puppet)
        if cause == "cut":
            run.say("word")
            run.cut()
        else:
            run.fail(UpstreamFailed("Busy.", status=503, code="server_is_overloaded"))
        events = await here.fetch(response["id"])
        status, fetched = await here.get(f"/v1/responses/{response['id']}")
        assert (status, fetched["status"], fetched["error"]["code"]) == (
            200,
            "failed",
            "server_error",
        )
        if cause == "cut":
            assert events[-1]["response"] == fetched
        else:
            assert events[-1] == {
                "type": "error",
                "code": "server_is_overloaded",
                "message": "Busy.",
                "param": None,
                "sequence_number": 2,
            }


async def test_the_events_are_those_that_the_socket_showed() -> None:
    async with talk() as here:
        client = await here.dial()
        await client.create(input="WORDS 30", stream_id="a")
        shown = await client.until(*TERMINAL)
        for event in shown:
            assert event.pop("stream_id") == "a"
        response_id = shown[-1]["response"]["id"]
        assert await here.fetch(response_id) == shown
        for after in (0, 5, len(shown) - 2, len(shown) - 1, len(shown) + 9):
            assert await here.fetch(response_id, after) == shown[after + 1 :]
        assert here.gateway.statistics().model_runs == 1


async def test_the_events_of_a_post_are_those_that_it_streamed() -> None:
    async with talk() as here:
        body = {"model": "m", "input": "WORDS 3", "stream": True}
        url = here.gateway.base_url + "/responses"
        async with here.session.post(url, json=body) as answer:
            shown = [event async for event in lines(answer)]
        assert await here.fetch(shown[0]["response"]["id"]) == shown


async def test_a_running_response_is_followed_live_and_by_many() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        run, response = await begin(here, puppet)
        url = f"{here.gateway.base_url}/responses/{response['id']}?stream=true"
        async with here.session.get(url) as early:
            events = lines(early)
            seen = [await anext(events), await anext(events)]
            run.say("one ")
            while seen[-1]["type"] != "response.output_text.delta":
                seen.append(await anext(events))
            late = asyncio.create_task(here.fetch(response["id"], seen[-1]["sequence_number"]))
            run.finish("two")
            seen += [event async for event in events]
        assert [event["sequence_number"] for event in seen] == list(range(len(seen)))
        assert text_of(seen[-1]["response"]) == "one two"
        assert seen[-len(await late) :] == await late
        assert await here.fetch(response["id"]) == seen
        assert here.gateway.statistics().model_runs == 1


async def test_a_reader_that_goes_away_takes_nothing_with_it() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        run, response = await begin(here, puppet)
        url = f"{here.gateway.base_url}/responses/{response['id']}?stream=true"
        async with here.session.get(url) as answer:
            await anext(lines(answer))
        run.finish("done")
        assert text_of((await here.fetch(response["id"]))[-1]["response"]) == "done"
        assert here.gateway.statistics().model_runs_stopped == 0


KEYS: list[dict[str, str]] = [
    {"Authorization": "Bearer other"},
    {"Authorization": "mine"},
    {"Authorization": "Bearer "},
    {},
]


@pytest.mark.parametrize("other", KEYS)
async def test_only_the_key_that_made_it_sees_it(other: dict[str, str]) -> None:
    mine = {"Authorization": "Bearer mine "} if other != KEYS[1] else {"Authorization": "Bearer x"}
    puppet = Puppet()
    async with talk(puppet) as here:
        client = await here.dial(headers=mine)
        await client.create(input="x")
        run = await puppet.run()
        response_id = (await client.event())["response"]["id"]
        place = f"/v1/responses/{response_id}"
        for _ in ("running", "ended"):
            assert (await here.get(place, **mine))[0] == 200
            assert await here.get(place, **other) == NOT_HERE
            assert await here.get(place + "?stream=true", **other) == NOT_HERE
            assert await here.delete(response_id, **other) == NOT_HERE
            run.finish()
            if (await client.until("response.in_progress", *TERMINAL))[-1]["type"] not in TERMINAL:
                await client.terminal()
            await client.create(input="next")
            run = await puppet.run()
            await client.event()
        assert (await here.delete(response_id, **mine))[0] == 200


async def test_a_key_in_the_subprotocol_is_the_same_as_one_in_the_header() -> None:
    async with talk() as here:
        client = await here.dial(protocols=["responses", "openai-insecure-api-key.mine"])
        response = await client.respond(input="x")
        place = f"/v1/responses/{response['id']}"
        assert await here.get(place, Authorization="bearer mine") == (200, response)
        assert await here.get(place, Authorization="Bearer other") == NOT_HERE


async def test_a_chain_is_not_continued_with_another_key() -> None:
    async with talk() as here:
        first = await (await here.dial(headers=KEYS[0])).respond(input="x")
        client = await here.dial()
        event = await client.refused(input="y", previous_response_id=first["id"])
        assert event["error"]["code"] == "previous_response_not_found"


async def test_a_deleted_response_is_not_continued_but_its_chain_lives() -> None:
    async with talk() as here:
        _, first = await here.post(input="x")
        _, second = await here.post(input="y", previous_response_id=first["id"])
        await here.delete(first["id"])
        status, body = await here.post(input="z", previous_response_id=first["id"])
        assert (status, body["error"]["code"]) == (400, "previous_response_not_found")
        _, third = await here.post(input="z", previous_response_id=second["id"])
        assert "The context holds 5 items." in text_of(third)


async def test_a_response_that_is_deleted_while_it_runs_ends_for_its_client_alone() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client = await here.dial()
        await client.create(input="x")
        run = await puppet.run()
        response_id = (await client.event())["response"]["id"]
        url = f"{here.gateway.base_url}/responses/{response_id}?stream=true"
        async with here.session.get(url) as answer:
            events = lines(answer)
            assert (await anext(events))["type"] == "response.created"
            assert (await here.delete(response_id))[0] == 200
            (*_, last) = [event async for event in events]
            assert (last["type"], last["code"]) == ("error", "events_not_kept")
        run.finish("done")
        assert text_of((await client.terminal())["response"]) == "done"
        assert await here.get(f"/v1/responses/{response_id}") == NOT_HERE


async def test_events_that_take_too_much_room_are_gone_and_the_response_stays() -> None:
    async with talk(log_bytes=20_000) as here:
        responses = [(await here.post(input="WORDS 20"))[1] for _ in range(4)]
        first, *_, last = responses
        place = f"/v1/responses/{first['id']}?stream=true&starting_after=0"
        status, body = await here.get(place)
        assert (status, body["error"]["code"], body["error"]["param"]) == (
            400,
            "events_not_kept",
            "stream",
        )
        for response in responses:
            assert await here.get(f"/v1/responses/{response['id']}") == (200, response)
        assert (await here.fetch(last["id"]))[-1]["response"] == last


async def test_a_reader_is_told_when_the_events_go_while_it_reads() -> None:
    puppet = Puppet()
    async with talk(puppet, log_bytes=10_000) as here:
        run, response = await begin(here, puppet)
        url = f"{here.gateway.base_url}/responses/{response['id']}?stream=true"
        async with here.session.get(url) as answer:
            events = lines(answer)
            await anext(events)
            run.say("x" * 20_000)
            (*_, last) = [event async for event in events]
            assert (last["type"], last["code"]) == ("error", "events_not_kept")
            assert "Fetch it without `stream`" in last["message"]
        assert await here.get(f"/v1/responses/{response['id']}") == (200, response)
        run.finish()


async def test_a_response_that_the_store_forgot_is_forgotten_altogether() -> None:
    async with talk(store_responses=1) as here:
        _, first = await here.post(input="x")
        await here.post(input="y")
        for query in ("", "?stream=true"):
            assert await here.get(f"/v1/responses/{first['id']}{query}") == NOT_HERE


async def test_where_nothing_is_stored_nothing_is_fetched() -> None:
    puppet = Puppet()
    async with talk(puppet, store_responses=0) as here:
        run, response = await begin(here, puppet)
        assert await here.get(f"/v1/responses/{response['id']}") == NOT_HERE
        run.finish()


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("stream=perhaps", "stream"),
        ("stream=true&starting_after=x", "starting_after"),
        ("stream=true&starting_after=1.5", "starting_after"),
        ("stream=true&starting_after=", "starting_after"),
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(query: str, param: str) -> None:
    async with talk() as here:
        _, response = await here.post(input="x")
        status, body = await here.get(f"/v1/responses/{response['id']}?{query}")
        assert (status, body["error"]["param"]) == (400, param)


@pytest.mark.parametrize("query", ["stream=false", "stream=0", "stream=False&starting_after=2"])
async def test_without_a_stream_the_answer_is_the_response(query: str) -> None:
    async with talk() as here:
        _, response = await here.post(input="x")
        assert await here.get(f"/v1/responses/{response['id']}?{query}") == (200, response)


async def test_web_pages_neither_fetch_nor_delete() -> None:
    async with talk() as here:
        _, response = await here.post(input="x")
        for method in ("GET", "DELETE"):
            status, _ = await here.request(
                method, f"/v1/responses/{response['id']}", Origin="https://example.com"
            )
            assert status == 403
        assert (await here.get(f"/v1/responses/{response['id']}"))[0] == 200


async def test_a_bug_while_fetching_is_answered(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(self: MemoryStore, response_id: str, owner: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(MemoryStore, "get", broken)
    async with talk() as here:
        status, body = await here.get("/v1/responses/resp_x")
        assert (status, body["error"]["type"]) == (500, "server_error")
    assert "a request failed" in caplog.text
