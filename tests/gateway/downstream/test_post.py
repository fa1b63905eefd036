"""A create over HTTP, streamed or not, and the pages beside it."""

import asyncio
import gzip
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import msgspec
import pytest

from gateway.support import (
    TERMINAL,
    Endless,
    Json,
    Puppet,
    Talk,
    calls_of,
    events_in,
    output_of,
    talk,
    text_of,
)
from turnwire.gateway.app import RESPONSES_PATHS, WORK
from turnwire.gateway.context import Prompt
from turnwire.gateway.downstream import holding
from turnwire.gateway.upstreams import UpstreamFailed
from turnwire.gateway.upstreams.deltas import Delta, Finished

pytestmark = pytest.mark.io


async def streamed(here: Talk, **body: Any) -> list[tuple[str, Json]]:
    """Return the names and the events of a stream."""
    async with here.session.post(
        here.gateway.base_url + "/responses", json={"model": "m", "stream": True, **body}
    ) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        return [(event["type"], event) for event in events_in(await answer.text())]


@pytest.mark.parametrize("path", RESPONSES_PATHS)
async def test_r1_every_path_takes_a_post(path: str) -> None:
    async with talk() as here:
        status, response = await here.post(path + "?model=other", input="Hello")
        assert (status, response["model"], response["status"]) == (200, "m", "completed")


async def test_r23_a_stream_of_events() -> None:
    async with talk() as here:
        events = await streamed(here, input="Hello")
        assert [event["sequence_number"] for _, event in events] == list(range(len(events)))
        assert (events[0][0], events[-1][0]) == ("response.created", "response.completed")
        assert not any("stream_id" in event for _, event in events)


async def test_r23_a_stream_and_a_document_say_the_same() -> None:
    async with talk() as here:
        events = await streamed(here, input="Hello")
        _, document = await here.post(input="Hello")
        streamed_text = "".join(
            event["delta"] for name, event in events if name == "response.output_text.delta"
        )
        assert streamed_text == text_of(document) == text_of(events[-1][1]["response"])


async def test_r23_a_chain_over_http_in_both_ways() -> None:
    async with talk() as here:
        _, first = await here.post(input="CALL f {}")
        (call,) = calls_of(first)
        events = await streamed(
            here, input=[output_of(call, "42")], previous_response_id=first["id"]
        )
        second = events[-1][1]["response"]
        assert text_of(second) == "FINAL after tool: \n42"
        _, third = await here.post(input="thanks", previous_response_id=second["id"])
        assert "The context holds 5 items." in text_of(third)


async def test_r11_a_chain_from_post_to_a_socket() -> None:
    async with talk() as here:
        _, first = await here.post(input="x")
        client = await here.dial()
        second = await client.respond(input="y", previous_response_id=first["id"])
        assert "The context holds 3 items." in text_of(second)


async def test_r11_without_a_store_nothing_is_kept() -> None:
    async with talk() as here:
        _, first = await here.post(input="x", store=False)
        status, body = await here.post(input="y", previous_response_id=first["id"])
        assert (status, body["error"]["code"]) == (400, "previous_response_not_found")


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_r23_a_compressed_body(encoding: str) -> None:
    async with (
        talk() as here,
        here.session.post(
            here.gateway.base_url + "/responses",
            json={"model": "m", "input": "WORDS 3"},
            compress=encoding,
        ) as answer,
    ):
        assert (answer.status, text_of(await answer.json())) == (200, "one lane carries")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": None, "input": "x"}, "model"),
        ({}, "input"),
        ({"input": 5}, "input"),
        ({"input": "x", "tools": [{}]}, "tools[0].type"),
        ({"input": "x", "generate": False}, "generate"),
        ({"input": "x", "background": True}, "background"),
        ({"input": "x", "previous_response_id": "resp_unknown"}, "previous_response_id"),
    ],
)
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "document"])
async def test_a_refusal_has_the_status_and_the_body_of_the_api(
    body: Json, param: str, *, stream: bool
) -> None:
    async with talk() as here:
        status, answer = await here.post(**{**body, "stream": stream})
        error = answer["error"]
        assert (400, {"message", "type", "param", "code"}) == (status, error.keys())
        assert ("invalid_request_error", param) == (error["type"], error["param"])


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"5", b"\xff", b"[" * 100_000])
async def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    async with talk() as here:
        url = here.gateway.base_url + "/responses"
        async with here.session.post(url, data=body) as answer:
            error = (await answer.json())["error"]
            assert (answer.status, error["type"]) == (400, "invalid_request_error")


async def test_an_oversize_body_is_refused() -> None:
    async with talk(max_message_bytes=1000) as here:
        status, answer = await here.post(input="x" * 2000)
        assert (status, answer["error"]["message"]) == (413, "The request body is too large.")


