"""One scenario, two libraries, two colours: what tests of the drop-in transport are written with.

Blocking calls run on threads, so that the peer, which lives in the test's loop, goes on.
"""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import ModuleType

    from turnwire.testing import Peer

Json = dict[str, Any]

ASK: Json = {"model": "any", "input": "Hi"}
_END = object()
_THREADS = ThreadPoolExecutor(64)  # more than any scenario has calls at once


async def in_thread(function: Any, *given: Any, **named: Any) -> Any:
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_THREADS, partial(function, *given, **named))


@dataclass
class Calls:
    """An HTTP client of either colour, pointed at a peer; everything of it is awaited."""

    client: Any
    url: str
    is_async: bool
    key: str = "sk-of-a-test"

    async def run(self, function: Any, *given: Any, **named: Any) -> Any:
        if self.is_async:
            return await function(*given, **named)
        return await in_thread(function, *given, **named)

    async def ask(self, body: Json | bytes = ASK, **options: Any) -> Any:
        """Create a response; return the library's response, read."""
        return await self.run(self.client.post, self.url, **self._request(body, options))

    def _request(self, body: Json | bytes, options: Json) -> Json:
        headers = {"authorization": f"Bearer {self.key}", **options.pop("headers", {})}
        if isinstance(body, bytes):
            headers = {"content-type": "application/json", **headers}
            return {"content": body, "headers": headers, **options}
        return {"json": body, "headers": headers, **options}

    @asynccontextmanager
    async def stream(self, body: Json = ASK, **options: Any) -> AsyncIterator[Streamed]:
        """Create a streamed response, and leave it at the end of the block."""
        request = self._request({**body, "stream": True}, options)
        opening = self.client.stream("POST", self.url, **request)
        if self.is_async:
            async with opening as response:
                yield Streamed(response, response.aiter_bytes(), is_async=True)
            return
        response = await in_thread(opening.__enter__)
        try:
            yield Streamed(response, response.iter_bytes(), is_async=False)
        finally:
            await in_thread(opening.__exit__, None, None, None)

    async def read(self, body: Json = ASK, **options: Any) -> list[Event]:
        """Stream to the end; return the events."""
        async with self.stream(body, **options) as streamed:
            return events_in(b"".join([piece async for piece in streamed]))

    async def close(self) -> None:
        await self.run(self.client.aclose if self.is_async else self.client.close)


@dataclass
class Streamed:
    """A response whose body comes in pieces."""

    response: Any
    pieces: Any
    is_async: bool

    def __aiter__(self) -> Streamed:
        return self

    async def __anext__(self) -> bytes:
        if self.is_async:
            return await anext(self.pieces)
        found = await in_thread(next, self.pieces, _END)
        if found is _END:
            raise StopAsyncIteration
        return found

    async def until(self, word: bytes) -> bytes:
        """Read as far as a word."""
        came = b""
        while word not in came:
            came += await anext(self)
        return came


Event = tuple[str, Json]


def events_in(body: bytes) -> list[Event]:
    """Take an event stream apart, strictly; comments come as events without a name."""
    assert body.endswith(b"\n\n")
    found: list[Event] = []
    for block in body.removesuffix(b"\n\n").split(b"\n\n"):
        if block.startswith(b": "):
            found.append(("", {"comment": block[2:].decode()}))
            continue
        name, data = block.split(b"\n")
        assert name.startswith(b"event: ")
        assert data.startswith(b"data: ")
        found.append((name[7:].decode(), json.loads(data[6:])))
    return found


def text_of(events: list[Event]) -> str:
    return "".join(event["delta"] for name, event in events if name.endswith("text.delta"))


def output_text(response: Any) -> str:
    """Return what a response that is not streamed says."""
    parts = [part for item in response.json()["output"] for part in item.get("content", ())]
    return "".join(part["text"] for part in parts)


def report(response: Any) -> Any:
    return response.extensions["turnwire"]


def over(way: Any, peer: Peer | str, **options: Any) -> Calls:
    """Make a client of a library and a colour on a drop-in transport."""
    library, is_async = way
    made = (library.AsyncClient if is_async else library.Client)(**options)
    return Calls(made, f"{getattr(peer, 'base_url', peer)}/responses", is_async)


@asynccontextmanager
async def opened(way: Any, peer: Peer | str, **options: Any) -> AsyncIterator[Calls]:
    """The same, closed at the end."""
    calls = over(way, peer, **options)
    try:
        yield calls
    finally:
        await calls.close()


@asynccontextmanager
async def plainly(library: ModuleType, peer: Peer) -> AsyncIterator[Calls]:
    """Open the library's own client, over plain HTTP."""
    async with library.AsyncClient() as client:
        yield Calls(client, f"{peer.base_url}/responses", is_async=True)


def user(text: str) -> Json:
    return {"role": "user", "content": text}
