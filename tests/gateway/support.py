"""What the tests of the gateway share: a bare client, a model on strings, ready-made requests."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec

from turnwire.gateway import Gateway, Settings
from turnwire.gateway.app import WORK
from turnwire.gateway.observing.statistics import Statistics
from turnwire.gateway.store import MemoryStore
from turnwire.gateway.store.event_log import EventLog, EventLogs
from turnwire.gateway.turns import Turns
from turnwire.gateway.upstreams.deltas import Delta, Finished, TextDelta
from turnwire.gateway.upstreams.scripted import ScriptedUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from turnwire.gateway.access.keys import Keyring
    from turnwire.gateway.context import Context, Prompt
    from turnwire.gateway.store import Store
    from turnwire.gateway.upstreams import Upstream

Json = dict[str, Any]

TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed", "error"})


def function(name: str, description: str = "", **properties: Json) -> Json:
    """Return a function tool whose parameters are all required."""
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "name": name, "description": description, "parameters": schema}


def user(text: str) -> Json:
    return {"type": "message", "role": "user", "content": text}


def output_of(call: Json, text: str) -> Json:
    return {"type": "function_call_output", "call_id": call["call_id"], "output": text}


def events_in(text: str) -> list[Json]:
    """Return the events of a whole stream of server-sent events, whose names are their types."""
    events: list[Json] = []
    for block in text.removesuffix("\n\n").split("\n\n") if text else []:
        name, data = block.split("\n")
        events.append(msgspec.json.decode(data.removeprefix("data: ")))
        assert name == f"event: {events[-1]['type']}"
    return events


async def until(condition: Callable[[], bool]) -> None:
    """Let others run until it is so."""
    while not condition():  # noqa: ASYNC110  # no event tells it
        await asyncio.sleep(0)


def text_of(response: Json) -> str:
    parts = [part for item in response["output"] for part in item.get("content", [])]
    return "".join(part["text"] for part in parts)


def calls_of(response: Json) -> list[Json]:
    return [item for item in response["output"] if item["type"] == "function_call"]


class TurnsInMemory:
    """The gateway without its sockets."""

    def __init__(self, upstream: Upstream | None = None) -> None:
        self.statistics = Statistics()
        self.store = MemoryStore(2**20, 1000)
        self.logs = EventLogs(2**20, 1000)
        self.turns = Turns(
            upstream or ScriptedUpstream(),
            self.store,
            self.statistics,
            self.logs,
            clock=lambda: 1000.0,
        )
        self.remembered: dict[str, Context] = {}

    async def events(self, owner: str = "", **create: Any) -> list[Json]:
        """Run a turn and return its events."""
        parent = self.remembered.get(str(create.get("previous_response_id")))
        events = self.turns.events(
            {"model": "m", **create}, EventLog(owner), cached_parent=parent, remember=self.remember
        )
        return [event async for event in events]

    def remember(self, context: Context) -> None:
        self.remembered[context.response_id] = context

    async def respond(self, **create: Any) -> Json:
        """Run a turn that succeeds and return its response."""
        terminal = (await self.events(**create))[-1]
        assert terminal["type"] in TERMINAL - {"error", "response.failed"}, terminal
        return terminal["response"]

    async def refusal(self, **create: Any) -> Json:
        """Run a turn that is refused and return its error event."""
        (event,) = await self.events(**create)
        assert event["type"] == "error"
        return event


class ModelRun:
    """One run of the model on strings; the test says what it says."""

    def __init__(self, prompt: Prompt) -> None:
        self.prompt = prompt
        self.stopped = asyncio.Event()
        self._deltas: asyncio.Queue[Delta | Exception | None] = asyncio.Queue()

    def say(self, delta: Delta | str) -> None:
        self._deltas.put_nowait(TextDelta(delta) if isinstance(delta, str) else delta)

    def fail(self, error: Exception) -> None:
        self._deltas.put_nowait(error)

    def cut(self) -> None:
        """End without ``Finished``."""
        self._deltas.put_nowait(None)

    def finish(self, text: str = "") -> None:
        if text:
            self.say(text)
        self.say(Finished())

    async def deltas(self) -> AsyncIterator[Delta]:
        while (delta := await self._deltas.get()) is not None:
            if isinstance(delta, Exception):
                raise delta
            yield delta
            if isinstance(delta, Finished):
                return


class Puppet:
    """A model on strings."""

    models = ("puppet",)

    def __init__(self) -> None:
        self.started: asyncio.Queue[ModelRun] = asyncio.Queue()

    async def generate(self, prompt: Prompt) -> AsyncGenerator[Delta]:
        run = ModelRun(prompt)
        self.started.put_nowait(run)
        try:
            async for delta in run.deltas():
                yield delta
        finally:
            run.stopped.set()

    async def run(self) -> ModelRun:
        return await self.started.get()


class Endless:
    """A model that never stops talking."""

    models = ("endless",)

    def __init__(self) -> None:
        self.said_bytes = 0
        self.stopped = asyncio.Event()

    async def generate(self, prompt: Prompt) -> AsyncGenerator[Delta]:
        try:
            while True:
                await asyncio.sleep(0)
                self.said_bytes += 1000
                yield TextDelta("x" * 1000)
        finally:
            self.stopped.set()


class Client:
    """A WebSocket client that knows nothing but JSON."""

    def __init__(self, raw: aiohttp.ClientWebSocketResponse) -> None:
        self.raw = raw

    async def send(self, event: Json) -> None:
        await self.raw.send_str(msgspec.json.encode(event).decode())

    async def create(self, **parameters: Any) -> None:
        await self.send({"type": "response.create", "model": "m", **parameters})

    async def event(self) -> Json:
        message = await self.raw.receive()
        assert message.type is aiohttp.WSMsgType.TEXT, message
        return msgspec.json.decode(message.data)

    async def until(self, *types: str) -> list[Json]:
        events = [await self.event()]
        while events[-1]["type"] not in types:
            events.append(await self.event())
        return events

    async def terminal(self) -> Json:
        return (await self.until(*TERMINAL))[-1]

    async def respond(self, **parameters: Any) -> Json:
        """Run a turn that succeeds and return its response."""
        await self.create(**parameters)
        terminal = await self.terminal()
        assert terminal["type"] in {"response.completed", "response.incomplete"}, terminal
        return terminal["response"]

    async def refused(self, **parameters: Any) -> Json:
        """Run a turn that is refused and return its error event."""
        await self.create(**parameters)
        event = await self.event()
        assert event["type"] == "error", event
        return event

    async def closed(self) -> int | None:
        """Wait until the server closes and return its code."""
        message = await self.raw.receive()
        assert message.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}, message
        return self.raw.close_code


class Talk:
    """A gateway and its clients, all closed at the end."""

    def __init__(self, gateway: Gateway, session: aiohttp.ClientSession) -> None:
        self.gateway = gateway
        self.session = session
        self._clients: list[Client] = []  # a socket that nobody holds would be closed

    async def dial(self, path: str = "/v1/responses", **options: Any) -> Client:
        raw = await self.session.ws_connect(self.gateway.url + path, **options)
        self._clients.append(Client(raw))
        return self._clients[-1]

    def grow_old(self) -> None:
        """Let every socket reach its age now."""
        for socket in tuple(self.gateway._app[WORK]._sockets):
            socket._grow_old()

    async def post(self, path: str = "/v1/responses", **body: Any) -> tuple[int, Json]:
        async with self.session.post(
            self.gateway.url + path, json={"model": "m", **body}
        ) as response:
            return response.status, await response.json()

    async def get(self, path: str, **headers: str) -> tuple[int, Json]:
        return await self.request("GET", path, **headers)

    async def delete(self, response_id: str, **headers: str) -> tuple[int, Json]:
        return await self.request("DELETE", f"/v1/responses/{response_id}", **headers)

    async def request(self, method: str, path: str, **headers: str) -> tuple[int, Json]:
        url = self.gateway.url + path
        async with self.session.request(method, url, headers=headers) as response:
            return response.status, await response.json()

    async def fetch(self, response_id: str, after: int | None = None) -> list[Json]:
        """Return the events of a stored response, as a stream of them gives them."""
        query = "?stream=true" + ("" if after is None else f"&starting_after={after}")
        url = f"{self.gateway.base_url}/responses/{response_id}{query}"
        async with self.session.get(url) as answer:
            assert (answer.status, answer.content_type) == (200, "text/event-stream")
            return events_in(await answer.text())


@asynccontextmanager
async def talk(
    upstream: Upstream | None = None,
    *,
    keyring: Keyring | None = None,
    store: Store | None = None,
    **settings: Any,
) -> AsyncIterator[Talk]:
    everything = Settings(**{"port": 0, "drain_timeout": 0.2, **settings})
    async with (
        Gateway(settings=everything, upstream=upstream, store=store, keyring=keyring) as gateway,
        aiohttp.ClientSession() as session,
    ):
        yield Talk(gateway, session)