async def test_an_oversize_body_cannot_hide_in_compression() -> None:
    async with talk(max_message_bytes=1000) as here:
        body = gzip.compress(msgspec.json.encode({"model": "m", "input": "x" * 1_000_000}))
        async with here.session.post(
            here.gateway.base_url + "/responses", data=body, headers={"Content-Encoding": "gzip"}
        ) as answer:
            assert answer.status == 413


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "document"])
async def test_an_http_client_that_goes_away_stops_its_model_run(*, stream: bool) -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        request = asyncio.create_task(here.post(input="x", stream=stream))
        run = await puppet.run()
        run.say("word")
        request.cancel()
        await run.stopped.wait()
        assert here.gateway.statistics().model_runs_stopped == 1


class SlowToStop:
    """A model that needs a moment to stop."""

    models = ("slow",)

    def __init__(self) -> None:
        self.started, self.stopping, self.may_stop = (asyncio.Event() for _ in range(3))

    async def generate(self, prompt: Prompt) -> AsyncGenerator[Delta]:
        try:
            self.started.set()
            await asyncio.Event().wait()
            yield Finished()
        finally:
            self.stopping.set()
            await self.may_stop.wait()


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "document"])
async def test_a_request_lasts_as_long_as_its_model_run(*, stream: bool) -> None:
    model = SlowToStop()
    async with talk(model, drain_timeout=30) as here:
        request = asyncio.create_task(here.post(input="x", stream=stream))
        await model.started.wait()
        request.cancel()
        await model.stopping.wait()
        stopping = asyncio.create_task(here.gateway.__aexit__(None, None, None))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not stopping.done(), "it waits for the turn, whose client is gone"
        model.may_stop.set()
        await stopping


async def test_a_stream_that_nobody_reads_pauses_the_model_and_is_dropped() -> None:
    endless = Endless()
    async with talk(endless, stall_timeout=0.1) as here:
        body = {"model": "m", "input": "x", "stream": True}
        async with here.session.post(here.gateway.base_url + "/responses", json=body):
            await endless.stopped.wait()
        assert endless.said_bytes < 50_000_000, "ahead of its reader by the system's buffers alone"
        assert here.gateway.statistics().model_runs_stopped == 1


async def test_a_body_that_is_not_in_its_encoding_is_refused(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with talk() as here:
        async with here.session.post(
            here.gateway.base_url + "/responses",
            data=b"not compressed",
            headers={"Content-Encoding": "gzip"},
        ) as answer:
            error = (await answer.json())["error"]
        assert (answer.status, error["type"]) == (400, "invalid_request_error")
        status, _ = await here.post(input="x")
        assert status == 200
    assert caplog.text == ""


async def test_a_bug_in_a_turn_is_answered(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("turnwire.gateway.turns.read_parameters", broken)
    async with talk() as here:
        for stream in (True, False):
            status, answer = await here.post(input="x", stream=stream)
            assert (status, answer["error"]["type"]) == (500, "server_error")
    assert caplog.text.count("a turn failed") == 2


BUSY = UpstreamFailed(
    "Busy.", status=503, code="server_is_overloaded", headers={"retry-after": "7"}
)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "document"])
async def test_r20_a_refusal_of_the_upstream_has_its_status(*, stream: bool) -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        url, body = here.gateway.base_url + "/responses", {"model": "m", "input": "x"}
        request = asyncio.create_task(here.session.post(url, json={**body, "stream": stream}))
        (await puppet.run()).fail(BUSY)
        async with await request as answer:
            assert (answer.status, answer.content_type, answer.headers["retry-after"]) == (
                503,
                "application/json",
                "7",
            )
            assert (await answer.json())["error"]["code"] == "server_is_overloaded"
        assert here.gateway.statistics().turns == 1


async def test_r20_an_error_after_the_first_output_has_the_shape_of_streams() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        request = asyncio.create_task(streamed(here, input="x"))
        run = await puppet.run()
        run.say("word")
        run.fail(BUSY)
        events = await request
        kinds = [name for name, _ in events]
        assert kinds[:3] == [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
        ]
        assert [name for name in kinds if name in TERMINAL] == [kinds[-1]]


