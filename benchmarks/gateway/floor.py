"""The least that a relay can do: a create in, a chat completion asked, deltas out.

aiohttp and msgspec by hand, without lanes, chains, a store, limits or errors: a bound, no product.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import aiohttp
import msgspec
from aiohttp import WSMsgType, web


class Said(msgspec.Struct):
    content: str | None = None


class Choice(msgspec.Struct):
    delta: Said


class Chunk(msgspec.Struct):
    choices: list[Choice]


class Create(msgspec.Struct):
    model: str
    input: str


decode = msgspec.json.Decoder(Chunk).decode
decode_create = msgspec.json.Decoder(Create).decode
encode = msgspec.json.encode
PLACE = {"item_id": "msg_1", "output_index": 0, "content_index": 0}


def event(kind: str, number: int, **members: Any) -> bytes:
    return encode({"type": f"response.{kind}", "sequence_number": number, **members})


class Floor:
    def __init__(self, base_url: str) -> None:
        self._url = f"{base_url}/chat/completions"

    async def open(self, app: web.Application) -> None:  # noqa: ARG002  # aiohttp's signature
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(decode_text=False)
        await socket.prepare(request)
        async for message in socket:
            create = decode_create(message.data)
            body = {
                "model": create.model,
                "stream": True,
                "messages": [{"role": "user", "content": create.input}],
            }
            async with self._session.post(self._url, json=body) as answer:
                await self._relay(answer, socket)
        return socket

    async def _relay(self, answer: aiohttp.ClientResponse, socket: web.WebSocketResponse) -> None:
        number, text = 0, list[str]()
        await socket.send_frame(event("created", 0, response={"id": "resp_1"}), WSMsgType.TEXT)
        rest = b""
        while data := await answer.content.readany():
            *whole, rest = (rest + data).split(b"\n\n")
            for line in whole:
                if line == b"data: [DONE]":
                    continue
                chunk = decode(line[6:])
                if chunk.choices and chunk.choices[0].delta.content:
                    number += 1
                    delta = chunk.choices[0].delta.content
                    text.append(delta)
                    said = event("output_text.delta", number, **PLACE, delta=delta, logprobs=[])
                    await socket.send_frame(said, WSMsgType.TEXT)
        done = event("completed", number + 1, response={"id": "resp_1", "output": "".join(text)})
        await socket.send_frame(done, WSMsgType.TEXT)


def main(base_url: str) -> None:
    app = web.Application()
    floor = Floor(base_url)
    app.on_startup.append(floor.open)
    app.router.add_get("/v1/responses", floor.connect)

    async def serve() -> None:
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
        host, port = runner.addresses[0]
        print(f"floor on http://{host}:{port}/v1", flush=True)
        await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    main(sys.argv[1])
