"""A chain is compacted: the user's messages, and one item for the rest, which is read again."""

import asyncio
from typing import Any

import pytest

from gateway.support import (
    Endless,
    Json,
    Puppet,
    Talk,
    TurnsInMemory,
    calls_of,
    output_of,
    talk,
    user,
)
from turnwire.gateway.app import RESPONSES_PATHS
from turnwire.gateway.input.compaction import compacted_window, with_summaries
from turnwire.gateway.refusal import RequestRefused
from turnwire.gateway.upstreams import UpstreamFailed

pytestmark = pytest.mark.io

TALK = [
    user("The code word is slate."),
    {"type": "message", "role": "assistant", "content": "OK."},
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "And now?"}]},
]


async def compact(here: Talk, **body: Any) -> tuple[int, Json]:
    return await here.post("/v1/responses/compact", **body)


async def compacted(here: Talk, puppet: Puppet, summary: str, **body: Any) -> Json:
    """Compact with a model that writes this summary."""
    asked = asyncio.create_task(compact(here, **body))
    (await puppet.run()).finish(summary)
    status, compaction = await asked
    assert status == 200, compaction
    return compaction


@pytest.mark.parametrize("path", RESPONSES_PATHS)
async def test_the_window_is_the_users_messages_and_one_compaction(path: str) -> None:
    async with talk() as here:
        status, compaction = await here.post(path + "/compact", input=TALK)
        assert status == 200
        *messages, item = compaction["output"]
        texts = [message["content"][0]["text"] for message in messages]
        assert texts == ["The code word is slate.", "And now?"]
        for message in messages:
            assert (message["type"], message["role"], message["status"]) == (
                "message",
                "user",
                "completed",
            )
            assert message["id"]
        assert item.keys() == {"id", "type", "encrypted_content"}
        assert item["type"] == "compaction"
        assert compaction.keys() == {"id", "object", "created_at", "output", "usage"}
        assert compaction["object"] == "response.compaction"
        assert compaction["usage"]["total_tokens"] > 0


async def test_the_model_sees_everything_and_is_asked_for_a_summary() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        asked = asyncio.create_task(compact(here, input=TALK, instructions="Be brief."))
        run = await puppet.run()
        run.finish("All is well.")
        await asked
        assert list(run.prompt.items[:-1]) == TALK
        assert run.prompt.items[-1]["role"] == "user"
        assert "summary" in run.prompt.items[-1]["content"]
        assert run.prompt.parameters.instructions == "Be brief."


async def test_a_window_begins_a_new_chain_whose_model_reads_the_summary() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        compaction = await compacted(here, puppet, "It is slate.", input=TALK)
        client = await here.dial()
        await client.create(input=[*compaction["output"], user("Go on.")], store=False)
        run = await puppet.run()
        run.finish("Yes.")
        response = (await client.terminal())["response"]
        first, second, summary, last = run.prompt.items
        assert [first["role"], second["role"], last["content"]] == ["user", "user", "Go on."]
        assert summary["role"] == "user"
        assert summary["content"][0]["text"].endswith("It is slate.")
        await client.create(input="More.", store=False, previous_response_id=response["id"])
        run = await puppet.run()
        run.finish("Good.")
        assert (await client.terminal())["response"]["status"] == "completed"


async def test_a_window_is_compacted_again_without_its_old_summary() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        once = await compacted(here, puppet, "first", input=TALK)
        twice = await compacted(here, puppet, "second", input=[*once["output"], user("More.")])
        kinds = [item["type"] for item in twice["output"]]
        assert kinds == ["message", "message", "message", "compaction"]
        assert twice["output"][:2] == once["output"][:2]


