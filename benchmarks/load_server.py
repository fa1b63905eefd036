"""The server that all stacks are measured against: prebuilt bytes, one write for each response.

It knows no chains and no rules; it counts.  A create whose ``input`` is ``workload.BURST`` is
answered with 2,000 text deltas, any other with a function call.  Started by ``run.py``.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import struct
import sys
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

import workload


class Create(msgspec.Struct):
    input: msgspec.Raw
    stream_id: str | None = None


class Counters:
    """What was received and sent since the last look."""

    def __init__(self) -> None:
        self.responses = 0
        self.reset()

    def reset(self) -> None:
        self.creates = self.events = self.received_bytes = self.sent_bytes = 0

    def read(self) -> dict[str, int]:
        names = ("creates", "events", "received_bytes", "sent_bytes")
        counts = {name: getattr(self, name) for name in names}
        self.reset()
        return counts


counters = Counters()
decode = msgspec.json.Decoder(Create).decode


@functools.cache
def encoded(*, burst: bool, lane: str | None) -> list[bytes]:
    events = workload.burst_events() if burst else workload.call_events()
    extra: dict[str, Any] = {} if lane is None else {"stream_id": lane}
    return [json.dumps(event | extra, separators=(",", ":")).encode() for event in events]


def message(data: bytes) -> bytes:
    """Return an unmasked WebSocket text message."""
    size = len(data)
    if size < 126:
        return b"\x81" + bytes([size]) + data
    if size < 65536:
        return b"\x81\x7e" + struct.pack("!H", size) + data
    return b"\x81\x7f" + struct.pack("!Q", size) + data


def sse(data: bytes) -> bytes:
    kind: str = json.loads(data)["type"]
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)


@functools.cache
def template(*, burst: bool, lane: str | None, websocket: bool) -> tuple[int, bytes]:
    wrap = message if websocket else sse
    events = encoded(burst=burst, lane=lane)
    return len(events), b"".join(map(wrap, events))


def answer(create: Create, size_bytes: int, *, websocket: bool) -> bytes:
    """Count a create and return everything that is sent for it."""
    burst = workload.BURST.encode() in bytes(create.input)  # text, or text in an item
    events, data = template(burst=burst, lane=create.stream_id, websocket=websocket)
    counters.responses += 1
    counters.creates += 1
    counters.events += events
    counters.received_bytes += size_bytes
    counters.sent_bytes += len(data)
    return data.replace(workload.DIGITS, b"%032d" % counters.responses)


async def get(request: web.Request) -> web.StreamResponse:
    socket = web.WebSocketResponse(compress=False, max_msg_size=0, decode_text=False)
    await socket.prepare(request)
    transport = request.transport
    assert transport is not None  # prepare() would have failed
    async for received in socket:
        assert received.type is WSMsgType.TEXT, received
        data = received.data
        transport.write(answer(decode(data), len(data), websocket=True))
    return socket


async def post(request: web.Request) -> web.Response:
    body = await request.read()
    headers = sum(len(name) + len(value) + 4 for name, value in request.raw_headers)
    data = answer(decode(body), len(body) + headers, websocket=False)
    return web.Response(body=data, content_type="text/event-stream")


async def statistics(request: web.Request) -> web.Response:  # noqa: ARG001  # aiohttp's signature
    return web.json_response(counters.read())


async def serve() -> None:
    app = web.Application(client_max_size=2**30)
    app.router.add_get("/v1/responses", get)
    app.router.add_post("/v1/responses", post)
    app.router.add_get("/statistics", statistics)
    for burst in (True, False):
        for websocket in (True, False):
            template(burst=burst, lane=None, websocket=websocket)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(json.dumps({"port": runner.addresses[0][1]}), flush=True)
    # Serve until the parent closes our standard input, however it ends.
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(serve())
