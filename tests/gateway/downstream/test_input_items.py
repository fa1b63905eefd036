"""What the model was given for a response, fetched in pages."""

from typing import Any

import pytest

from gateway.support import Json, Puppet, Talk, calls_of, output_of, talk, user
from turnwire.gateway.app import RESPONSES_PATHS
from turnwire.gateway.downstream.input_items import Page, listed, listing

pytestmark = pytest.mark.io


async def items_of(here: Talk, response_id: str, query: str = "") -> tuple[int, Json]:
    return await here.get(f"/v1/responses/{response_id}/input_items{query}")


def said(page: Json) -> list[Any]:
    return [item.get("content", [{}])[0].get("text", item["type"]) for item in page["data"]]


@pytest.mark.parametrize("path", RESPONSES_PATHS)
async def test_input_items_are_listed_on_every_path(path: str) -> None:
    async with talk() as here:
        _, response = await here.post(input=[user("one"), {"role": "developer", "content": "two"}])
        status, page = await here.get(f"{path}/{response['id']}/input_items")
        (two, one) = page["data"]
        assert (status, page) == (
            200,
            {
                "object": "list",
                "data": [
                    {
                        "id": two["id"],
                        "type": "message",
                        "status": "completed",
                        "role": "developer",
                        "content": [{"type": "input_text", "text": "two"}],
                    },
                    {
                        "id": one["id"],
                        "type": "message",
                        "status": "completed",
                        "role": "user",
                        "content": [{"type": "input_text", "text": "one"}],
                    },
                ],
                "first_id": two["id"],
                "last_id": one["id"],
                "has_more": False,
            },
        )


async def test_the_items_of_a_chain_are_those_of_all_its_turns() -> None:
    async with talk() as here:
        _, first = await here.post(input="CALL f {}")
        (call,) = calls_of(first)
        _, second = await here.post(
            input=[output_of(call, "42"), user("And?")], previous_response_id=first["id"]
        )
        _, page = await items_of(here, second["id"], "?order=asc")
        assert said(page) == ["CALL f {}", "function_call", "function_call_output", "And?"]
        assert page["data"][1] == call
        _, before = await items_of(here, first["id"], "?order=asc")
        assert before["data"] == page["data"][:1], "ids stay the same from turn to turn"


async def test_pages_follow_each_other_both_ways() -> None:
    async with talk() as here:
        texts = [f"item {number}" for number in range(5)]
        _, response = await here.post(input=[user(text) for text in texts])
        for order, wanted in (("asc", texts), ("desc", texts[::-1])):
            found: list[str] = []
            query = f"?limit=2&order={order}"
            more = ""
            while True:
                _, page = await items_of(here, response["id"], query + more)
                found += said(page)
                more = f"&after={page['last_id']}"
                if not page["has_more"]:
                    break
            assert found == wanted
        _, page = await items_of(here, response["id"], f"?order=asc{more}&limit=100")
        assert page["data"] == [] if order == "asc" else page["data"]


async def test_what_was_sent_is_listed_while_the_turn_runs() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client = await here.dial()
        await client.create(input="Hello")
        run = await puppet.run()
        response_id = (await client.event())["response"]["id"]
        _, running = await items_of(here, response_id)
        assert said(running) == ["Hello"]
        place = f"/v1/responses/{response_id}/input_items"
        assert (await here.get(place, Authorization="Bearer other"))[0] == 404
        run.finish("done")
        await client.terminal()
        assert await items_of(here, response_id) == (200, running)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("?limit=0", "limit"),
        ("?limit=101", "limit"),
        ("?limit=x", "limit"),
        ("?order=up", "order"),
        ("?after=msg_unknown", "after"),
    ],
)
async def test_a_page_that_cannot_be_found_is_refused(query: str, param: str) -> None:
    async with talk() as here:
        _, response = await here.post(input="x")
        status, body = await items_of(here, response["id"], query)
        error = body["error"]
        assert (status, error["code"], error["param"]) == (400, "invalid_value", param)


async def test_include_and_unknown_parameters_are_taken() -> None:
    async with talk() as here:
        _, response = await here.post(input="x")
        query = "?include[]=message.input_image.image_url&before=msg_1"
        assert (await items_of(here, response["id"], query))[0] == 200


async def test_what_is_not_stored_or_not_yours_has_no_items() -> None:
    async with talk() as here:
        _, unstored = await here.post(input="x", store=False)
        _, stored = await here.post(input="x")
        place = f"/v1/responses/{stored['id']}/input_items"
        answers = [
            await items_of(here, unstored["id"]),
            await items_of(here, "resp_unknown"),
            await here.get(place, Authorization="Bearer other"),
        ]
        assert [status for status, _ in answers] == [404, 404, 404]


async def test_the_input_of_a_response_that_failed_is_not_kept() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client = await here.dial()
        await client.create(input="x")
        run = await puppet.run()
        response_id = (await client.event())["response"]["id"]
        run.say("half")
        run.cut()
        await client.terminal()
        status, body = await items_of(here, response_id)
        assert (status, body["error"]["code"]) == (400, "input_items_not_kept")


def test_a_listed_item_has_an_id_of_its_own_that_does_not_change() -> None:
    item = {"type": "function_call_output", "call_id": "c", "output": "x"}
    first, second = listed(item, "resp_1:0"), listed(item, "resp_1:1")
    assert first == listed(item, "resp_1:0") != second
    assert first["id"].startswith("fco_")
    assert first["status"] == "completed"
    mine = item | {"id": "fco_mine", "status": "incomplete"}
    assert listed(mine, "resp_1:0") == mine


def test_what_the_assistant_said_is_listed_as_output() -> None:
    item = {"type": "message", "role": "assistant", "content": "Hi"}
    part = {"type": "output_text", "text": "Hi", "annotations": []}
    assert listed(item, "p")["content"] == [part]


def test_an_empty_list_has_no_first_item() -> None:
    assert listing([], Page()) == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }
