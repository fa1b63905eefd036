"""Several gateways over one store: any socket lands anywhere, and a store that is away is said."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from itertools import product
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from gateway.store.redis_server import RedisServer
from gateway.support import Json, Puppet, Talk, text_of
from turnwire.errors import ConfigError
from turnwire.gateway import Gateway, Settings
from turnwire.gateway.store.redis import RedisStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from gateway.store.support import Stores
    from turnwire.gateway.store import Store
    from turnwire.gateway.upstreams import Upstream

pytestmark = pytest.mark.io

REDIS = pytest.param("redis", marks=pytest.mark.servers)
shared = pytest.mark.parametrize("stores", ["sqlite", REDIS], indirect=True)


@asynccontextmanager
async def talk(store: Store, upstream: Upstream | None = None) -> AsyncIterator[Talk]:
    settings = Settings(port=0, drain_timeout=0.2)
    async with (
        Gateway(settings=settings, upstream=upstream, store=store) as gateway,
        aiohttp.ClientSession() as session,
    ):
        yield Talk(gateway, session)


async def over_websocket(gateway: Talk, **create: Any) -> Json:
    return await (await gateway.dial()).respond(**create)


async def over_post(gateway: Talk, **create: Any) -> Json:
    status, response = await gateway.post(**create)
    assert status == 200, response
    return response


WAYS = {"websocket": over_websocket, "post": over_post}


@shared
@pytest.mark.parametrize(("first", "then"), [*product(WAYS, WAYS)])
async def test_a_chain_goes_on_at_another_gateway(stores: Stores, first: str, then: str) -> None:
    async with talk(stores.make()) as one, talk(stores.make()) as other:
        items = 2
        response = await WAYS[first](one, input="hello")
        for gateway, way in [(other, then), (one, first), (one, then), (other, first)]:
            previous = response["id"]
            response = await WAYS[way](gateway, input="more", previous_response_id=previous)
            items += 1
            assert f"The context holds {items} items." in text_of(response)
            items += 1
        for gateway in (one, other):
            assert await gateway.get(f"/v1/responses/{response['id']}") == (200, response)


@shared
async def test_forks_at_two_gateways_share_their_past(stores: Stores) -> None:
    async with talk(stores.make()) as one, talk(stores.make()) as other:
        root = await over_post(one, input="hello")
        forks = await asyncio.gather(
            *(
                WAYS[way](gateway, input="more", previous_response_id=root["id"])
                for gateway, way in product((one, other), WAYS)
                for _ in range(3)
            )
        )
        assert len({fork["id"] for fork in forks}) == 12
        assert all("The context holds 3 items." in text_of(fork) for fork in forks)


@shared
async def test_what_was_deleted_at_one_gateway_is_gone_at_the_other(stores: Stores) -> None:
    async with talk(stores.make()) as one, talk(stores.make()) as other:
        response = await over_websocket(one, input="hello")
        assert (await other.delete(response["id"]))[0] == 200
        for gateway in (one, other):
            assert (await gateway.get(f"/v1/responses/{response['id']}"))[0] == 404
            event = await (await gateway.dial()).refused(
                input="x", previous_response_id=response["id"]
            )
            assert event["error"]["code"] == "previous_response_not_found"


@shared
async def test_another_key_finds_nothing_at_either_gateway(stores: Stores) -> None:
    mine, other_key = {"Authorization": "Bearer mine"}, {"Authorization": "Bearer other"}
    async with talk(stores.make()) as one, talk(stores.make()) as other:
        response = await (await one.dial(headers=mine)).respond(input="secret")
        place = f"/v1/responses/{response['id']}"
        for gateway in (one, other):
            assert (await gateway.get(place, **other_key))[0] == 404
            assert (await gateway.get(place + "?stream=true", **other_key))[0] == 404
            assert (await gateway.delete(response["id"], **other_key))[0] == 404
            client = await gateway.dial(headers=other_key)
            event = await client.refused(input="x", previous_response_id=response["id"])
            assert event["error"]["code"] == "previous_response_not_found"
        assert await other.get(place, **mine) == (200, response)


@shared
async def test_a_failed_response_is_seen_and_not_continued_elsewhere(stores: Stores) -> None:
    puppet = Puppet()
    async with talk(stores.make(), puppet) as one, talk(stores.make()) as other:
        client = await one.dial()
        await client.create(input="x")
        (await puppet.run()).cut()
        failed = (await client.terminal())["response"]
        assert await other.get(f"/v1/responses/{failed['id']}") == (200, failed)
        event = await (await other.dial()).refused(input="x", previous_response_id=failed["id"])
        assert event["error"]["code"] == "previous_response_not_found"


@shared
async def test_warm_ups_and_unstored_beginnings_go_along(stores: Stores) -> None:
    async with talk(stores.make()) as one, talk(stores.make()) as other:
        client = await one.dial()
        warm = await client.respond(input="system prompt", generate=False, store=False)
        first = await client.respond(input="hello", previous_response_id=warm["id"])
        second = await over_post(other, input="more", previous_response_id=first["id"])
        assert "The context holds 4 items." in text_of(second)
        assert (await other.get(f"/v1/responses/{warm['id']}"))[0] == 404


@shared
async def test_a_gateway_that_stopped_leaves_its_chains_to_the_next(stores: Stores) -> None:
    async with talk(stores.make()) as one:
        first = await over_websocket(one, input="hello")
    async with talk(stores.make()) as other:
        second = await over_websocket(other, input="more", previous_response_id=first["id"])
        assert "The context holds 3 items." in text_of(second)


@shared
async def test_events_that_another_gateway_showed_are_told_again_from_the_response(
    stores: Stores,
) -> None:
    async with talk(stores.make()) as one, talk(stores.make()) as other:
        response = await over_websocket(one, input="WORDS 20")
        shown = await one.fetch(response["id"])
        again = await other.fetch(response["id"])
        assert [event["sequence_number"] for event in again] == list(range(len(again)))
        assert again[-1]["response"] == shown[-1]["response"] == response
        assert len(again) < len(shown)
        place = f"/v1/responses/{response['id']}?stream=true&starting_after=3"
        status, body = await other.get(place)
        assert (status, body["error"]["code"]) == (400, "events_not_kept")


@shared
async def test_a_response_that_runs_elsewhere_is_not_here_yet(stores: Stores) -> None:
    puppet = Puppet()
    async with talk(stores.make(), puppet) as one, talk(stores.make()) as other:
        client = await one.dial()
        await client.create(input="x")
        run = await puppet.run()
        response_id = (await client.event())["response"]["id"]
        for query in ("", "?stream=true"):
            assert (await other.get(f"/v1/responses/{response_id}{query}"))[0] == 404
        run.finish("done")
        await client.terminal()
        assert (await other.get(f"/v1/responses/{response_id}"))[0] == 200


# When the store is away


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()


def redis_store(server: RedisServer, timeout: float = 5.0) -> RedisStore:
    return RedisStore(server.url, 2**20, 1000, timeout=timeout)


AWAY = {
    "type": "error",
    "status": 503,
    "error": {
        "type": "server_error",
        "code": "store_unavailable",
        "message": "The store of responses does not answer. Try again later.",
    },
}
NOT_KEPT = (
    "The model has answered, but the response could not be stored. Try again later, or with"
    " `store: false`."
)


@pytest.mark.servers
@pytest.mark.parametrize("how", ["stop", "pause"])
async def test_turns_are_told_that_the_store_is_away_and_go_on_when_it_is_back(
    server: RedisServer, how: str
) -> None:
    async with talk(redis_store(server, 0.2)) as here:
        client = await here.dial()
        first = await over_post(here, input="hello")
        stop, start = (
            (server.stop, server.start) if how == "stop" else (server.pause, server.resume)
        )
        stop()
        event = await client.refused(input="x", previous_response_id=first["id"])
        assert {name: event[name] for name in AWAY} == AWAY
        runs = here.gateway.statistics().model_runs
        assert (await client.refused(input="x"))["status"] == 503
        status, body = await here.post(input="x", previous_response_id=first["id"])
        assert (status, body["error"]["code"]) == (503, "store_unavailable")
        for query in ("", "?stream=true"):
            assert (await here.get(f"/v1/responses/{first['id']}{query}"))[0] == 503
        assert (await here.delete(first["id"]))[0] == 503
        assert here.gateway.statistics().model_runs == runs, "nothing was spent on it"
        unstored = await client.respond(input="x", store=False)
        assert unstored["status"] == "completed"
        start()
        await _until_it_answers(here)
        assert (await client.respond(input="again"))["status"] == "completed"


async def _until_it_answers(here: Talk) -> None:
    status = 503
    while status == 503:
        status, _ = await here.get("/v1/responses/resp_x")
    assert status == 404


@pytest.mark.servers
async def test_a_response_that_could_not_be_stored_is_not_called_complete(
    server: RedisServer,
) -> None:
    puppet = Puppet()
    async with talk(redis_store(server), puppet) as here:
        client = await here.dial()
        await client.create(input="x", stream_id="a")
        run = await puppet.run()
        server.stop()
        run.finish("said")
        events = await client.until("error", "response.completed")
        assert "response.output_text.done" in [event["type"] for event in events]
        last = events[-1]
        assert (last["type"], last["status"], last["stream_id"]) == ("error", 503, "a")
        assert last["error"] == AWAY["error"] | {"message": NOT_KEPT}


@pytest.mark.servers
async def test_a_model_run_that_failed_is_told_even_if_the_store_is_away(
    server: RedisServer,
) -> None:
    puppet = Puppet()
    async with talk(redis_store(server), puppet) as here:
        client = await here.dial()
        await client.create(input="x")
        run = await puppet.run()
        server.stop()
        run.say("word")
        run.cut()
        assert (await client.terminal())["type"] == "response.failed"


async def test_a_gateway_without_its_store_does_not_start(tmp_path: Path) -> None:
    store = RedisStore(f"unix://{tmp_path}/none.sock", 1, 1)
    with pytest.raises(ConfigError, match="cannot use Redis"):
        async with talk(store):
            pass
