"""The chat completions server behind every relay that is measured: prebuilt bytes, no model.

The prompt says what the answer is, ``deltas=50 gap=0.04``: so many pieces of 40 characters, so many
seconds from one to the next.  Without a gap all is written at once, each piece an HTTP chunk of its
own; with one, each piece begins with the time at which it was written.  Started by ``run.py``.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import re
import sys
import time
from typing import Any, Final

from aiohttp import web

WIDTH: Final = 40  # characters of a delta
ASKED: Final = re.compile(rb"deltas=(\d+) gap=([\d.]+)")
FILLER: Final = " and some words of an answer, as they come"


class Counters:
    """What was asked since the last look."""

    creates = deltas = 0


def piece(stamp: str = "") -> str:
    return (stamp + FILLER)[:WIDTH].ljust(WIDTH, ".")


def sse(*choices: dict[str, Any], **members: Any) -> bytes:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_760_000_000}
    body = head | {"model": "bench", "choices": choices} | members
    return b"data: %b\n\n" % json.dumps(body, separators=(",", ":")).encode()


def choice(delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def said(text: str) -> bytes:
    return sse(choice({"content": text}))


def chunk(data: bytes) -> bytes:
    """Return one piece of an HTTP body with chunked transfer coding."""
    return b"%x\r\n%b\r\n" % (len(data), data)


BEGINNING: Final = chunk(sse(choice({"role": "assistant", "content": ""})))
USAGE: Final = {"prompt_tokens": 20, "completion_tokens": 400, "total_tokens": 420}
END: Final = b"".join(map(chunk, (sse(choice({}, "stop")), sse(usage=USAGE), b"data: [DONE]\n\n")))
TIMED: Final = chunk(said(piece("@" * 20)))


@functools.cache
def whole(deltas: int) -> bytes:
    # No two are alike: LiteLLM ends an answer that repeats itself.
    pieces = (chunk(said(piece(f"{number:06d}"))) for number in range(deltas))
    return b"".join((BEGINNING, *pieces, END))


async def answer(request: web.Request) -> web.StreamResponse:
    deltas, gap = ASKED.findall(await request.read())[-1]
    count, pause = int(deltas), float(gap)
    Counters.creates += 1
    Counters.deltas += count
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    transport = request.transport
    assert transport is not None  # prepare() would have failed
    if not pause:
        transport.write(whole(count))
        return response
    transport.write(BEGINNING)
    now = asyncio.get_running_loop().time
    due = now()
    for _ in range(count):
        transport.write(TIMED.replace(b"@" * 20, b"%020d" % time.monotonic_ns()))
        due += pause
        await asyncio.sleep(due - now())
    transport.write(END)
    return response


async def models(request: web.Request) -> web.Response:  # noqa: ARG001  # aiohttp's signature
    return web.json_response({"object": "list", "data": [{"id": "bench", "object": "model"}]})


async def statistics(request: web.Request) -> web.Response:  # noqa: ARG001  # aiohttp's signature
    counts = {"creates": Counters.creates, "deltas": Counters.deltas}
    Counters.creates = Counters.deltas = 0
    return web.json_response(counts)


async def serve() -> None:
    app = web.Application(client_max_size=2**30)
    app.router.add_post("/v1/chat/completions", answer)
    app.router.add_get("/v1/models", models)
    app.router.add_get("/statistics", statistics)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    print(json.dumps({"port": runner.addresses[0][1]}), flush=True)
    # Serve until the parent closes our standard input, however it ends.
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(serve())
