"""A scripted Responses server on a real socket, written apart from the engine and the gateway.

    async with Peer(lambda create: [answer("Hello")]) as peer:
        ...  # point a client at peer.base_url
    assert peer.model_runs == 1

It behaves like the hosted service unless a script says otherwise: lanes, FIFO inside a lane, one
remembered response per lane, refusals of broken chains.  It counts *model runs*: the one number in
which every turn that was sent twice shows.  Nothing in it sleeps; scripts wait at gates.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Self

from aiohttp import web

from turnwire.testing.handshake import Handshake, handshake_step, perform_handshake
from turnwire.testing.lanes import LaneMode, LaneQueues
from turnwire.testing.model import Model, Turn, describe
from turnwire.testing.rules import Memory, Node, decode_message, decode_object
from turnwire.testing.script import echo, error
from turnwire.testing.steps import Error, Json, Script, Step
from turnwire.testing.wires import GONE, Connection, Post, drop_transport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

_PATHS: Final = ("/v1/responses", "/responses")
_ONLY_ON_WEBSOCKET: Final = ("stream_id", "generate")


class Peer:
    """A scripted server; an async context manager that serves on loopback, on a free port.

    Args:
        script: What to do with each create that passes the rules; by default the user is echoed.
        warm_up: Steps of every create with ``generate: false``; by default it completes, empty.
        lanes: ``echo`` as the hosted service, ``ignore`` or ``reject``; see ``LaneQueues``.
        active_limit: Active turns per connection.
        name_limit: Lane names per connection.
        handshake: What happens to upgrades: a status or a step for all of them; a list of those,
            one for each upgrade, after which upgrades are accepted (None accepts one); or a
            function of the HTTP request.
        max_message_bytes: A larger message closes the connection with 1009.

    Attributes:
        connections: All accepted WebSocket connections, in order.
        posts: All POSTs, in order.
        handshakes: Headers of all upgrades, refused ones included.
    """

    def __init__(
        self,
        script: Script = echo,
        *,
        warm_up: Sequence[Step] = (),
        lanes: LaneMode = "echo",
        active_limit: int = 16,
        name_limit: int = 32,
        handshake: Handshake = None,
        max_message_bytes: int = 16 * 2**20,  # as met in the field: docs/protocol/limits.md
    ) -> None:
        self.connections: list[Connection] = []
        self.posts: list[Post] = []
        self.handshakes: list[Mapping[str, str]] = []
        self._model = Model(script, warm_up, self._note)
        self._lanes: LaneMode = lanes
        self._active_limit = active_limit
        self._name_limit = name_limit
        self._handshake: Handshake = handshake
        self._max_message_bytes = max_message_bytes
        self._stored: dict[str, Node] = {}
        self._open: dict[int, web.Request] = {}
        self._changed = asyncio.Event()
        self._runner: web.AppRunner | None = None

    # What tests ask

    @property
    def base_url(self) -> str:
        """Where to point an HTTP client: ``http://127.0.0.1:PORT/v1``."""
        if self._runner is None:
            raise RuntimeError("The peer does not serve yet; use `async with Peer() as peer`.")
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    @property
    def websocket_url(self) -> str:
        """Where to point a plain WebSocket client."""
        return f"{self.base_url.replace('http', 'ws', 1)}/responses"

    @property
    def model_runs(self) -> int:
        """Creates that a model began to answer: not refusals, not warm-ups."""
        return self._model.model_runs

    @property
    def warm_ups(self) -> int:
        """Creates with ``generate: false`` that were accepted."""
        return self._model.warm_ups

    @property
    def refusals(self) -> list[Error]:
        """The errors that the rules, not the script, sent, in order."""
        return self._model.refusals

    @property
    def creates(self) -> list[Json]:
        """All creates, connection by connection, then the bodies of POSTs."""
        sent = [create for connection in self.connections for create in connection.creates]
        return sent + [post.body for post in self.posts]

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition over the peer holds; looked at after everything that happens."""
        while not condition():
            await self._changed.wait()

    def _note(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    # Serving

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=self._max_message_bytes)
        for path in _PATHS:
            app.router.add_get(path, self._get, allow_head=False)
            app.router.add_post(path, self._post)
        # A POST whose client left is cancelled, as its turn is on a WebSocket.
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Cut every connection off and stop.

        What the script raised is noted on an exception that leaves the block.

        Raises:
            ExceptionGroup: The script raised, and nothing else did.
        """
        assert self._runner is not None  # set by __aenter__
        for request in self._open.values():
            drop_transport(request, reset=True)
        await self._runner.cleanup()
        failures = self._model.failures
        if failures and exception is None:
            raise ExceptionGroup("The script of the peer failed", failures)
        if exception is not None:
            for failure in failures:
                exception.add_note(f"The script of the peer failed: {describe(failure)}")

    async def _get(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return web.Response(status=426, headers={"Upgrade": "websocket"})
        self._open[id(request)] = request
        self.handshakes.append(request.headers)
        self._note()
        try:
            step = handshake_step(self._handshake, len(self.handshakes), request)
            return await perform_handshake(step, request) or await self._serve(request)
        finally:
            del self._open[id(request)]
            self._note()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        websocket = web.WebSocketResponse(
            max_msg_size=self._max_message_bytes,
            autoclose=False,  # Connection closes
        )
        await websocket.prepare(request)
        connection = Connection(len(self.connections), request, websocket)
        self.connections.append(connection)
        self._note()
        lanes = LaneQueues(self._lanes, self._active_limit, self._name_limit)
        serving = _Serving(connection, lanes, Memory(self._stored), self._model)
        await serving.run()
        return websocket

    async def _post(self, request: web.Request) -> web.StreamResponse:
        self._open[id(request)] = request
        try:
            raw = await request.read()
            body = decode_object(raw)
            post = Post(request, raw, {} if isinstance(body, Error) else body)
            self.posts.append(post)
            refusal = body if isinstance(body, Error) else _unsupported(body)
            if refusal is not None:
                await self._model.turn_away(post, refusal)
            else:
                memory = Memory(self._stored)
                turn = self._model.begin(post.body, memory)
                await self._model.perform(turn, post, memory)
            return post.result()
        finally:
            del self._open[id(request)]
            self._note()


class _Serving:
    """One WebSocket connection being served."""

    def __init__(
        self, connection: Connection, lanes: LaneQueues, memory: Memory, model: Model
    ) -> None:
        self._connection = connection
        self._lanes = lanes
        self._memory = memory
        self._model = model
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        try:
            await self._connection.read(self._received)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _received(self, data: bytes | None) -> None:
        message = _NOT_TEXT if data is None else decode_message(data)
        if isinstance(message, Error):
            await self._model.turn_away(self._connection, message)
            return
        self._connection.received.append(message)
        self._model.changed()
        match message["type"]:
            case "response.create":
                refusal = self._lanes.add(message)
                if refusal is not None:
                    name = message.get("stream_id")
                    await self._model.turn_away(self._connection, refusal, name)
                self._start_ready()
            case "response.steer":
                await self._connection.send(_steer_failed(message))
            case "response.processed":
                pass  # an acknowledgement; nothing is expected
            case kind:
                unknown = error("invalid_event", param="type", message=f"Unknown type {kind!r}.")
                await self._model.turn_away(self._connection, unknown)

    def _start_ready(self) -> None:
        while (ready := self._lanes.take()) is not None:
            lane, request = ready
            turn = self._model.begin(request, self._memory, self._connection.index, lane)
            task = asyncio.create_task(self._perform(turn))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _perform(self, turn: Turn) -> None:
        try:
            await self._model.perform(turn, self._connection, self._memory)
        except GONE:
            return  # run() sees the end of the connection as well
        self._lanes.release(turn.create.lane)
        self._start_ready()


_NOT_TEXT: Final = error("invalid_json", message="Send text messages, not binary ones.")


def _unsupported(body: Json) -> Error | None:
    for name in _ONLY_ON_WEBSOCKET:
        if name in body:
            text = f"Unsupported parameter: {name!r}."
            return error("unsupported_parameter", param=name, message=text)
    return None


def _steer_failed(message: Json) -> Json:
    steer = {name: message.get(name) for name in ("previous_response_id", "input")}
    failure = {
        "type": "invalid_request_error",
        "code": "steering_not_supported",
        "message": "This peer does not steer.",
    }
    return {
        "type": "response.steer.failed",
        "sequence_number": 0,
        "error": failure,
        "steer": steer,
    }
