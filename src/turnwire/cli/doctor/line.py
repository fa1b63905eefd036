"""A socket of the doctor's own: one reader, one thing at a time, pings that can be seen."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from aiohttp import ClientWebSocketResponse, ClientWSTimeout, WSMsgType

from turnwire.core.failure import failure_of_event
from turnwire.core.signals import signal_of
from turnwire.core.turn import TERMINAL_SIGNALS, TurnSignal
from turnwire.events import MalformedMessage, OtherEvent, Response, decode_event, encode
from turnwire.io.proxy import passage
from turnwire.io.redirects import OF_UPGRADE, Redirects
from turnwire.io.websocket import INBOUND_BYTES, UpgradeRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from turnwire.core.failure import Failure
    from turnwire.events import Event
    from turnwire.io.endpoint import Endpoint

_PING: Final = b"turnwire doctor"
_ABNORMAL: Final = 1006


class LineEnded(Exception):  # an outcome that checks report
    """The server ended the socket, or what it sends cannot be read.

    Attributes:
        code: The close code; 1006 if there was none.
        reason: The server's words.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"close code {code}" + (f": {reason}" if reason else ""))
        self.code = code
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Seen:
    """What came back for one create.

    Attributes:
        lane: The ``stream_id`` of the first event.
        response_id: Of the response, if it completed.
        failure: What the server said if it refused.
        output: True if a model ran; then nothing more was read.
    """

    lane: str | None
    response_id: str = ""
    failure: Failure | None = None
    output: bool = False


class Line:
    """One open socket.

    Attributes:
        url: Where it leads: not where it was asked for if a redirect was followed.
    """

    def __init__(
        self, socket: ClientWebSocketResponse[bool], url: str, close_seconds: float
    ) -> None:
        self.url = url
        self._socket = socket
        self._close_seconds = close_seconds

    @classmethod
    async def dial(
        cls,
        session: aiohttp.ClientSession,
        endpoint: Endpoint,
        headers: Mapping[str, str],
        *,
        close_seconds: float,
    ) -> Line:
        """Open it as a client does: redirects within the server are followed.

        Raises:
            UpgradeRefused: The server answered, but not with 101.
            aiohttp.ClientError: It could not be reached.
            OSError: It could not be reached.
        """
        way = Redirects(endpoint.url, OF_UPGRADE)
        while True:
            try:
                socket = await session.ws_connect(
                    way.url,
                    max_msg_size=INBOUND_BYTES,
                    timeout=ClientWSTimeout(ws_close=close_seconds),  # pyright: ignore[reportCallIssue]  # attrs
                    decode_text=False,
                    autoclose=False,
                    autoping=False,  # to see the pong
                    **passage(endpoint.proxy, headers),
                )
            except UpgradeRefused as refused:
                if not way.follow(refused.refusal):
                    raise
            else:
                return cls(socket, way.url, close_seconds)

    async def ping(self) -> float:
        """Return the seconds until the pong came.

        Raises:
            LineEnded: The socket ended instead.
        """
        clock = asyncio.get_running_loop().time
        began = clock()
        await self._socket.ping(_PING)
        while await self._next() != (WSMsgType.PONG, _PING):
            pass  # a message that nobody asked for
        return clock() - began

    async def turn(self, create: Mapping[str, Any]) -> Seen:
        """Send a create and read its events, up to its end or to the first output.

        Raises:
            LineEnded: The socket ended first.
        """
        await self.send(encode({"type": "response.create", **create}))
        lane: str | None = None
        first = True
        while True:
            kind, data = await self._next()
            if kind is not WSMsgType.TEXT:
                continue
            try:
                event = decode_event(data)
            except MalformedMessage as error:
                raise LineEnded(_ABNORMAL, f"it sent a message that is no event: {error}") from None
            signal = signal_of(event)
            if signal is None:
                continue  # not of the turn
            lane, first = (event.stream_id if first else lane), False
            if signal in TERMINAL_SIGNALS:
                return _ended(event, signal, lane)
            if signal is TurnSignal.PRODUCE and not isinstance(event, OtherEvent):
                return Seen(lane, output=True)

    async def send(self, data: bytes) -> None:
        """Write one message.

        Raises:
            aiohttp.ClientError: The socket is broken.
            OSError: The socket is broken.
        """
        await self._socket.send_frame(data, WSMsgType.TEXT)

    async def close(self) -> None:
        """Close; bounded in time."""
        with contextlib.suppress(aiohttp.ClientError, OSError):  # TimeoutError is an OSError
            async with asyncio.timeout(self._close_seconds):
                await self._socket.close()

    async def _next(self) -> tuple[WSMsgType, bytes]:
        """Return the next text or pong."""
        while True:
            message = await self._socket.receive()
            match message.type:
                case WSMsgType.TEXT | WSMsgType.PONG:
                    return message.type, bytes(message.data)
                case WSMsgType.PING:
                    await self._socket.pong(message.data)
                case WSMsgType.BINARY:
                    raise LineEnded(_ABNORMAL, "it sent a binary message; events are text")
                case WSMsgType.CLOSE:
                    raise LineEnded(message.data or 1005, message.extra or "")
                case _:
                    code = self._socket.close_code
                    raise LineEnded(_ABNORMAL if code is None else code, "")


def _ended(event: Event, signal: TurnSignal, lane: str | None) -> Seen:
    if signal is TurnSignal.FAIL:
        return Seen(lane, failure=failure_of_event(event))
    response = getattr(event, "response", None)
    if not isinstance(response, Response):
        return Seen(lane)
    spent = response.usage is not None and bool(response.usage.output_tokens)
    return Seen(lane, response.id, output=bool(response.output_raw) or spent)
