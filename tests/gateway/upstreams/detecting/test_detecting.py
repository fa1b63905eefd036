"""What a server speaks is found out without running a model."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from gateway.support import Puppet, TurnsInMemory, talk, text_of, until
from turnwire.errors import ConfigError
from turnwire.events import encode
from turnwire.gateway import Gateway
from turnwire.gateway.config.building import build_upstream
from turnwire.gateway.config.tables import UpstreamConfig
from turnwire.gateway.upstreams import UpstreamFailed
from turnwire.gateway.upstreams.deltas import Finished, TextDelta
from turnwire.gateway.upstreams.detecting import DetectingUpstream, detect, list_models
from turnwire.gateway.upstreams.detecting.decision import (
    Detected,
    Findings,
    Presence,
    Reply,
    Undetected,
    base_urls,
    decide,
    presence,
)
from turnwire.gateway.upstreams.failures import TIMEOUT, UNREACHABLE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from turnwire.gateway.context import Prompt
    from turnwire.gateway.upstreams.deltas import Delta

Json = dict[str, Any]


# Addresses


@pytest.mark.parametrize(
    ("url", "bases"),
    [
        ("http://h:8000", ("http://h:8000/v1", "http://h:8000")),
        ("http://h:8000/", ("http://h:8000/v1", "http://h:8000")),
        ("http://h:8000/v1", ("http://h:8000/v1",)),
        ("http://h:8000/v1/", ("http://h:8000/v1",)),
        ("http://h:8000/v1/responses", ("http://h:8000/v1",)),
        ("http://h:8000/v1/chat/completions", ("http://h:8000/v1",)),
        ("ws://h:8000/v1", ("http://h:8000/v1",)),
        ("wss://h/v1/responses", ("https://h/v1",)),
        ("https://h/proxy/one", ("https://h/proxy/one/v1", "https://h/proxy/one")),
        ("https://h/v1beta/openai/", ("https://h/v1beta/openai",)),
    ],
)
def test_a_url_may_have_its_version_or_not(url: str, bases: tuple[str, ...]) -> None:
    assert base_urls(url) == bases


@pytest.mark.parametrize("url", ["h:8000", "ftp://h", "http://", "http://h:0", "http://h/v1?a=b"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"http://127\.0\.0\.1:8000/v1"):
        DetectingUpstream(url, lambda found: Puppet())


# What answers mean


def error(status: int, message: str = "no", **members: Any) -> Reply:
    return Reply(status, {"error": {"message": message, **members}})


def models(owner: str, *names: str) -> Reply:
    data = [{"id": name, "object": "model", "owned_by": owner} for name in names]
    return Reply(200, {"object": "list", "data": data})


NOT_FOUND = Reply(404, {"detail": "Not Found"})
INVALID = error(400, "'messages' is required")
# Answers as the servers give them: docs/reference/upstream-detection.md
PLAIN = Findings(
    url="http://h:1/v1",
    models=models("somebody", "m"),
    upgrade=Reply(404),
    responses=NOT_FOUND,
    chat=INVALID,
    root=Reply(404),
)
BOTH = replace(PLAIN, responses=INVALID)
LM_STUDIO_SAYS = Reply(200, {"error": "Unexpected endpoint or method. (POST /v1/responses)"})


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (INVALID, Presence.THERE),
        (Reply(422, {"detail": []}), Presence.THERE),
        (error(500, "'messages' is required"), Presence.THERE),
        (error(429), Presence.THERE),
        (error(404, "The model `0` does not exist."), Presence.THERE),
        (error(404, "File Not Found", type="not_found_error"), Presence.MISSING),
        (NOT_FOUND, Presence.MISSING),
        (Reply(404, "404 page not found"), Presence.MISSING),
        (Reply(405), Presence.MISSING),
        (Reply(308), Presence.MISSING),
        (LM_STUDIO_SAYS, Presence.MISSING),
        (Reply(200, "<!doctype html>"), Presence.MISSING),
        (Reply(200, "data: …", {"content-type": "text/event-stream"}), Presence.THERE),
        (Reply(200, {"object": "chat.completion", "choices": []}), Presence.THERE),
        (Reply(200, {"object": "response", "output": []}), Presence.THERE),
        (Reply(401), Presence.LOCKED),
        (Reply(403), Presence.LOCKED),
        (error(503, "Loading model"), Presence.NOT_NOW),
        (Reply(None), Presence.SILENT),
    ],
)
def test_what_an_answer_says_of_its_path(reply: Reply, found: Presence) -> None:
    assert presence(reply) is found


def kind_of(findings: Findings) -> tuple[str, str | None]:
    found = decide(findings)
    assert isinstance(found, Detected), found
    return found.kind, found.server


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        (PLAIN, ("chat", None)),
        (BOTH, ("chat", None)),
        (replace(BOTH, responses=Reply(422, {"detail": []})), ("chat", None)),
        (replace(BOTH, chat=NOT_FOUND), ("responses", None)),
        (replace(BOTH, upgrade=Reply(101)), ("websocket", None)),
        (replace(BOTH, models=models("vllm", "m")), ("chat", "vLLM")),
        (replace(BOTH, models=models("sglang", "m")), ("chat", "SGLang")),
        (replace(BOTH, models=models("llamacpp", "m")), ("chat", "llama.cpp")),
        (replace(BOTH, models=models("library", "m")), ("chat", "Ollama")),
        (replace(BOTH, models=models("organization_owner", "m")), ("chat", "LM Studio")),
        (replace(BOTH, root=Reply(200, "Ollama is running")), ("chat", "Ollama")),
        (
            replace(BOTH, chat=replace(INVALID, headers={"server": "llama.cpp"})),
            ("chat", "llama.cpp"),
        ),
        (
            replace(
                BOTH,
                upgrade=Reply(101),
                chat=replace(INVALID, headers={"x-litellm-version": "1.106.2"}),
            ),
            ("responses", "LiteLLM"),
        ),
        (
            replace(BOTH, models=models("turnwire", "m"), upgrade=Reply(101)),
            ("websocket", "turnwire"),
        ),
        (
            replace(BOTH, url="https://api.openai.com/v1", upgrade=Reply(101)),
            ("websocket", "OpenAI"),
        ),
        (replace(BOTH, url="https://api.openai.com/v1"), ("responses", "OpenAI")),
        (
            replace(BOTH, url="https://one.openai.azure.com/openai/v1"),
            ("responses", "Azure OpenAI"),
        ),
        (replace(BOTH, models=models("turnwire", "m")), ("responses", "turnwire")),
        (
            replace(PLAIN, models=models("vllm", "m"), chat=NOT_FOUND, responses=INVALID),
            ("responses", "vLLM"),
        ),
    ],
)
def test_what_servers_are_asked_by(findings: Findings, expected: tuple[str, str | None]) -> None:
    assert kind_of(findings) == expected


def test_the_decision_says_why() -> None:
    assert decide(PLAIN) == Detected(
        "chat",
        "http://h:1/v1",
        None,
        ("m",),
        "chat: GET /v1/models answered, WebSocket upgrade is 404, POST /v1/responses is 404,"
        " POST /v1/chat/completions is 400",
    )


def test_the_decision_says_why_it_is_not_the_usual_one() -> None:
    found = decide(replace(BOTH, models=models("vllm", "m")))
    assert isinstance(found, Detected)
    assert found.reason.endswith("; vLLM: its /responses does not take all tools that clients send")


def test_the_decision_says_why_a_server_that_nobody_knows_is_asked_by_chat() -> None:
    found = decide(BOTH)
    assert isinstance(found, Detected)
    assert found.reason == (
        "chat: GET /v1/models answered, WebSocket upgrade is 404, POST /v1/responses is 400,"
        " POST /v1/chat/completions is 400; unknown server: nobody knows whether its /responses"
        " takes all that clients send; `kind` decides otherwise"
    )


def nothing(reply: Reply) -> Findings:
    return replace(PLAIN, models=reply, upgrade=reply, responses=reply, chat=reply, root=reply)


@pytest.mark.parametrize(
    ("findings", "begins", "how"),
    [
        (
            nothing(Reply(None, problem="Connection refused (h:1)")),
            "the model server cannot be reached: Connection refused (h:1). Start it",
            "unreached",
        ),
        (nothing(Reply(401)), "the model server wants a key: GET /v1/models is 401", "locked"),
        (nothing(error(503)), "the model server is not ready: GET /v1/models is 503", "unreached"),
        (nothing(NOT_FOUND), "this is no model server that is known here", "reached"),
        (nothing(Reply(200, "<html>")), "this is no model server that is known here", "reached"),
    ],
)
def test_what_cannot_be_found_out_says_what_to_do(
    findings: Findings, begins: str, how: str
) -> None:
    found = decide(findings)
    assert isinstance(found, Undetected)
    assert found.reason.startswith(begins), found.reason
    assert (found.reached, found.locked) == (how != "unreached", how == "locked")


# Over the network


class Server:
    """A model server as a table of paths; counts the models that ran."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[tuple[str, str]] = []
        self.keys: set[str | None] = set()
        self.runs = 0

    async def models(self, request: web.Request) -> web.Response:
        return web.json_response(models("vllm", "qwen").body)

    async def chat(self, request: web.Request) -> web.Response:
        body = await request.json()
        if not isinstance(body.get("model"), str) or not body.get("messages"):
            return web.json_response(INVALID.body, status=400)
        self.runs += 1
        return web.json_response({"choices": []})

    async def streamed_chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if not body.get("messages"):
            return web.json_response(INVALID.body, status=400)
        self.runs += 1
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        for delta, reason in (({"content": "Hello."}, None), ({}, "stop")):
            choice = {"index": 0, "delta": delta, "finish_reason": reason}
            await answer.write(b"data: " + encode({"choices": [choice]}) + b"\n\n")
        await answer.write(b"data: [DONE]\n\n")
        return answer

    async def endless_chat(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await asyncio.Event().wait()  # until the other side goes
        return answer

    async def responses(self, request: web.Request) -> web.Response:
        body = await request.json()
        if not isinstance(body.get("model"), str) or "input" not in body:
            return web.json_response(INVALID.body, status=400)
        self.runs += 1
        return web.json_response({"object": "response"})

    async def everything(self, request: web.Request) -> web.Response:
        path = f"({request.method} {request.path})"
        return web.json_response({"error": f"Unexpected endpoint or method. {path}"})

    async def elsewhere(self, request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect("/other" + request.path)

    async def locked(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Bearer right":
            return web.json_response({"error": {"message": "no key"}}, status=401)
        return await self.chat(request) if request.method == "POST" else await self.models(request)


@asynccontextmanager
async def serving(*routes: tuple[str, str, str]) -> AsyncIterator[Server]:
    """Serve paths with what ``Server`` has of that name."""
    server = Server()

    @web.middleware
    async def note(request: web.Request, handler: Any) -> web.StreamResponse:
        server.asked.append((request.method, request.path))
        server.keys.add(request.headers.get("Authorization"))
        return await handler(request)

    app = web.Application(middlewares=[note])
    for method, path, name in routes:
        app.router.add_route(method, path, getattr(server, name))
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


CHAT = (("GET", "/v1/models", "models"), ("POST", "/v1/chat/completions", "chat"))
RESPONSES = (("POST", "/v1/responses", "responses"),)


async def found_at(url: str, api_key: str | None = None) -> Detected:
    found = await detect(url, api_key)
    assert isinstance(found, Detected), found
    return found


@pytest.mark.io
@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/chat/completions"])
async def test_a_chat_server_is_found_by_any_of_its_addresses(path: str) -> None:
    async with serving(*CHAT) as server:
        found = await found_at(server.url + path)
    assert (found.kind, found.url, found.server, found.models, server.runs) == (
        "chat",
        f"{server.url}/v1",
        "vLLM",
        ("qwen",),
        0,
    )


@pytest.mark.io
async def test_a_server_whose_paths_have_no_version_is_found() -> None:
    async with serving(("POST", "/api/chat/completions", "chat")) as server:
        found = await found_at(f"{server.url}/api")
    assert (found.kind, found.url, found.models) == ("chat", f"{server.url}/api", ())


@pytest.mark.io
async def test_a_server_that_has_responses_is_asked_by_them() -> None:
    async with serving(*RESPONSES) as server:
        found = await found_at(server.url)
    assert (found.kind, server.runs) == ("responses", 0)


@pytest.mark.io
async def test_a_gateway_is_asked_over_websocket_and_no_model_runs() -> None:
    async with Gateway() as gateway:
        found = await found_at(gateway.url)
        assert (found.kind, found.url, found.server) == ("websocket", gateway.base_url, "turnwire")
        assert gateway.statistics().model_runs == 0


@pytest.mark.io
async def test_a_server_that_talks_whatever_it_is_asked_is_not_listened_to() -> None:
    async with serving(("POST", "/v1/chat/completions", "endless_chat")) as server:
        assert (await found_at(server.url)).kind == "chat"


@pytest.mark.io
async def test_a_server_that_says_yes_to_everything_has_what_it_refuses() -> None:
    async with serving(*CHAT, ("*", "/{path:.*}", "everything")) as server:
        found = await found_at(server.url)
    assert (found.kind, server.runs) == ("chat", 0)


@pytest.mark.io
async def test_a_key_opens_a_server() -> None:
    async with serving(("*", "/{path:.*}", "locked")) as server:
        found = await detect(server.url)
        assert isinstance(found, Undetected)
        assert (found.locked, "api_key_env" in found.reason) == (True, True)
        assert {path for _, path in server.asked} == {
            "/",
            "/v1/models",
            "/v1/responses",
            "/v1/chat/completions",
        }
        assert (await found_at(server.url, "right")).server == "vLLM"
        assert "right" not in repr(found)


@pytest.mark.io
async def test_nobody_is_followed_elsewhere() -> None:
    async with serving(
        ("*", "/v1/{path:.*}", "elsewhere"), ("*", "/other/{path:.*}", "chat")
    ) as server:
        found = await detect(f"{server.url}/v1", "key")
    assert isinstance(found, Undetected)
    assert "POST /v1/chat/completions is 307" in found.reason
    assert not any(path.startswith("/other") for _, path in server.asked)


@pytest.mark.io
async def test_where_nobody_listens_there_is_advice() -> None:
    async with serving() as server:
        url = server.url
    found = await detect(url)
    assert isinstance(found, Undetected)
    assert not found.reached
    assert "cannot be reached" in found.reason
    assert "Start it, or correct the URL." in found.reason


@pytest.mark.io
async def test_a_server_that_never_answers_is_given_up() -> None:
    writers: list[asyncio.StreamWriter] = []

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        found = await detect(f"http://127.0.0.1:{port}", patience=0.01)
        for writer in writers:
            writer.close()
    assert isinstance(found, Undetected)
    assert "no answer within 0.01 s" in found.reason


@pytest.mark.io
async def test_a_list_of_models_is_asked_for_with_one_question() -> None:
    async with serving(*CHAT) as server:
        assert await list_models(server.url, "key") == ("qwen",)
    assert (server.asked, server.keys) == ([("GET", "/v1/models")], {"Bearer key"})


@pytest.mark.io
async def test_a_list_that_is_not_there_is_a_failure() -> None:
    async with serving(("*", "/{path:.*}", "everything")) as server:
        with pytest.raises(UpstreamFailed) as raised:
            await list_models(server.url)
        assert (raised.value.status, raised.value.code) == (400, None)
    with pytest.raises(UpstreamFailed) as raised:
        await list_models(server.url)
    assert raised.value.code == UNREACHABLE


@pytest.mark.io
async def test_a_list_that_comes_late_does_not_mean_that_nobody_is_there() -> None:
    writers: list[asyncio.StreamWriter] = []

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(UpstreamFailed) as raised:
            await list_models(url, patience=0.01)
        for writer in writers:
            writer.close()
    assert raised.value.code == TIMEOUT


# At the first turn


class Says:
    """An upstream that says which kind it was made for."""

    def __init__(self, found: Detected) -> None:
        self.found = found
        self.models = ()
        self.closed = False

    async def generate(self, prompt: Prompt) -> AsyncGenerator[Delta]:
        yield TextDelta(f"{self.found.kind} at {self.found.url}")
        yield Finished()

    async def aclose(self) -> None:
        self.closed = True


class Findable:
    """Detects what it is told to; counts how often it is asked."""

    def __init__(self, *results: Detected | Undetected) -> None:
        self.results = list(results)
        self.keys: list[str | None] = []
        self.held: asyncio.Event | None = None

    async def __call__(self, url: str, api_key: str | None) -> Detected | Undetected:
        self.keys.append(api_key)
        if self.held is not None:
            await self.held.wait()
        return self.results.pop(0) if len(self.results) > 1 else self.results[0]


FOUND = Detected("chat", "http://h/v1", None, ("m",), "chat: because")
GONE = Undetected("the model server cannot be reached: refused. Start it.", reached=False)
LOCKED = Undetected("the model server refused the key.", reached=True, locked=True)


async def test_the_first_turn_finds_out_and_the_next_ones_know() -> None:
    find = Findable(FOUND)
    upstream = DetectingUpstream("http://h", Says, api_key="key", detect=find)
    memory = TurnsInMemory(upstream)
    assert upstream.models == ()
    answers = [text_of(await memory.respond(input="x")) for _ in range(2)]
    assert (answers, find.keys, upstream.models) == (
        ["chat at http://h/v1"] * 2,
        ["key"],
        ("m",),
    )


async def test_many_first_turns_ask_once() -> None:
    find = Findable(FOUND)
    find.held = asyncio.Event()
    memory = TurnsInMemory(DetectingUpstream("http://h", Says, detect=find))
    turns = [asyncio.create_task(memory.respond(input="x")) for _ in range(5)]
    await asyncio.sleep(0)
    find.held.set()
    await asyncio.gather(*turns)
    assert len(find.keys) == 1


async def test_a_turn_that_is_cancelled_while_it_asks_leaves_that_to_the_next() -> None:
    find = Findable(FOUND)
    find.held = asyncio.Event()
    upstream = DetectingUpstream("http://h", Says, detect=find)
    first, second = (asyncio.create_task(upstream.find()) for _ in range(2))
    await until(lambda: bool(find.keys))
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    find.held.set()
    assert isinstance(await second, Says)
    assert len(find.keys) == 2


async def test_who_waited_shares_that_nothing_was_found_out() -> None:
    find = Findable(GONE, FOUND)
    find.held = asyncio.Event()
    upstream = DetectingUpstream("http://h", Says, detect=find)
    asking = [asyncio.create_task(upstream.find()) for _ in range(5)]
    await until(lambda: bool(find.keys))
    find.held.set()
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [UpstreamFailed] * 5
    assert len(find.keys) == 1
    assert isinstance(await upstream.find(), Says), "who comes later asks anew"


async def test_who_waited_does_not_share_that_another_ones_key_was_refused() -> None:
    find = Findable(LOCKED, FOUND)
    find.held = asyncio.Event()
    upstream = DetectingUpstream("http://h", Says, credentials="client", detect=find)
    asking = [asyncio.create_task(upstream.find(key)) for key in ("wrong", "wrong", "right")]
    await until(lambda: bool(find.keys))
    find.held.set()
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [UpstreamFailed, UpstreamFailed, Says]
    assert find.keys == ["wrong", "right"]


async def test_a_server_may_be_started_later() -> None:
    find = Findable(GONE, FOUND)
    memory = TurnsInMemory(DetectingUpstream("http://h", Says, detect=find))
    failed = (await memory.events(input="x"))[-1]
    assert (failed["type"], failed["status"], failed["error"]["code"]) == (
        "error",
        502,
        UNREACHABLE,
    )
    assert failed["error"]["message"].startswith("The model server cannot be reached: refused.")
    assert text_of(await memory.respond(input="x")) == "chat at http://h/v1"


@pytest.mark.io
async def test_the_way_to_a_server_that_cannot_be_reached_is_known_for_the_log() -> None:
    async with serving() as server:
        url = server.url
    place = url.removeprefix("http://")
    for ask in (DetectingUpstream(url, Says).find(), list_models(url)):
        with pytest.raises(UpstreamFailed) as raised:
            await ask
        assert str(raised.value.__cause__) == f"nobody listens there ({place})"


async def test_what_can_never_be_used_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    strange = Undetected("this is no model server that is known here", reached=True)
    upstream = DetectingUpstream("http://h", Says, detect=Findable(GONE, strange))
    for _ in range(3):
        with pytest.raises(UpstreamFailed):
            await upstream.find()
    assert caplog.messages == [
        "an upstream cannot be used: this is no model server that is known here"
    ]


async def test_who_asks_with_their_own_key_finds_out_with_it() -> None:
    find = Findable(FOUND)
    upstream = DetectingUpstream(
        "http://h", Says, api_key="ours", credentials="client", detect=find
    )
    await upstream.find("theirs")
    assert find.keys == ["theirs"]


async def test_closing_closes_what_was_found() -> None:
    upstream = DetectingUpstream("http://h", Says, detect=Findable(FOUND))
    await upstream.aclose()
    found = await upstream.find()
    await upstream.aclose()
    assert isinstance(found, Says)
    assert found.closed


@pytest.mark.io
async def test_listing_models_finds_out_what_the_server_is() -> None:
    async with serving(*CHAT) as server:
        upstream = DetectingUpstream(server.url, Says)
        assert await upstream.list_models() == ("qwen",)
        assert upstream.detected is not None
        assert upstream.detected.kind == "chat"


@pytest.mark.io
async def test_a_url_alone_is_enough_for_a_gateway() -> None:
    streamed = ("POST", "/v1/chat/completions", "streamed_chat")
    async with serving(CHAT[0], streamed) as server:
        upstream = build_upstream((UpstreamConfig(url=server.url),), {})
        async with talk(upstream) as gateway:
            status, response = await gateway.post(input="Hi")
            listed = (await gateway.get("/v1/models"))[1]["data"]
    assert (status, text_of(response), server.runs) == (200, "Hello.", 1)
    assert [model["id"] for model in listed] == ["qwen"]
