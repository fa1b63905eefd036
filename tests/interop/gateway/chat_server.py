"""A chat completions server with the model of ``words.py``; as strict as hosted ones are."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import web
from openai.types.chat import ChatCompletionChunk

from interop.gateway import words

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from interop.gateway.words import Json


class ChatServer:
    """A server on a free port of loopback.

    Attributes:
        url: Its base URL.
        asked: The requests, in order.
        model_runs: How often the model has answered.
    """

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Json] = []
        self.model_runs = 0

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """Answer as a stream, which is all that the gateway asks for."""
        body = await request.json()
        self.asked.append(body)
        mistake = _mistake(body)
        if mistake:
            error = {"message": mistake, "type": "invalid_request_error", "code": None}
            return web.json_response({"error": error}, status=400)
        self.model_runs += 1
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        for chunk in _chunks(body, self.model_runs):
            ChatCompletionChunk.model_validate(chunk, strict=True)
            await answer.write(f"data: {json.dumps(chunk)}\n\n".encode())
            await asyncio.sleep(0)  # so that others come in between
        await answer.write(b"data: [DONE]\n\n")
        return answer

    async def models(self, request: web.Request) -> web.Response:
        """List the one model."""
        model = {"id": "words", "object": "model", "created": 1, "owned_by": "tests"}
        return web.json_response({"object": "list", "data": [model]})


@asynccontextmanager
async def chat_server() -> AsyncIterator[ChatServer]:
    """Run a server."""
    server = ChatServer()
    app = web.Application(client_max_size=2**24)
    app.router.add_post("/v1/chat/completions", server.complete)
    app.router.add_get("/v1/models", server.models)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()


def _mistake(body: Json) -> str:
    """Return what a strict server would refuse; an empty string if there is nothing."""
    if body.get("stream") is not True:
        return "This server streams."
    names = {tool["function"]["name"] for tool in body.get("tools", [])}
    waiting: list[str] = []
    for message in body["messages"]:
        role = message["role"]
        if role == "tool":
            if message["tool_call_id"] not in waiting:
                return "A tool message must answer a call of the message before it."
            waiting.remove(message["tool_call_id"])
        elif waiting:
            return "Every call must be answered."
        elif role == "assistant":
            waiting = [call["id"] for call in message.get("tool_calls", [])]
        elif role not in {"system", "user"}:
            return f"No such role: {role}."
    if waiting:
        return "Every call must be answered."
    wanted = {name for name, _ in words.calls(_asked(body))}
    return "" if wanted <= names else "There is no such tool."


def _asked(body: Json) -> words.Asked:
    messages = [message for message in body["messages"] if message["role"] != "system"]
    last = max(at for at, message in enumerate(messages) if message["role"] == "user")
    form = body.get("response_format") or {}
    return words.Asked(
        _text(messages[last]["content"]),
        [_text(each["content"]) for each in messages[last:] if each["role"] == "tool"],
        sum(_items(message) for message in messages),
        form.get("json_schema", {}).get("schema"),
    )


def _items(message: Json) -> int:
    return len(message.get("tool_calls", [])) + bool(message.get("content"))


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content)


def _chunks(body: Json, number: int) -> Iterator[Json]:
    asked = _asked(body)
    common = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": body["model"],
    }

    def chunk(delta: Json, reason: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return {**common, "choices": [choice]}

    yield chunk({"role": "assistant", "content": None})
    if "reasoning_effort" in body:
        for piece in words.pieces(words.THOUGHT):
            yield chunk({"reasoning_content": piece})
    called = words.calls(asked)
    for index, (name, arguments) in enumerate(called):
        head = {"id": f"call_{number}_{index}", "type": "function"}
        function = {"name": name, "arguments": ""}
        yield chunk({"tool_calls": [{"index": index, **head, "function": function}]})
        for piece in words.pieces(arguments):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    if not called:
        for piece in words.pieces(words.answer(asked)):
            yield chunk({"content": piece})
    yield chunk({}, "tool_calls" if called else "stop")
    if (body.get("stream_options") or {}).get("include_usage"):
        usage = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
        yield {**common, "choices": [], "usage": usage}
