"""Whatever does not create a response reaches the server byte for byte as without turnwire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from openai import AsyncOpenAI

from interop.frameworks.lab import Bench, Way
from turnwire.testing import Peer, answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.interop

_RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 0,
    "model": "any",
    "status": "completed",
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}
_ANSWERS: dict[tuple[str, str], Any] = {
    ("GET", "/v1/responses/resp_1"): _RESPONSE,
    ("POST", "/v1/responses/resp_1/cancel"): _RESPONSE,
    ("POST", "/v1/responses/compact"): {
        "id": "cmp_1",
        "object": "response.compaction",
        "created_at": 0,
        "output": [],
        "usage": None,
    },
    ("GET", "/v1/responses/resp_1/input_items"): {"object": "list", "data": [], "has_more": False},
    ("POST", "/v1/chat/completions"): {
        "id": "chat_1",
        "object": "chat.completion",
        "created": 0,
        "model": "any",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "Hi"},
            }
        ],
    },
    ("POST", "/v1/embeddings"): {
        "object": "list",
        "model": "any",
        "data": [{"object": "embedding", "index": 0, "embedding": "AACAPwAAAEA="}],
        "usage": {"prompt_tokens": 1, "total_tokens": 1},
    },
    ("POST", "/v1/files"): {
        "id": "file_1",
        "object": "file",
        "bytes": 5,
        "created_at": 0,
        "filename": "a.txt",
        "purpose": "user_data",
        "status": "processed",
    },
    ("GET", "/v1/models"): {"object": "list", "data": []},
}


async def _delete(client: AsyncOpenAI) -> Any:
    return await client.responses.delete("resp_1")


async def _streamed_chat(client: AsyncOpenAI) -> Any:
    messages: Any = [{"role": "user", "content": "Grüße"}]
    stream = await client.chat.completions.create(model="any", messages=messages, stream=True)
    return [chunk.to_dict() async for chunk in stream]


async def _upload(client: AsyncOpenAI) -> Any:
    file = await client.files.create(file=("a.txt", b"words"), purpose="user_data")
    return file.to_dict()


CALLS: dict[str, Callable[[AsyncOpenAI], Awaitable[Any]]] = {
    "retrieve": lambda client: client.responses.retrieve("resp_1"),
    "delete": _delete,
    "cancel": lambda client: client.responses.cancel("resp_1"),
    "compact": lambda client: client.responses.compact(model="any", input="Hi"),
    "input items": lambda client: client.responses.input_items.list("resp_1"),
    "chat": lambda client: client.chat.completions.create(
        model="any", messages=[{"role": "user", "content": "Grüße"}]
    ),
    "chat, streamed": _streamed_chat,
    "embeddings": lambda client: client.embeddings.create(model="any", input="Hi"),
    "a file": _upload,
    "models": lambda client: client.models.list(),
}
if not hasattr(AsyncOpenAI(api_key="k").responses, "compact"):  # of an older SDK
    del CALLS["compact"]


async def _recorded(doing: Callable[[AsyncOpenAI], Awaitable[Any]], way: Way) -> Any:
    """Return what was told, and the requests as the server saw them."""
    seen: list[Any] = []

    async def answered(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        del headers["host"]
        body = await request.read()
        _, _, boundary = headers["content-type"].partition("boundary=") if body else ("", "", "")
        if boundary:  # a random one
            headers = {name: value.replace(boundary, "-") for name, value in headers.items()}
            body = body.replace(boundary.encode(), b"-")
        seen.append((request.method, request.path_qs, headers, body))
        if b'"stream":true' in body:
            chunk = b'data: {"id":"c","object":"chat.completion.chunk","choices":[]}\n\n'
            return web.Response(body=chunk + b"data: [DONE]\n\n", content_type="text/event-stream")
        if request.method == "DELETE":
            return web.Response()
        return web.json_response(_ANSWERS[request.method, request.path])

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answered)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        bench = Bench(f"http://127.0.0.1:{runner.addresses[0][1]}/v1", way)
        async with AsyncOpenAI(**bench.server, http_client=bench.http_client()) as client:
            told = await doing(client)
    finally:
        await runner.cleanup()
    return getattr(told, "to_dict", lambda: told)(), seen


@pytest.mark.parametrize("doing", CALLS.values(), ids=CALLS)
async def test_it_is_delegated_untouched(
    doing: Callable[[AsyncOpenAI], Awaitable[Any]],
) -> None:
    plain = await _recorded(doing, Way.PLAIN)
    turnwire = await _recorded(doing, Way.TURNWIRE)
    assert turnwire == plain
    assert len(plain[1]) == 1


async def test_a_turn_in_the_background_is_delegated() -> None:
    bodies: list[bytes] = []
    for way in Way:
        async with Peer(lambda _: [answer("Hi")]) as peer:
            bench = Bench(peer.base_url, way)
            async with AsyncOpenAI(**bench.server, http_client=bench.http_client()) as client:
                told = await client.responses.create(
                    model="any", input="Hi", extra_body={"background": True}
                )
            bodies += [post.raw for post in peer.posts]
            assert told.output_text == "Hi"
            assert peer.connections == []
    assert bodies[0] == bodies[1]


async def test_a_response_that_came_over_a_socket_can_be_retrieved() -> None:
    async with Peer(lambda _: [answer("Hi")], resumes="json") as peer:
        bench = Bench(peer.base_url, Way.TURNWIRE)
        async with AsyncOpenAI(**bench.server, http_client=bench.http_client()) as client:
            made = await client.responses.create(model="any", input="Hi")
            found = await client.responses.retrieve(made.id)
    assert found.to_dict() == made.to_dict()
    assert len(peer.connections) == len(peer.retrievals) == 1
