"""One client's socket: what ``Serving`` decides, done.

One reader, one writer, a task for each turn.  Every message gets an answer, bad input never closes
the socket, and a client that vanishes takes its model runs with it, unless they may linger.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, cast

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from turnwire.core.lane import Lanes
from turnwire.core.serving import (
    Forget,
    HangUp,
    Interrupt,
    Reply,
    Serving,
    ServingAction,
    Start,
    Stop,
    error_event,
)
from turnwire.events import MalformedMessage, decode_envelope, encode
from turnwire.gateway.access.owner import key_of, owner_of
from turnwire.gateway.downstream.outbox import Outbox
from turnwire.gateway.downstream.running import RunningTurn
from turnwire.gateway.downstream.socket_writer import SocketWriter
from turnwire.gateway.interruption import Interruption
from turnwire.gateway.observing.seen import Refused, tidy_code
from turnwire.gateway.store.event_log import EventLog
from turnwire.gateway.store.shelf import Shelf
from turnwire.gateway.turns import new_id

if TYPE_CHECKING:
    from turnwire.gateway.access.keys import Caller
    from turnwire.gateway.config.settings import Settings
    from turnwire.gateway.context import Context
    from turnwire.gateway.downstream.lingering import Lingering
    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.observing import Observer, SeenSocket
    from turnwire.gateway.observing.statistics import Statistics
    from turnwire.gateway.turns import Turns


# A message above the limit, but not far above, is read to its end and refused with a clear error;
# one that is longer still closes the socket with 1009, as nothing else bounds its memory.
_OVERSIZE_READ: Final = 2


class DownstreamSocket:
    """Serves one client until its socket closes.

    Args:
        default_model: For creates that name no model, from the address that was dialled.
        protocols: Subprotocols to accept.
        caller: Whose key the client has, and what it may use.
    """

    def __init__(
        self,
        turns: Turns,
        settings: Settings,
        statistics: Statistics,
        lingering: Lingering,
        observer: Observer,
        *,
        default_model: str | None,
        caller: Caller,
        protocols: tuple[str, ...] = (),
    ) -> None:
        self._turns = turns
        self._settings = settings
        self._statistics = statistics
        self._lingering = lingering
        self._observer = observer
        self._default_model = default_model
        self._caller = caller
        self._serving = Serving(
            active_limit=settings.active_limit,
            named_limit=settings.named_limit,
            queue_bytes=settings.queue_bytes,
            new_steer_id=partial(new_id, "steer"),
            steers=turns.can_steer,
        )
        # Each lane's latest response (docs/protocol/continuation.md#cache), and for a moment the
        # one that takes its place.
        limit_count = 1 + settings.named_limit + settings.active_limit
        self._contexts = Shelf(settings.connection_bytes, limit_count)
        self._outbox = Outbox(settings.outbox_bytes)
        self._running: dict[int, RunningTurn] = {}
        self._stopped: list[asyncio.Task[None]] = []
        self._owner = ""
        self._credential = ""
        self._seen: SeenSocket | None = None
        self._socket: web.WebSocketResponse[Literal[False]] = web.WebSocketResponse(
            heartbeat=settings.heartbeat,
            protocols=protocols,
            max_msg_size=settings.max_message_bytes * _OVERSIZE_READ,
            decode_text=False,
            writer_limit=sys.maxsize,  # `SocketWriter` waits itself, with a timeout
        )
        self._loop = asyncio.get_running_loop()
        self._old = False
        self._ending = False

    async def serve(self, request: web.Request) -> web.WebSocketResponse[Literal[False]]:
        """Take the upgrade and talk until the socket closes."""
        self._owner = owner_of(request.headers)
        self._credential = key_of(request.headers)
        stream = await self._socket.prepare(request)
        self._statistics.sockets += 1
        self._statistics.sockets_open += 1
        seen = self._observer.opened(self._owner, self._serving, self._caller.name)
        self._seen = seen
        aging = self._loop.call_later(self._settings.max_age, self._grow_old)
        writer = SocketWriter(
            self._outbox,
            request,
            self._socket,
            stream,
            self._statistics,
            stall_timeout=self._settings.stall_timeout,
        )
        try:
            await self._read()
        finally:
            self._ending = True
            aging.cancel()
            self._statistics.sockets_open -= 1
            self._observer.closed(seen, self._socket.close_code or WSCloseCode.ABNORMAL_CLOSURE)
            self._serving.lost(self._loop.time())
            self._perform()
            tasks = [*self._stopped, *(turn.task for turn in self._running.values())]
            await asyncio.gather(writer.end(), *tasks, return_exceptions=True)
        return self._socket

    def drain(self) -> None:
        """Take no new turns; close when the running ones have ended."""
        if not self._ending:
            self._ending = True
            self._serving.drain(self._loop.time())
            self._perform()

    def give_up(self) -> None:
        """End every turn with an error at once, and close: there is no time left."""
        self.drain()
        while self._running:  # when one ends, the next one of its lane begins
            number, turn = self._running.popitem()
            has_client = turn.attended
            turn.stop()
            self._stopped.append(turn.task)
            if not has_client:
                continue  # it was being stopped anyway
            refusal = error_event(
                "The gateway stopped before this turn had ended. Send it again.",
                status=503,
                kind="server_error",
                code="server_shutdown",
            )
            with suppress(KeyError):  # its terminal event is out, and waits to be read
                self._serving.emit(number, refusal, self._loop.time())
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
        refused = self._serving.refused.total()
        self._serving.received(data, self._loop.time(), text=text)
        actions = self._serving.actions()
        if self._serving.refused.total() > refused:
            self._tell_refused(actions)
        for action in actions:
            self._do(action)

    def _tell_refused(self, actions: list[ServingAction]) -> None:
        """Log a message that became no turn; the answer says why."""
        for action in actions:
            if isinstance(action, Reply):
                self._log_refusal(msgspec.json.decode(action.data))

    def _log_refusal(self, refusal: Json) -> None:
        assert self._seen is not None  # messages are read from an open socket
        error: Json = refusal["error"]
        self._observer.not_taken(
            Refused(
                wanted="message",
                status=refusal["status"],
                code=tidy_code(error.get("code") or error["type"]),
                owner=self._owner,
                key_name=self._caller.name,
                socket=self._seen.number,
            )
        )

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
        self._serving.refused["message_too_large"] += 1
        self._log_refusal(refusal)
        self._send(refusal)

    # Doing what was decided

    def _perform(self) -> None:
        for action in self._serving.actions():
            self._do(action)

    def _do(self, action: ServingAction) -> None:
        match action:
            case Reply(data, turn):
                self._outbox.put(data)
                if turn is not None and turn in self._running:
                    self._running[turn].skip_number()
            case Start(turn, request, parent_cached):
                # Bound now: the lane may move on before the task runs.
                self._start(turn, request, self._cached(request) if parent_cached else None)
            case Interrupt(turn):
                if turn in self._running:
                    self._running[turn].steer()
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
        log, interruption = EventLog(self._owner), Interruption()
        assert self._seen is not None  # turns are read from an open socket
        events = self._turns.events(
            request,
            log,
            cached_parent=parent,
            remember=self._contexts.put,
            default_model=self._default_model,
            watch=self._observer.on_lane(self._seen, self._serving.place(turn)),
            allowance=self._caller.allowance,
            interruption=interruption,
            credential=self._credential,
        )
        running = RunningTurn(
            events,
            log,
            partial(self._show, turn),
            self._outbox.room,
            lingering=self._lingering,
            name=f"turn {turn}",
            interruption=interruption,
        )
        self._running[turn] = running
        running.task.add_done_callback(lambda _: self._running.pop(turn, None))

    def _show(self, turn: int, event: Json) -> None:
        self._serving.emit(turn, event, self._loop.time())
        self._perform()
