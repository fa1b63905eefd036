"""What the peer answers to HTTP: upgrades, POSTs and GETs, and everything that it keeps of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import web

from turnwire.testing.connection import Connection
from turnwire.testing.doors import WRONG_KEY, Door, door_step, has_key, perform_door
from turnwire.testing.faults import error
from turnwire.testing.flag import Changes
from turnwire.testing.lanes import LaneMode, LaneQueues
from turnwire.testing.log import Log
from turnwire.testing.model import Model, Resumes
from turnwire.testing.retrieving import Retrieval
from turnwire.testing.rules import Memory, Node, decode_object
from turnwire.testing.serving import Serving
from turnwire.testing.steps import Error, Json, Script, SteerScript, Step
from turnwire.testing.wires import GONE, Post, drop_transport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from turnwire.testing.clock import Clock

_PATHS: Final = ("/v1/responses", "/responses")
_ONLY_ON_WEBSOCKET: Final = ("stream_id", "generate")


@dataclass(slots=True)
class Behaviour:
    """The arguments of a ``Peer``, which explains them."""

    script: Script
    warm_up: Sequence[Step]
    steer: SteerScript | None
    opening: Callable[[int], Sequence[Step]]
    lanes: LaneMode
    active_limit: int
    name_limit: int
    handshake: Door
    posts: Door
    retrievals: Door
    resumes: Resumes
    key: str | None
    remembers: bool
    age_limit: float | None
    max_message_bytes: int


class Server:
    """Serves as it is told and keeps what it saw; see ``Peer`` for the attributes."""

    def __init__(self, behaviour: Behaviour, clock: Clock) -> None:
        self.behaviour = behaviour
        self.changes = Changes()
        self.connections: list[Connection] = []
        self.posts: list[Post] = []
        self.retrievals: list[Retrieval] = []
        self.handshakes: list[Mapping[str, str]] = []
        self.model = Model(
            behaviour.script, behaviour.warm_up, behaviour.resumes, self.changes, clock
        )
        self.log = Log(lambda: self.model.clock.now, self.changes.note)
        self.open: dict[int, web.Request] = {}
        self._stored: dict[str, Node] = {}
        self._memories: list[Memory] = []

    def app(self) -> web.Application:
        """Return what aiohttp is to run."""
        app = web.Application(client_max_size=self.behaviour.max_message_bytes)
        for path in _PATHS:
            app.router.add_get(path, self._upgrade, allow_head=False)
            app.router.add_post(path, self._post)
            app.router.add_get(f"{path}/{{id}}", self._retrieve, allow_head=False)
        return app

    def forget(self) -> None:
        """Forget every response, stored or not."""
        self._stored.clear()
        for memory in self._memories:
            memory.clear()

    def cut_off(self) -> None:
        """Reset every connection."""
        for request in self.open.values():
            drop_transport(request, reset=True)

    async def stop(self) -> None:
        """Stop what goes on without a connection, now that all of those have ended."""
        tasks = list(self.model.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _memory(self) -> Memory:
        memory = Memory(self._stored, remembers=self.behaviour.remembers)
        self._memories.append(memory)
        return memory

    async def _while_open(
        self, request: web.Request, doing: Awaitable[web.StreamResponse]
    ) -> web.StreamResponse:
        self.open[id(request)] = request
        try:
            return await doing
        except GONE:
            return web.Response()  # to nobody: the client has left
        finally:
            del self.open[id(request)]
            self.changes.note()

    async def _stopped_at(
        self, door: Door, number: int, request: web.Request
    ) -> web.StreamResponse | None:
        """Do what stands before a request; return its answer, or None to go on."""
        step = door_step(door, number, request)
        if step is None and not has_key(request, self.behaviour.key):
            step = WRONG_KEY
        return await perform_door(step, request, self.model.clock, self.changes)

    # Upgrades

    async def _upgrade(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return web.Response(status=426, headers={"Upgrade": "websocket"})
        self.handshakes.append(request.headers)
        name, number = f"upgrade {len(self.handshakes) - 1}", len(self.handshakes)
        self.log.add(name, "client", "request", note=request.path)

        async def answer() -> web.StreamResponse:
            stopped = await self._stopped_at(self.behaviour.handshake, number, request)
            if stopped is None:
                return await self._serve(request)
            self.log.add(name, "peer", "answer", note=str(stopped.status))
            return stopped

        return await self._while_open(request, answer())

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        told = self.behaviour
        websocket = web.WebSocketResponse(
            max_msg_size=0,  # Connection counts: here a reset might overtake the 1009
            autoclose=False,  # Connection closes
            autoping=False,  # and answers, if it is to
        )
        await websocket.prepare(request)
        index = len(self.connections)
        connection = Connection(
            index,
            request,
            websocket,
            self.model.clock,
            self.log,
            names_lanes=told.lanes != "mix",
            max_message_bytes=told.max_message_bytes,
        )
        self.connections.append(connection)
        self.changes.note()
        lanes = LaneQueues(told.lanes, told.active_limit, told.name_limit)
        serving = Serving(connection, lanes, self._memory(), self.model, told.steer)
        await serving.run(told.opening(index), told.age_limit)
        return websocket

    # POST

    async def _post(self, request: web.Request) -> web.StreamResponse:
        return await self._while_open(request, self._answer_post(request))

    async def _answer_post(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        body = decode_object(raw)
        post = Post(
            len(self.posts), request, raw, {} if isinstance(body, Error) else body, self.log
        )
        self.posts.append(post)
        self.changes.note()
        try:
            return await self._run_post(post, body, request)
        finally:
            post.is_open = False

    async def _run_post(
        self, post: Post, body: Json | Error, request: web.Request
    ) -> web.StreamResponse:
        stopped = await self._stopped_at(self.behaviour.posts, post.index + 1, request)
        if stopped is not None:
            return post.answered(stopped)
        refusal = body if isinstance(body, Error) else _unsupported(body)
        if refusal is not None:
            await self.model.turn_away(post, refusal)
        else:
            turn = self.model.begin(post.body, self._memory())
            task = asyncio.create_task(self.model.perform(turn, post))
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:  # the client has left
                if turn.goes_on:
                    self.model.keep(task)
                else:
                    task.cancel()
                raise
        return await post.result()

    # GET

    async def _retrieve(self, request: web.Request) -> web.StreamResponse:
        retrieval = Retrieval(len(self.retrievals), request, self.log)
        self.retrievals.append(retrieval)
        self.changes.note()
        step = door_step(self.behaviour.retrievals, len(self.retrievals), request)
        if step is None and not has_key(request, self.behaviour.key):
            step = WRONG_KEY
        return await self._while_open(request, retrieval.answer(self.model, step))


def _unsupported(body: Json) -> Error | None:
    for name in _ONLY_ON_WEBSOCKET:
        if name in body:
            text = f"Unsupported parameter: {name!r}."
            return error("unsupported_parameter", param=name, message=text)
    return None