async def test_r20_an_error_after_a_long_silence_has_the_shape_of_streams(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(holding, "PATIENCE", 0.0)
    puppet = Puppet()
    async with talk(puppet) as here:
        body = {"model": "m", "input": "x", "stream": True}
        async with here.session.post(here.gateway.base_url + "/responses", json=body) as answer:
            begun = [await answer.content.readuntil(b"\n\n") for _ in range(2)]
            (await puppet.run()).fail(BUSY)
            events = events_in((b"".join(begun) + await answer.read()).decode())
        assert answer.status == 200
        assert [event["type"] for event in events[:2]] == [
            "response.created",
            "response.in_progress",
        ]
        assert events[2:] == [
            {
                "type": "error",
                "code": "server_is_overloaded",
                "message": "Busy.",
                "param": None,
                "sequence_number": 2,
            }
        ]


async def test_nothing_is_sent_before_the_model_says_something() -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        request = asyncio.create_task(streamed(here, input="x"))
        run = await puppet.run()
        assert here.gateway.statistics().bytes_out == 0
        here.gateway._app[WORK].stop()  # what is held back is finished, too
        run.finish("done")
        events = await request
        assert [event["sequence_number"] for _, event in events] == list(range(len(events)))
        assert (events[0][0], text_of(events[-1][1]["response"])) == ("response.created", "done")


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "document"])
async def test_a_failed_response_is_not_a_success(*, stream: bool) -> None:
    puppet = Puppet()
    async with talk(puppet) as here:
        request = asyncio.create_task(
            streamed(here, input="x") if stream else here.post(input="x")  # type: ignore[arg-type]
        )
        run = await puppet.run()
        run.say("word")
        run.cut()
        result: Any = await request
        if stream:
            assert result[-1][0] == "response.failed"
        else:
            assert (result[0], result[1]["error"]["code"]) == (500, "server_error")


async def test_r4_models_are_listed() -> None:
    async with talk() as here:
        for path in ("/v1/models", "/models"):
            status, body = await here.get(path)
            assert (status, [model["id"] for model in body["data"]]) == (200, ["turnwire-demo"])


async def test_health() -> None:
    async with talk() as here:
        assert await here.get("/healthz") == (200, {"status": "ok"})


async def test_a_get_without_an_upgrade_says_what_to_do() -> None:
    async with talk() as here:
        status, body = await here.get("/v1/responses")
        assert (status, body["error"]["code"]) == (426, "upgrade_required")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1", 404), ("POST", "/v1/nothing", 404), ("PUT", "/v1/responses", 405)],
)
async def test_what_is_not_there_is_refused_in_json(method: str, path: str, status: int) -> None:
    async with (
        talk() as here,
        here.session.request(method, here.gateway.url + path) as answer,
    ):
        body = await answer.json()
        assert (status, "invalid_request_error") == (answer.status, body["error"]["type"])


async def test_a_broken_handshake_is_refused_in_json() -> None:
    async with talk() as here:
        status, body = await here.get("/v1/responses", Upgrade="websocket", Connection="Upgrade")
        assert (status, body["error"]["type"]) == (400, "invalid_request_error")


FOREIGN = [{"Origin": "https://example.com"}, {"Host": "example.com"}]


@pytest.mark.parametrize("headers", FOREIGN)
async def test_web_pages_are_refused_everywhere(headers: dict[str, str]) -> None:
    async with talk() as here:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await here.dial(headers=headers)
        assert caught.value.status == 403
        for path in ("/v1/models", "/healthz", "/v1/responses", "/nothing"):
            status, body = await here.get(path, **headers)
            assert (status, body["error"]["code"]) == (403, "access_denied")
        url = here.gateway.base_url + "/responses"
        async with here.session.post(
            url, data=b'{"model":"m","input":"x"}', headers=headers
        ) as answer:
            assert answer.status == 403
        async with here.session.options(url, headers=headers) as answer:
            assert answer.status == 403
        assert here.gateway.statistics().turns == 0


async def test_web_pages_can_be_allowed() -> None:
    allowed = {"allowed_origins": ("https://example.com",), "allowed_hosts": ("example.com",)}
    async with talk(**allowed) as here:
        client = await here.dial(headers={**FOREIGN[0], **FOREIGN[1]})
        assert (await client.respond(input="x"))["status"] == "completed"


async def test_two_hosts_are_refused() -> None:
    async with talk() as here:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.gateway.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n")
        status_line = await reader.readline()
        assert status_line.split()[1] in {b"400", b"403"}
        writer.close()
        await writer.wait_closed()


async def test_bytes_are_counted() -> None:
    async with talk() as here:
        await here.post(input="x")
        before = here.gateway.statistics()
        client = await here.dial()
        await client.respond(input="x")
        after = here.gateway.statistics()
        assert 0 < before.bytes_in < after.bytes_in
        assert 0 < before.bytes_out < after.bytes_out


async def test_a_gateway_that_stops_finishes_its_posts_and_takes_no_new_ones() -> None:
    puppet = Puppet()
    async with talk(puppet, drain_timeout=30) as here:
        running = asyncio.create_task(here.post(input="x"))
        run = await puppet.run()
        here.gateway._app[WORK].stop()
        status, answer = await here.post(input="y")
        assert (status, answer["error"]["type"]) == (503, "server_error")
        with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
            await here.dial()
        run.finish("done")
        assert text_of((await running)[1]) == "done"
