"""The chat upstream on real sockets: failures, silence, and clients that vanish."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from gateway.support import talk, until
from gateway.upstreams.chat.support import DONE, ChatServer, Json, chat_server, prompt_of, said
from turnwire.errors import ConfigError
from turnwire.gateway.upstreams import UpstreamFailed, http
from turnwire.gateway.upstreams.chat import ChatOptions, ChatUpstream
from turnwire.gateway.upstreams.deltas import Finished, TextDelta, UsageReport
from turnwire.gateway.upstreams.timing import Timeouts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from turnwire.gateway.upstreams.deltas import Delta

pytestmark = pytest.mark.io

HELLO: list[Json | bytes] = [said(content="Hel"), said(content="lo"), said("stop"), DONE]
HEARD = [TextDelta("Hel"), TextDelta("lo"), Finished()]


@asynccontextmanager
async def upstream(server: ChatServer, **options: Any) -> AsyncIterator[ChatUpstream]:
    chat = ChatUpstream(server.url, **options)
    try:
        yield chat
    finally:
        await chat.aclose()


async def heard(chat: ChatUpstream, **create: Any) -> list[Delta]:
    return [delta async for delta in chat.generate(prompt_of(**{"input": "hi", **create}))]


async def let_others_run(times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


async def failure(chat: ChatUpstream) -> UpstreamFailed:
    with pytest.raises(UpstreamFailed) as caught:
        await heard(chat)
    return caught.value


async def test_a_turn() -> None:
    async with chat_server() as server, upstream(server, api_key="k") as chat:
        server.says(*HELLO)
        assert await heard(chat) == HEARD
    (body,) = server.asked
    assert body["messages"] == [{"role": "user", "content": "hi"}]
    assert server.headers[0]["Authorization"] == "Bearer k"


async def test_the_connection_is_used_again() -> None:
    async with chat_server() as server, upstream(server) as chat:
        server.says(*HELLO)
        for _ in range(3):
            await heard(chat)
        assert (len(server.asked), len(server.connections)) == (3, 1)


async def test_a_server_that_says_done_need_not_close() -> None:
    never = asyncio.Event()
    async with chat_server() as server, upstream(server) as chat:
        server.says(*HELLO, wait=never)
        assert await heard(chat) == HEARD


async def test_the_end_of_a_stream_may_come_after_it_was_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "_TAIL_SECONDS", 5)
    heard_all = asyncio.Event()
    async with chat_server() as server, upstream(server) as chat:
        server.says(*HELLO, wait=heard_all)
        for _ in range(2):
            async for delta in chat.generate(prompt_of(input="hi")):
                if delta == Finished():
                    heard_all.set()
        assert (len(server.asked), len(server.connections)) == (2, 1)


async def test_without_a_key_no_header_is_sent() -> None:
    async with chat_server() as server, upstream(server) as chat:
        server.says(*HELLO)
        await heard(chat)
    assert "Authorization" not in server.headers[0]


async def test_the_clients_key_is_sent_if_that_is_wanted() -> None:
    async with (
        chat_server() as server,
        upstream(server, api_key="ours", credentials="client") as chat,
    ):
        server.says(*HELLO)
        prompt = prompt_of(input="hi")
        object.__setattr__(prompt, "credential", "theirs")
        assert [delta async for delta in chat.generate(prompt)] == HEARD
    assert server.headers[0]["Authorization"] == "Bearer theirs"


async def test_a_server_that_does_not_stream_is_understood() -> None:
    choice = {"message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 2, "completion_tokens": 1}
    async with chat_server() as server, upstream(server) as chat:
        server.refuses(200, {"choices": [choice], "usage": usage})
        assert await heard(chat) == [TextDelta("Hello"), UsageReport(2, 0, 0, 1), Finished()]


# Failures


@pytest.mark.parametrize(
    ("status", "body", "code", "message"),
    [
        (429, {"error": {"message": "Slow down.", "code": "rate_limit_exceeded"}},
         "rate_limit_exceeded", "Slow down."),
        (400, {"error": {"message": "Bad.", "type": "invalid_request_error", "param": None}},
         "invalid_request_error", "Bad."),
        (404, {"error": "model not found"}, None, "model not found"),
        (404, {"detail": "Not Found"}, None,
         "The model server does not know this path; its URL may be wrong. Not Found"),
        (400, {"object": "error", "message": "Too long.", "code": 400}, None, "Too long."),
        (422, {"detail": [{"msg": "no"}]}, None, '[{"msg":"no"}]'),
        (503, "<html><body>Bad\n gateway</body></html>", None, "Bad gateway"),
        (500, "", None, "The model server answered 500."),
        (500, "[1]", None, "The model server answered 500."),
        (302, "", None,
         ("The model server answered with a redirect. Its URL in the gateway's configuration is to"
          " be the one that it leads to.")),
    ],
)  # fmt: skip
async def test_r20_an_http_error_keeps_its_status(
    status: int, body: Any, code: str | None, message: str
) -> None:
    async with chat_server() as server, upstream(server) as chat:
        server.refuses(status, body, retry_after="7")
        found = await failure(chat)
    assert (found.status, found.code, str(found)) == (
        status if status >= 400 else 502,
        code,
        message,
    )
    assert found.headers == ({"retry-after": "7"} if status >= 400 else {})


@pytest.mark.parametrize("status", [401, 403])
async def test_what_is_wrong_with_our_key_is_not_the_clients_business(status: int) -> None:
    async with chat_server() as server, upstream(server, api_key="k-123") as chat:
        server.refuses(status, {"error": {"message": "Bad key k-123."}})
        found = await failure(chat)
    assert (found.status, found.code) == (status, "invalid_api_key")
    assert "k-123" not in str(found)


async def test_a_key_is_never_repeated() -> None:
    async with chat_server() as server, upstream(server, api_key="k-123") as chat:
        server.refuses(400, {"error": {"message": "No k-123 here."}})
        assert str(await failure(chat)) == "No [key] here."


async def test_an_error_in_the_stream_is_a_failure() -> None:
    async with chat_server() as server, upstream(server) as chat:
        server.says({"error": {"message": "Overloaded.", "code": 503}})
        found = await failure(chat)
    assert (found.status, str(found)) == (503, "Overloaded.")


async def test_a_server_that_is_not_there() -> None:
    async with chat_server() as server:
        url = server.url
    chat = ChatUpstream(url)
    found = await failure(chat)
    await chat.aclose()
    assert (found.status, found.code) == (502, "upstream_unreachable")
    assert url not in str(found)


async def test_a_stream_that_is_cut_has_no_end() -> None:
    async with chat_server() as server, upstream(server) as chat:
        server.is_cut_after(said(content="Hel"))
        assert await heard(chat) == [TextDelta("Hel")]


async def test_a_stream_that_ends_too_early_has_no_end() -> None:
    async with chat_server() as server, upstream(server) as chat:
        server.says(said(content="Hel"))
        assert await heard(chat) == [TextDelta("Hel")]


@pytest.mark.parametrize("cut", [True, False])
async def test_a_stream_that_is_cut_before_it_says_anything_has_failed(
    cut: bool,  # noqa: FBT001
) -> None:
    async with chat_server() as server, upstream(server) as chat:
        if cut:
            server.is_cut_after(said(role="assistant"))
        else:
            server.says(said(role="assistant"))
        found = await failure(chat)
    assert (found.status, found.code) == (502, "upstream_cut")


async def test_a_server_that_answers_nothing_is_late() -> None:
    never = asyncio.Event()

    async def silence(request: web.Request) -> web.StreamResponse:
        await never.wait()
        raise AssertionError("it never answers")

    timeouts = Timeouts(first_output=0.02)
    async with chat_server() as server, upstream(server, timeouts=timeouts) as chat:
        server.answers.append(silence)
        found = await failure(chat)
    assert (found.status, found.code) == (504, "upstream_timeout")


@pytest.mark.parametrize(
    ("timeouts", "pieces"),
    [
        (Timeouts(first_output=0.02, idle=60), []),
        (Timeouts(first_output=60, idle=0.02), [said(content="Hel")]),
    ],
)
async def test_a_server_that_falls_silent_is_late(timeouts: Timeouts, pieces: list[Json]) -> None:
    never = asyncio.Event()
    async with chat_server() as server, upstream(server, timeouts=timeouts) as chat:
        server.says(*pieces, wait=never)
        found = await failure(chat)
    assert (found.status, found.code) == (504, "upstream_timeout")


async def test_a_text_over_the_limit_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    from turnwire.gateway.upstreams import chat as module
    from turnwire.gateway.upstreams.chat.stream_messages import StreamMessages

    monkeypatch.setattr(module, "StreamMessages", lambda: StreamMessages(limit_bytes=100))
    async with chat_server() as server, upstream(server) as chat:
        server.says(b'data: "' + b"x" * 200)
        found = await failure(chat)
    assert found.code == "upstream_malformed"


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://127.0.0.1", "http://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="http://127"):
        ChatUpstream(url)


# Clients that vanish


async def test_closing_the_iterator_closes_the_connection() -> None:
    async with chat_server() as server, upstream(server) as chat:
        server.talks_for_ever()
        async with aclosing(chat.generate(prompt_of(input="hi"))) as deltas:
            async for _ in deltas:
                break
        await server.gone.wait()
        said_then = server.said_chunks
        await let_others_run(100)
        assert server.said_chunks == said_then


async def test_cancelling_the_reader_closes_the_connection_while_the_server_is_silent() -> None:
    closed = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            await asyncio.Event().wait()
        finally:
            closed.set()
        return response

    async with chat_server() as server, upstream(server) as chat:
        server.answers.append(answer)
        reader = asyncio.create_task(heard(chat))
        await until(lambda: bool(server.asked))
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        await closed.wait()


async def test_r5_a_client_that_vanishes_stops_the_model_at_once() -> None:
    async with chat_server() as server, upstream(server) as chat, talk(chat) as gateway:
        server.talks_for_ever()
        client = await gateway.dial()
        await client.create(input="hi")
        await client.until("response.output_text.delta")
        await client.raw.close()
        await server.gone.wait()
        await until(lambda: gateway.gateway.statistics().model_runs_active == 0)
        assert gateway.gateway.statistics().model_runs_stopped == 1


async def test_a_client_that_reads_nothing_pauses_the_model() -> None:
    """The server is not asked for more than what fits into the buffers on the way."""
    async with chat_server() as server, upstream(server) as chat:
        server.talks_for_ever()
        async with aclosing(chat.generate(prompt_of(input="hi"))) as deltas:
            async for _ in deltas:
                break
            before = -1
            while before != server.said_chunks:  # until its writes block
                before = server.said_chunks
                await let_others_run(2000)
            assert not server.gone.is_set()


# Through the gateway


async def test_r20_the_clients_see_the_status_and_the_socket_lives() -> None:
    async with chat_server() as server, upstream(server) as chat, talk(chat) as gateway:
        server.refuses(429, {"error": {"message": "Slow down."}}, retry_after="3")
        server.is_cut_after(said(content="Hel"))
        server.says(*HELLO)
        client = await gateway.dial()
        await client.create(input="hi")
        refused = await client.terminal()
        assert (refused["status"], refused["headers"], refused["error"]["message"]) == (
            429,
            {"retry-after": "3"},
            "Slow down.",
        )
        await client.create(input="hi")
        failed = await client.terminal()
        assert (failed["type"], failed["response"]["output"][0]["status"]) == (
            "response.failed",
            "incomplete",
        )
        response = await client.respond(input="hi")
        assert response["output"][0]["content"][0]["text"] == "Hello"


async def test_an_input_that_cannot_be_passed_on_is_refused() -> None:
    async with chat_server() as server, upstream(server) as chat, talk(chat) as gateway:
        part = {"type": "input_image", "file_id": "file_1"}
        client = await gateway.dial()
        await client.create(input=[{"role": "user", "content": [part]}])
        refused = await client.terminal()
        assert (refused["status"], refused["error"]["type"], refused["error"]["code"]) == (
            400,
            "invalid_request_error",
            "unsupported_input",
        )
        assert server.asked == []


async def test_r9_a_warm_up_reaches_the_model_with_the_first_turn() -> None:
    async with chat_server() as server, upstream(server) as chat, talk(chat) as gateway:
        server.says(*HELLO)
        client = await gateway.dial()
        developer = {"role": "developer", "content": "You are Codex."}
        warm = await client.respond(input=[developer], generate=False, store=False)
        assert server.asked == []
        await client.respond(input="hi", previous_response_id=warm["id"], store=False)
    assert server.asked[0]["messages"] == [
        {"role": "system", "content": "You are Codex."},
        {"role": "user", "content": "hi"},
    ]


async def test_options_reach_the_server() -> None:
    async with chat_server() as server, upstream(server, options=ChatOptions(model="x")) as chat:
        server.says(*HELLO)
        await heard(chat)
    assert server.asked[0]["model"] == "x"
