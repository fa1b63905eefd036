"""The client of every relay, and of the upstream itself; one command a line, one line of answer.

``open`` opens sockets and keeps them, ``run`` asks turns on all of them, ``close`` closes them.
An answer counts only if it has as many characters as were asked for, and one terminal event.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import json
import sys
import time
from typing import Any, Final

import aiohttp
import msgspec
from upstream import WIDTH

# LiteLLM refuses one that looks as if it could be guessed.
KEY: Final = "sk-" + hashlib.sha256(b"a benchmark").hexdigest()
GOLDEN: Final = 0.618034  # multiples of it spread evenly, and no two sockets keep step
TERMINAL: Final = {"response.completed", "response.incomplete", "response.failed", "error"}
AT_ONCE: Final = 64  # sockets that are being opened
MOST_SECONDS: Final = 300.0  # for one run


class Event(msgspec.Struct):
    type: str
    delta: str = ""


class Said(msgspec.Struct):
    content: str | None = None


class Choice(msgspec.Struct):
    delta: Said


class Chunk(msgspec.Struct):
    choices: list[Choice]


decode = msgspec.json.Decoder(Event).decode
decode_chunk = msgspec.json.Decoder(Chunk).decode


class Run:
    """What was seen in one run."""

    def __init__(self, deltas: int, gap: float) -> None:
        self.deltas = deltas
        self.prompt = f"deltas={deltas} gap={gap}"
        self.stamped = gap > 0
        self.events = self.seen = self.turns = self.errors = 0
        self.first: list[float] = []  # seconds from a create to its first delta
        self.each: list[float] = []  # seconds from the upstream's write of a delta to its arrival

    def ended(self, characters: int, *, well: bool) -> None:
        self.turns += 1
        self.errors += not (well and characters == self.deltas * WIDTH)

    def took(self, text: str, sent: float | None) -> None:
        """Take a delta; ``sent`` is when its turn was, if it is the first one."""
        self.seen += 1
        if sent is not None:
            self.first.append(time.perf_counter() - sent)
        if self.stamped:
            self.each.append((time.monotonic_ns() - int(text[:20])) / 1e9)


class WebSockets:
    """Turns on sockets."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url.replace("http", "ws", 1) + "/responses?model=bench"
        self.sockets: list[aiohttp.ClientWebSocketResponse[Any]] = []

    async def open(self, count: int) -> None:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one() -> None:
            async with gate:
                socket = await self._session.ws_connect(
                    self._url,
                    headers={"Authorization": f"Bearer {KEY}"},
                    max_msg_size=0,
                    decode_text=False,
                )
            self.sockets.append(socket)

        await asyncio.gather(*(one() for _ in range(count)))

    async def turn(self, index: int, run: Run) -> None:
        socket = self.sockets[index]
        create = {"type": "response.create", "model": "bench", "store": False, "input": run.prompt}
        begun: float | None = time.perf_counter()
        await socket.send_str(json.dumps(create))
        characters = 0
        async for message in socket:
            event = decode(message.data)
            run.events += 1
            if event.type == "response.output_text.delta":
                run.took(event.delta, begun)
                begun = None
                characters += len(event.delta)
            elif event.type in TERMINAL:
                run.ended(characters, well=event.type == "response.completed")
                if event.type in {"error", "response.failed"}:
                    print(bytes(message.data)[:400], file=sys.stderr)
                return
        raise RuntimeError(f"socket {index} closed with {socket.close_code} in the middle")

    async def close(self) -> None:
        await asyncio.gather(*(socket.close() for socket in self.sockets))
        self.sockets.clear()


class Posts:
    """The same turns at the upstream itself."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = f"{url}/chat/completions"

    async def open(self, count: int) -> None: ...

    async def close(self) -> None: ...

    async def turn(self, index: int, run: Run) -> None:  # noqa: ARG002  # any connection will do
        body = {"model": "bench", "messages": [{"role": "user", "content": run.prompt}]}
        begun: float | None = time.perf_counter()
        characters, rest = 0, b""
        async with self._session.post(self._url, json=body | {"stream": True}) as answer:
            while data := await answer.content.readany():
                *whole, rest = (rest + data).split(b"\n\n")
                for line in whole:
                    if line == b"data: [DONE]":
                        continue
                    run.events += 1
                    chunk = decode_chunk(line[6:])
                    if chunk.choices and chunk.choices[0].delta.content:
                        run.took(chunk.choices[0].delta.content, begun)
                        begun = None
                        characters += len(chunk.choices[0].delta.content)
        run.ended(characters, well=True)


async def run_turns(
    way: WebSockets | Posts, *, sockets: int, turns: int, deltas: int, gap: float
) -> dict[str, Any]:
    """Ask turns on all sockets at once; paced ones begin one after the other, out of step."""
    gc.collect()
    run = Run(deltas, gap)

    async def one(index: int) -> None:
        await asyncio.sleep(deltas * gap * (index * GOLDEN % 1))
        for _ in range(turns):
            await way.turn(index, run)

    begun = time.perf_counter()
    async with asyncio.timeout(MOST_SECONDS):
        await asyncio.gather(*map(one, range(sockets)))
    return {
        "wall": time.perf_counter() - begun,
        "turns": run.turns,
        "errors": run.errors,
        "events": run.events,
        "deltas": run.seen,
        "first": run.first if gap else [],
        "each": run.each,
    }


async def serve() -> None:
    commands = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        print(json.dumps({"ready": "client"}), flush=True)
        way: WebSockets | Posts | None = None
        while line := await commands.readline():
            command = json.loads(line)
            kind = command.pop("kind")
            begun = time.perf_counter()
            result: dict[str, Any] = {}
            if kind == "open":
                made = Posts if command["direct"] else WebSockets
                way = made(session, command["url"])
                await way.open(command["sockets"])
            elif way is not None and kind == "run":
                result = await run_turns(way, **command)
            elif way is not None:
                await way.close()
            print(json.dumps({"wall": time.perf_counter() - begun} | result), flush=True)


if __name__ == "__main__":
    asyncio.run(serve())
