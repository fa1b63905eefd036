"""The load server, which also answers creates that do not ask for a stream: with one JSON body."""

from __future__ import annotations

import asyncio
import functools
import json
import sys
from pathlib import Path

import msgspec
from aiohttp import web

sys.path.insert(0, str(Path(__file__).parents[1]))

import load_server
import workload


class Asked(msgspec.Struct):
    stream: bool = False


decode = msgspec.json.Decoder(Asked).decode
by_events = load_server.post


@functools.cache
def body() -> bytes:
    return json.dumps(workload.call_events()[-1]["response"], separators=(",", ":")).encode()


async def post(request: web.Request) -> web.Response:
    asked = await request.read()
    answer = await by_events(request)  # counts it, too
    if decode(asked).stream:
        return answer
    data = body().replace(workload.DIGITS, b"%032d" % load_server.counters.responses)
    return web.Response(body=data, content_type="application/json")


if __name__ == "__main__":
    load_server.post = post
    asyncio.run(load_server.serve())
