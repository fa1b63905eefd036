"""One socket of the server: a served session, and its steps done on the wire."""

from __future__ import annotations

import asyncio
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from aiohttp import WSMsgType

from turnwire.gateway.voice.refusals import Refused
from turnwire.testing.connection import Connection
from turnwire.testing.realtime.faults import Pieces
from turnwire.testing.realtime.resting import rest
from turnwire.testing.steps import Close, Drop, HalfOpen, Say, WithholdPongs
from turnwire.testing.wires import GONE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiohttp import web

    from turnwire.testing.clock import Clock
    from turnwire.testing.log import Entry, Log
    from turnwire.testing.realtime.faults import Json
    from turnwire.testing.realtime.served import ServedSession, Stamped, WireStep
    from turnwire.testing.steps import Gate

_FINAL: Final = 0x80
_SHORT: Final = 126
_LONG: Final = 2**16
_FAILED: Final = 1011


class RealtimeConnection:
    """One socket as the server saw it.

    Attributes:
        index: Its place in ``server.connections``.
        served: Its session, with every event of both sides; None if the handshake was of the beta.
    """

    def __init__(
        self,
        index: int,
        request: web.Request,
        websocket: web.WebSocketResponse,
        clock: Clock,
        log: Log,
        *,
        served: ServedSession | None,
        mistaken: Callable[[Exception], None],
        max_message_bytes: int,
    ) -> None:
        self.index = index
        self.served = served
        self._clock = clock
        self._request = request
        self._log = log
        self._mistaken = mistaken
        self._socket = Connection(
            index, request, websocket, clock, log, max_message_bytes=max_message_bytes
        )
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    # What a test asks

    @property
    def headers(self) -> Mapping[str, str]:
        """Those of the handshake."""
        return self._socket.headers

    @property
    def query(self) -> Mapping[str, str]:
        """Parameters of the URL."""
        return self._socket.query

    @property
    def received(self) -> list[Stamped]:
        """Every JSON object that the client sent, with its time."""
        return [] if self.served is None else self.served.received_events

    @property
    def sent(self) -> list[Stamped]:
        """Every event that was written, with its time."""
        return [] if self.served is None else self.served.sent_events

    @property
    def is_open(self) -> bool:
        """True until the socket is closed, by whomever."""
        return self._socket.is_open

    @property
    def close_code(self) -> int | None:
        """The client's close code; 1005 for none, 1006 if it did not close; None while open."""
        return self._socket.close_code

    @property
    def pings(self) -> int:
        """How many pings the client sent, answered or not."""
        return self._socket.pings

    @property
    def log(self) -> list[Entry]:
        """Everything that happened on it, both ways, with times."""
        return self._socket.log

    # What a test can do at any moment

    async def send(self, event: Json) -> None:
        """Send any event, in the order of the others."""
        if self.served is not None:
            self.served.send(event, self._clock.now)
            await self._perform()

    async def say(self, data: bytes, *, binary: bool = False) -> None:
        """Send one message of any bytes, now."""
        await self._socket.say(data, binary=binary)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with the closing handshake, and wait for the client's half of it."""
        await self._socket.close(code, reason)

    def drop(self, *, reset: bool = False) -> None:
        """End the TCP connection without a closing handshake, or reset it."""
        self._socket.drop(reset=reset)

    def half_open(self) -> None:
        """Be gone without a word: send, read and answer nothing any more, and leave TCP up."""
        self._socket.half_open()

    def withhold_pongs(self) -> None:
        """Answer no ping from here on."""
        self._socket.withhold_pongs()

    def stop_reading(self, until: Gate | float | None = None) -> None:
        """Read nothing until the gate opens, for so many seconds, or until ``read_on``."""
        self._socket.stop_reading(until)

    def read_on(self) -> None:
        """Undo ``stop_reading``."""
        self._socket.read_on()

    def go_on(self) -> None:
        """End a stall."""
        if self.served is not None:
            self.served.go_on(self._clock.now)
            self._news.set()

    # Serving

    async def run(self, refusal: tuple[Json, int] | None = None) -> None:
        """Talk until the socket is closed; or say this and close."""
        talking = self._loop.create_task(self._talk())
        try:
            if refusal is not None:
                event, code = refusal
                await self._socket.send(event)
                await self._do(Close(code, "invalid_request_error.beta_api_shape_disabled"))
            await self._socket.read(self._received)
        except GONE:
            pass  # the client left while it was told
        finally:
            talking.cancel()
            await asyncio.gather(talking, return_exceptions=True)
            if self.served is not None:
                self.served.session.responding.abandon(self._clock.now)

    async def _received(self, data: bytes | None) -> None:
        if self.served is None:
            return
        try:
            self.served.received(b"\xff" if data is None else data, self._clock.now)
        except Exception as mistake:  # noqa: BLE001  # the script is the test's: anything
            await self._give_up(mistake)
        self._log.changed()
        self._news.set()

    async def _talk(self) -> None:
        """Write what there is to write, and come back when something is due."""
        try:
            while self.served is not None:
                self.served.advance(self._clock.now)
                await self._perform()
                await rest(self._news, self.served.deadline, self._clock)
        except GONE:
            pass  # the reader is told, too
        except Exception as mistake:  # noqa: BLE001  # the script is the test's: anything
            with suppress(*GONE):
                await self._give_up(mistake)

    async def _give_up(self, mistake: Exception) -> None:
        """Say that a function of the test's has raised, to the client and to the test."""
        self._mistaken(mistake)
        assert self.served is not None  # without a session nothing of the test's is called
        self.served.session.open = False
        failed = Refused("The script failed.", "server_error", kind="server_error")
        await self._perform()
        await self._socket.send({"event_id": "event_failed", **failed.event(None)})
        await self._do(Close(_FAILED, "the script failed"))

    async def _perform(self) -> None:
        assert self.served is not None  # whoever calls it has looked
        for step in self.served.steps():
            await self._do(step)
        self._log.changed()

    async def _do(self, step: WireStep) -> None:
        match step:
            case Say(data, binary):
                await self._socket.say(data, binary=binary)
            case Pieces(data, size_bytes):
                await self._write_pieces(data, size_bytes)
            case Close(code, reason):
                # Not ``close``: that waits for the client, whom this task may be about to answer.
                await self._socket._write_close(code, reason)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
            case Drop(reset):
                self._socket.drop(reset=reset)
            case HalfOpen():
                self._socket.half_open()
            case WithholdPongs():
                self._socket.withhold_pongs()

    async def _write_pieces(self, data: bytes, size_bytes: int) -> None:
        """Write one message as several frames, which aiohttp does not: RFC 6455, section 5.4."""
        transport = self._request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError
        for start in range(0, len(data), size_bytes):
            piece = data[start : start + size_bytes]
            opcode = WSMsgType.CONTINUATION if start else WSMsgType.TEXT
            final = _FINAL if start + size_bytes >= len(data) else 0
            transport.write(_head(opcode | final, len(piece)) + piece)
            await asyncio.sleep(0)


def _head(first: int, size: int) -> bytes:
    if size < _SHORT:
        return struct.pack("!BB", first, size)
    if size < _LONG:
        return struct.pack("!BBH", first, 126, size)
    return struct.pack("!BBQ", first, 127, size)