async def test_a_stored_chain_is_compacted() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        client = await here.dial()
        await client.create(input="One.")
        (await puppet.run()).finish("I see.")
        first = (await client.terminal())["response"]
        compaction = await compacted(
            here, puppet, "all", previous_response_id=first["id"], input="Two."
        )
        texts = [item["content"][0]["text"] for item in compaction["output"][:-1]]
        assert texts == ["One.", "Two."]
        again = await compacted(here, puppet, "all", previous_response_id=first["id"])
        assert len(again["output"]) == 2


async def test_nothing_of_a_compaction_is_stored_or_continued() -> None:
    async with talk() as here:
        _, compaction = await compact(here, input=TALK)
        assert (await here.get(f"/v1/responses/{compaction['id']}"))[0] == 404
        status, body = await here.post(input="x", previous_response_id=compaction["id"])
        assert (status, body["error"]["code"]) == (400, "previous_response_not_found")


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"model": None, "input": "x"}, "missing_required_parameter", "model"),
        ({"input": None}, "missing_required_parameter", "input"),
        ({"input": 5}, "invalid_type", "input"),
        ({"input": [{"role": 5}]}, "invalid_type", "input[0].role"),
        (
            {"input": "x", "previous_response_id": "resp_unknown"},
            "previous_response_not_found",
            "previous_response_id",
        ),
    ],
)
async def test_what_cannot_be_compacted_is_refused(body: Json, code: str, param: str) -> None:
    async with talk() as here:
        status, answer = await compact(here, **body)
        error = answer["error"]
        assert (status, error["code"], error["param"]) == (400, code, param)
        assert here.gateway.statistics().model_runs == 0


async def test_a_chain_that_waits_for_an_output_is_not_compacted() -> None:
    async with talk() as here:
        _, first = await here.post(input="CALL f {}")
        status, body = await compact(here, previous_response_id=first["id"])
        assert (status, body["error"]["param"]) == (400, "input")
        (call,) = calls_of(first)
        status, _ = await compact(
            here, previous_response_id=first["id"], input=[output_of(call, "42")]
        )
        assert status == 200


@pytest.mark.parametrize("summary", ["", None])
async def test_without_a_summary_there_is_no_window(summary: str | None) -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        asked = asyncio.create_task(compact(here, input=TALK))
        run = await puppet.run()
        if summary is None:
            run.say("half")
            run.cut()
        else:
            run.finish(summary)
        status, body = await asked
        assert (status, body["error"]["code"]) == (502, "compaction_failed")


async def test_an_upstream_that_fails_says_so() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        asked = asyncio.create_task(compact(here, input=TALK))
        (await puppet.run()).fail(UpstreamFailed("Busy.", status=503, code="server_is_overloaded"))
        status, body = await asked
        assert (status, body["error"]["code"]) == (503, "server_is_overloaded")


async def test_a_client_that_goes_away_stops_the_summary() -> None:
    endless = Endless()
    async with talk(endless) as here:
        asked = asyncio.create_task(compact(here, input=TALK))
        while not endless.said_bytes:  # noqa: ASYNC110  # no event tells it
            await asyncio.sleep(0)
        asked.cancel()
        await endless.stopped.wait()


@pytest.mark.parametrize(
    "content", ["gAAAA", "turnwire-summary-1.%%%", "turnwire-summary-1./w==", 5]
)
async def test_a_compaction_of_somebody_elses_is_refused(content: object) -> None:
    item = {"type": "compaction", "encrypted_content": content}
    event = await TurnsInMemory().refusal(input=[user("x"), item])
    error = event["error"]
    assert (error["code"], error["param"]) == (
        "invalid_encrypted_content",
        "input[1].encrypted_content",
    )


def test_an_upstream_that_compacts_gets_its_own_compactions_back() -> None:
    theirs = {"type": "compaction", "encrypted_content": "gAAAA"}
    (*_, ours) = compacted_window([], "sum", lambda prefix: f"{prefix}_1")
    kept, read = with_summaries([theirs, ours], foreign=True)
    assert kept == theirs
    assert read["type"] == "message"
    with pytest.raises(RequestRefused):
        with_summaries([theirs], foreign=False)
