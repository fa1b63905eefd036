"""One client's Realtime socket: what the session decides, done.

The session's clock stands still while its client is behind with reading: so nothing is made that
would only wait, and nothing is made all at once when the client goes on.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal, cast

from aiohttp import WSCloseCode, WSMsgType, web

from turnwire.events import encode
from turnwire.gateway.downstream.outbox import Outbox
from turnwire.gateway.downstream.socket_writer import SocketWriter
from turnwire.gateway.turns import new_id
from turnwire.gateway.voice.refusals import Refused, beta_disabled
from turnwire.gateway.voice.session import SHAPE_DISABLED, Close, Send, VoiceSession

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from turnwire.gateway.access.limits import Allowance
    from turnwire.gateway.config.settings import Settings
    from turnwire.gateway.observing.statistics import Statistics
    from turnwire.gateway.voice.model import Voice
    from turnwire.gateway.voice.settings import VoiceSettings

_log = logging.getLogger(__name__)

BETA_HEADER: Final = "OpenAI-Beta"
_BETA_PROTOCOL: Final = "openai-beta.realtime-v1"


def asks_for_beta(request: web.Request) -> bool:
    """Say whether a client wants the protocol of the beta, which is switched off."""
    values = request.headers.get(BETA_HEADER, "").replace(" ", "").split(",")
    offered = request.headers.get("Sec-WebSocket-Protocol", "").replace(" ", "").split(",")
    return "realtime=v1" in values or _BETA_PROTOCOL in offered


class VoiceSocket:
    """Serves one client until its socket closes.

    Args:
        model: The name that was dialled.
        protocols: Subprotocols to accept.
        allowance: What the client's key may use.
    """

    def __init__(
        self,
        voice: Voice,
        voice_settings: VoiceSettings,
        settings: Settings,
        statistics: Statistics,
        *,
        model: str,
        protocols: tuple[str, ...],
        allowance: Allowance,
    ) -> None:
        self._settings = settings
        self._statistics = statistics
        self._allowance = allowance
        self._loop = asyncio.get_running_loop()
        self._outbox = Outbox(settings.outbox_bytes)
        self._news = asyncio.Event()
        self._stopping = False
        self._late = 0.0  # by how much the session's clock is behind the loop's
        self._stands_at: float | None = None  # the session's clock, while it stands
        self._socket: web.WebSocketResponse[Literal[False]] = web.WebSocketResponse(
            heartbeat=settings.heartbeat,
            protocols=protocols,
            compress=False,
            max_msg_size=settings.max_message_bytes,
            decode_text=False,
            writer_limit=sys.maxsize,  # `SocketWriter` waits itself, with a timeout
        )
        self._session = VoiceSession(
            voice,
            voice_settings,
            model=model,
            now=self._loop.time(),
            wall_time=time.time(),
            new_id=new_id,
            allow=self._allow,
        )

    async def serve(self, request: web.Request) -> web.WebSocketResponse[Literal[False]]:
        """Take the upgrade and talk until the socket closes."""
        stream = await self._socket.prepare(request)
        self._statistics.sockets += 1
        self._statistics.sockets_open += 1
        writer = SocketWriter(
            self._outbox,
            request,
            self._socket,
            stream,
            self._statistics,
            stall_timeout=self._settings.stall_timeout,
        )
        talking: asyncio.Task[None] | None = None
        try:
            if asks_for_beta(request):
                self._refuse_beta()
            else:
                self._perform()
                talking = self._loop.create_task(self._talk_to_the_end())
            await self._read()
        finally:
            self._statistics.sockets_open -= 1
            self._session.responding.abandon(self._now())
            if talking is not None:
                talking.cancel()
                await asyncio.gather(talking, return_exceptions=True)
            await asyncio.gather(writer.end(), return_exceptions=True)
        return self._socket

    def drain(self) -> None:
        """Let a response that is being made end, and close."""
        self._stopping = True
        self._news.set()

    def give_up(self) -> None:
        """Close at once: there is no time left."""
        self._session.close(WSCloseCode.GOING_AWAY, "the gateway is stopping")
        self._perform()

    def _refuse_beta(self) -> None:
        refused = beta_disabled()
        self._outbox.put(encode({"event_id": new_id("event"), **refused.event(None)}))
        self._session.actions()  # not even `session.created` is said
        self._outbox.finish(SHAPE_DISABLED, "invalid_request_error.beta_api_shape_disabled")

    async def _read(self) -> None:
        while True:
            message = await self._socket.receive()
            if message.type not in {WSMsgType.BINARY, WSMsgType.TEXT}:
                return  # closing, closed or broken: aiohttp has answered what can be answered
            with self._last_resort():  # and read on, until the socket is closed
                is_text = message.type is WSMsgType.TEXT
                self._take(cast("bytes", message.data) if is_text else None)
            self._news.set()
            await self._room()

    def _take(self, data: bytes | None) -> None:
        """Answer a text message; None is one of another kind."""
        if data is None:
            self._session.refuse(Refused("Send events as text messages.", "invalid_json"))
        else:
            self._statistics.bytes_in += len(data)
            self._session.received(data, self._now())
        self._perform()

    @contextmanager
    def _last_resort(self) -> Generator[None]:
        """Tell the client that waits of a mistake of ours or of the voice's, and close."""
        try:
            yield
        except Exception:  # noqa: BLE001  # whatever it is: a client that waits gets an answer
            _log.exception("a Realtime session failed")
            self._session.refuse(
                Refused("The gateway failed. Dial again.", "server_error", kind="server_error")
            )
            self._session.close(WSCloseCode.INTERNAL_ERROR, "the gateway failed")
            self._perform()

    def _now(self) -> float:
        return self._loop.time() - self._late if self._stands_at is None else self._stands_at

    async def _room(self) -> None:
        """Wait until the client has read what waits for it."""
        if self._outbox.size_bytes < self._settings.outbox_bytes:
            return
        self._stands_at = self._session.now
        await self._outbox.room()
        self._go_on()

    def _go_on(self) -> None:
        if self._stands_at is not None:  # reading and talking may both have waited
            self._late = self._loop.time() - self._stands_at
            self._stands_at = None

    async def _talk_to_the_end(self) -> None:
        with self._last_resort():
            await self._talk()

    async def _talk(self) -> None:
        """Come back whenever something is due."""
        while True:
            await self._room()
            self._session.advance(self._now())
            if self._stopping and self._session.responding.due is None:
                self._session.close(WSCloseCode.GOING_AWAY, "the gateway is stopping")
            self._perform()
            due = self._session.deadline
            timer = None if due is None else self._loop.call_at(due + self._late, self._news.set)
            await self._news.wait()
            self._news.clear()
            if timer is not None:
                timer.cancel()

    def _perform(self) -> None:
        for action in self._session.actions():
            match action:
                case Send(event):
                    self._outbox.put(encode(event))
                case Close(code, reason):
                    self._outbox.finish(code, reason)

    def _allow(self, now: float) -> Callable[[int, float], None]:
        if self._stopping:
            words = "The gateway is stopping. Dial again."
            raise Refused(words, "server_shutdown", kind="server_error")
        over = self._allowance.begin_turn(now)
        if over is not None:
            self._statistics.turns_refused += 1
            refusal = over.refusal()
            raise Refused(str(refusal), "rate_limit_exceeded", kind=refusal.kind)
        self._statistics.turns += 1
        self._statistics.model_runs += 1
        return self._allowance.end_turn
