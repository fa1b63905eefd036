"""What the tests of the chat upstream share: chunks, prompts, and a server that says them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from turnwire.gateway.context import Prompt
from turnwire.gateway.input.items import whole_items
from turnwire.gateway.input.parameters import read_parameters
from turnwire.gateway.output.responder import Responder
from turnwire.gateway.output.response import new_response
from turnwire.gateway.upstreams.chat import ChatOptions
from turnwire.gateway.upstreams.chat.body import chat_body
from turnwire.gateway.upstreams.chat.decoding import ChatDecoder
from turnwire.gateway.upstreams.chat.tools import ToolTable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from turnwire.gateway.context import Context
    from turnwire.gateway.upstreams.deltas import Delta

Json = dict[str, Any]

CUSTOM = {"type": "custom", "name": "patch", "description": "Patches files"}
DONE = b"data: [DONE]\n\n"


def prompt_of(parent: Context | None = None, **create: Any) -> Prompt:
    parameters = read_parameters({"model": "m", **create})
    items = whole_items(parameters.input)
    encoded = tuple(msgspec.json.encode(item) for item in items)
    return Prompt(parameters=parameters, parent=parent, items=items, encoded=encoded)


def body_of(
    *, options: ChatOptions | None = None, parent: Context | None = None, **create: Any
) -> Json:
    """Return the body that a create becomes."""
    prompt = prompt_of(parent, **{"input": "hi", **create})
    tools = ToolTable(prompt.parameters.tools)
    return msgspec.json.decode(
        msgspec.json.encode(chat_body(prompt, tools, options or ChatOptions()))
    )


def messages_of(*items: Json, options: ChatOptions | None = None, **create: Any) -> list[Json]:
    return body_of(input=list(items), options=options, **create)["messages"]


# What a server says


def said(finish: str | None = None, **delta: Any) -> Json:
    """Return a chunk."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "choices": [choice]}


def called(**fragment: Any) -> Json:
    """Return a chunk with one fragment of a call."""
    function = {key: fragment.pop(key) for key in ("name", "arguments") if key in fragment}
    return said(tool_calls=[{"type": "function", "function": function, **fragment}])


def event(chunk: Json) -> bytes:
    return b"data: " + msgspec.json.encode(chunk) + b"\n\n"


def deltas_of(
    *chunks: Json,
    tools: Iterable[Json] = (),
    options: ChatOptions | None = None,
    done: bool = True,
) -> list[Delta]:
    decoder = ChatDecoder(ToolTable(list(tools)), options or ChatOptions())
    deltas = [delta for chunk in chunks for delta in decoder.feed(msgspec.json.encode(chunk))]
    return deltas + decoder.end(done=done)


def output_of_deltas(deltas: Iterable[Delta]) -> list[Json]:
    """Return the output items, without the ids that are made here."""
    numbers = count()
    response = new_response("resp_1", 0, read_parameters({"model": "m", "input": "hi"}))
    responder = Responder(response, lambda prefix: f"{prefix}_{next(numbers)}")
    for delta in deltas:
        responder.feed(delta)
    _, terminal = responder.end(0)
    return [
        {key: value for key, value in item.items() if key != "id"}
        for item in terminal["response"]["output"]
    ]


def text_item(text: str) -> Json:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"type": "message", "status": "completed", "role": "assistant", "content": [part]}


def reasoning_item(text: str) -> Json:
    part = {"type": "reasoning_text", "text": text}
    return {"type": "reasoning", "summary": [], "content": [part]}


def call_item(call_id: str, name: str, arguments: str) -> Json:
    return {
        "type": "function_call",
        "status": "completed",
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
    }


def custom_item(call_id: str, name: str, text: str) -> Json:
    return {
        "type": "custom_tool_call",
        "status": "completed",
        "call_id": call_id,
        "name": name,
        "input": text,
    }


# A server that says it


class ChatServer:
    """A chat completions server whose answers a test writes.

    Attributes:
        asked: The bodies that came.
        headers: The headers that came with each.
        answers: What to do with each request, in order; the last one stays.
        gone: Set when a client has left before its answer was whole.
    """

    def __init__(self) -> None:
        self.asked: list[Json] = []
        self.headers: list[Any] = []
        self.answers: list[Callable[[web.Request], Awaitable[web.StreamResponse]]] = []
        self.gone = asyncio.Event()
        self.said_chunks = 0
        self.connections: set[Any] = set()
        self.url = ""

    def says(self, *pieces: Json | bytes, wait: asyncio.Event | None = None) -> None:
        """Answer with a stream, and after its last piece wait if that is asked for."""

        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            for piece in pieces:
                await response.write(piece if isinstance(piece, bytes) else event(piece))
            if wait is not None:
                await wait.wait()
            return response

        self.answers.append(answer)

    def is_cut_after(self, *pieces: Json) -> None:
        """Break the connection off after these."""

        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            for piece in pieces:
                await response.write(event(piece))
            assert request.transport is not None
            request.transport.close()
            return response

        self.answers.append(answer)

    def refuses(self, status: int, body: Any, **headers: str) -> None:
        async def answer(request: web.Request) -> web.StreamResponse:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            if isinstance(body, str):
                return web.Response(text=body, status=status, headers=named)
            return web.json_response(body, status=status, headers=named)

        self.answers.append(answer)

    def talks_for_ever(self) -> None:
        """Say one chunk after the other until nobody listens."""

        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            try:
                while True:
                    await response.write(event(said(content="word ")))
                    self.said_chunks += 1
                    await asyncio.sleep(0)
            except (ConnectionError, asyncio.CancelledError):
                self.gone.set()
                raise

        self.answers.append(answer)

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        self.headers.append(request.headers)
        self.connections.add(request.transport)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return await answer(request)


@asynccontextmanager
async def chat_server() -> AsyncIterator[ChatServer]:
    server = ChatServer()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server._complete)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()
