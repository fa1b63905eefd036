"""One client's socket: what ``Serving`` decides, done.

One reader, one writer, one task a turn.  Every message gets an answer, bad input never closes the
socket, and a client that vanishes takes its model runs with it, unless they may linger.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, cast

from aiohttp import WSCloseCode, WSMsgType, web

from turnwire.core.lane import Lanes
from turnwire.core.serving import (
    Forget,
    HangUp,
    Reply,
    Serving,
    ServingAction,
    Start,
    Stop,
    error_event,
)
from turnwire.events import MalformedMessage, decode_envelope, encode
from turnwire.gateway.downstream.outbox import Outbox
from turnwire.gateway.downstream.running import RunningTurn
from turnwire.gateway.owner import owner_of
from turnwire.gateway.store.event_log import EventLog
from turnwire.gateway.store.shelf import Shelf

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter

    from turnwire.gateway.context import Context
    from turnwire.gateway.downstream.lingering import Lingering
    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.settings import Settings
    from turnwire.gateway.statistics import Statistics
    from turnwire.gateway.turns import Turns


_log = logging.getLogger(__name__)

# A message above the limit, but not far above, is read to its end and refused with a clear error;
# one that is longer still closes the socket with 1009, as nothing else bounds its memory.
_OVERSIZE_READ: Final = 2


class DownstreamSocket:
    """Serves one client until its socket closes.

    Args:
        default_model: For creates that name no model, from the address that was dialled.
        protocols: Subprotocols to accept.
    """

    def __init__(
        self,
        turns: Turns,
        settings: Settings,
        statistics: Statistics,
        lingering: Lingering,
        *,
        default_model: str | None,
        protocols: tuple[str, ...] = (),
    ) -> None:
        self._turns = turns
        self._settings = settings
        self._statistics = statistics
        self._lingering = lingering
        self._default_model = default_model
        self._serving = Serving(
            active_limit=settings.active_limit,
            named_limit=settings.named_limit,
            queue_bytes=settings.queue_bytes,
        )
        # Each lane's latest response (docs/protocol/continuation.md#cache), and for a moment the
        # one that takes its place.
        limit_count = 1 + settings.named_limit + settings.active_limit
        self._contexts = Shelf(settings.connection_bytes, limit_count)
        self._outbox = Outbox(settings.outbox_bytes)
        self._running: dict[int, RunningTurn] = {}
        self._owner = ""
        self._socket: web.WebSocketResponse[Literal[False]] = web.WebSocketResponse(
            heartbeat=settings.heartbeat,
            protocols=protocols,
            max_msg_size=settings.max_message_bytes * _OVERSIZE_READ,
            decode_text=False,
            writer_limit=sys.maxsize,  # `_write` waits itself, with a timeout
        )
        self._loop = asyncio.get_running_loop()
        self._old = False
        self._ending = False

    async def serve(self, request: web.Request) -> web.WebSocketResponse[Literal[False]]:
        """Take the upgrade and talk until the socket closes."""
        self._owner = owner_of(request.headers)
        stream = await self._socket.prepare(request)
        self._statistics.sockets += 1
        self._statistics.sockets_open += 1
        aging = self._loop.call_later(self._settings.max_age, self._grow_old)
        writer = asyncio.create_task(self._write(request, stream))
        try:
            await self._read()
        finally:
            self._ending = True
            aging.cancel()
            self._statistics.sockets_open -= 1
            self._serving.lost(self._loop.time())
            self._perform()
            if self._outbox.close_code is None:
                writer.cancel()  # otherwise it is closing the socket, politely
            tasks = [turn.task for turn in self._running.values()]
            await asyncio.gather(writer, *tasks, return_exceptions=True)
        return self._socket

    def drain(self) -> None:
        """Take no new turns; close when the running ones have ended."""
        if not self._ending:
            self._ending = True
            self._serving.drain(self._loop.time())
            self._perform()

    def _grow_old(self) -> None:
        self._old = True
        self.drain()

    # Reading

    async def _read(self) -> None:
        while True:
            message = await self._socket.receive()
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return  # closing, closed or broken: aiohttp has answered what can be answered
            self._received(cast("bytes", message.data), text=message.type is WSMsgType.TEXT)
            await self._outbox.room()

    def _received(self, data: bytes, *, text: bool) -> None:
        self._statistics.bytes_in += len(data)
        if len(data) > self._settings.max_message_bytes:
            self._refuse_oversize(data)
            return
        self._serving.received(data, self._loop.time(), text=text)
        self._perform()

    def _refuse_oversize(self, data: bytes) -> None:
        refusal = error_event(
            f"This message has {len(data)} bytes; the limit is"
            f" {self._settings.max_message_bytes}. Send less, for instance only what is new, with"
            " `previous_response_id`.",
            status=413,
            code="message_too_large",
        )
        with suppress(MalformedMessage):
            lane = decode_envelope(data).stream_id
            if lane is not None and Lanes[object]().refusal(lane) is None:
                refusal["stream_id"] = lane
        self._send(refusal)

    # Doing what was decided

    def _perform(self) -> None:
        for action in self._serving.actions():
            self._do(action)

    def _do(self, action: ServingAction) -> None:
        match action:
            case Reply(data):
                self._outbox.put(data)
            case Start(turn, request, parent_cached):
                # Bound now: the lane may move on before the task runs.
                self._start(turn, request, self._cached(request) if parent_cached else None)
            case Stop(turn):
                if turn in self._running and not self._running[turn].leave():
                    del self._running[turn]  # it lingers: nobody here waits for it
            case Forget(response_id):
                self._contexts.forget(response_id)
            case HangUp(code):
                self._hang_up(code)

    def _cached(self, request: Json) -> Context | None:
        return self._contexts.get(request["previous_response_id"])

    def _hang_up(self, code: int) -> None:
        if self._old:
            self._send(
                error_event(
                    f"This connection is {self._settings.max_age:g} seconds old and takes no more"
                    " turns. Open another one.",
                    code="websocket_connection_limit_reached",
                )
            )
        else:
            code = WSCloseCode.GOING_AWAY  # the gateway stops: clients dial again on this code
        self._outbox.finish(code)

    def _send(self, event: Json) -> None:
        self._outbox.put(encode(event))

    def _start(self, turn: int, request: Json, parent: Context | None) -> None:
        log = EventLog(self._owner)
        events = self._turns.events(
            request,
            log,
            cached_parent=parent,
            remember=self._contexts.put,
            default_model=self._default_model,
        )
        running = RunningTurn(
            events,
            log,
            partial(self._show, turn),
            lingering=self._lingering,
            name=f"turn {turn}",
        )
        self._running[turn] = running
        running.task.add_done_callback(lambda _: self._running.pop(turn, None))

    async def _show(self, turn: int, event: Json) -> None:
        self._serving.emit(turn, event, self._loop.time())
        self._perform()
        await self._outbox.room()

    # Writing

    async def _write(self, request: web.Request, stream: AbstractStreamWriter) -> None:
        try:
            while self._outbox.close_code is None:
                await self._outbox.filled()
                await self._write_all(request, stream)
            await self._socket.close(code=self._outbox.close_code)
        except TimeoutError:
            _log.warning("a client read nothing for too long; its socket was dropped")
            if request.transport is not None:
                request.transport.abort()
        except ConnectionError:
            pass  # the reader is told, too
        finally:
            self._outbox.abandon()

    async def _write_all(self, request: web.Request, stream: AbstractStreamWriter) -> None:
        while (message := self._outbox.take()) is not None:
            await self._socket.send_frame(message, WSMsgType.TEXT)
            if request.protocol.writing_paused:
                async with asyncio.timeout(self._settings.stall_timeout):
                    await stream.drain()
            self._outbox.written(message)
            self._statistics.bytes_out += len(message)
