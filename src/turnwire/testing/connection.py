"""One WebSocket of the peer: what was seen on it, and what can be done to it.

Performs; decides nothing about turns.
"""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiohttp import WSMsgType, web

from turnwire.testing.clock import reach
from turnwire.testing.flag import Flag, running_loop
from turnwire.testing.wires import GONE, drop_transport, error_event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from turnwire.testing.clock import Clock
    from turnwire.testing.log import Entry, Kind, Log
    from turnwire.testing.steps import Error, Gate, Json

NORMAL: Final = 1000
NO_CODE: Final = 1005  # a close message without a code
ABNORMAL: Final = 1006  # what a close without a closing handshake is called
TOO_BIG: Final = 1009


class Connection:
    """One WebSocket connection as the peer saw it; its methods may be called from any thread.

    Attributes:
        index: Its place in ``peer.connections``.
        headers: Those of the handshake.
        query: Parameters of the URL.
        received: Every JSON object that arrived, in order.
        raw: Every message that arrived, as bytes.
        sent: Every event that was sent, in order.
        pings: How many pings the client sent, answered or not.
        pongs: How many pongs the client sent.
        close_code: The close code that the client sent, 1005 if it sent none, 1006 if it did not
            close; None while open.
    """

    def __init__(
        self,
        index: int,
        request: web.Request,
        websocket: web.WebSocketResponse,
        clock: Clock,
        log: Log,
        *,
        names_lanes: bool = True,
        max_message_bytes: int,
    ) -> None:
        self.index = index
        self.headers: Mapping[str, str] = request.headers
        self.query: Mapping[str, str] = request.query
        self.received: list[Json] = []
        self.raw: list[bytes] = []
        self.sent: list[Json] = []
        self.pings = 0
        self.pongs = 0
        self.close_code: int | None = None
        self._request = request
        self._websocket = websocket
        self._clock = clock
        self._log = log
        self._names_lanes = names_lanes
        self._max_message_bytes = max_message_bytes
        self._loop = asyncio.get_running_loop()
        self._name = f"socket {index}"
        self._closing = False
        self._is_half_open = False
        self._answers_pings = True
        self._reads = Flag()
        self._reads.set()
        self._ended = Flag()
        self._tasks: set[asyncio.Task[None]] = set()
        log.add(self._name, "client", "open", note=request.path)

    @property
    def is_open(self) -> bool:
        """True until the socket is closed, by whomever."""
        return self.close_code is None

    @property
    def creates(self) -> list[Json]:
        """The creates among the received messages."""
        return [event for event in self.received if event.get("type") == "response.create"]

    @property
    def log(self) -> list[Entry]:
        """Everything that happened on it, both ways, with times."""
        return [entry for entry in self._log.entries if entry.where == self._name]

    # What a script or a test can do

    async def send(self, event: Json, lane: str | None = None) -> None:
        """Send one event, under the lane's name if there is one."""
        if lane is not None and self._names_lanes:
            event = event | {"stream_id": lane}
        await self.say(msgspec.json.encode(event))
        self.sent.append(event)
        self._log.changed()

    async def refuse(self, error: Error, lane: str | None = None, sequence_number: int = 0) -> None:
        """Send an error."""
        await self.send(error_event(error, sequence_number), lane if error.lane else None)

    async def say(self, data: bytes, *, binary: bool = False) -> None:
        """Send one message of any bytes."""
        await self._here(self._write(data, WSMsgType.BINARY if binary else WSMsgType.TEXT))

    async def ping(self, count: int = 1) -> None:
        """Send so many pings."""
        for _ in range(count):
            await self._here(self._write(b"", WSMsgType.PING))

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with the closing handshake, and wait for the client's half of it."""
        await self._here(self._write_close(code, reason))
        await self._ended.wait()

    def drop(self, *, reset: bool = False) -> None:
        """End the TCP connection without a closing handshake, or reset it."""
        self._do(lambda: self._drop(reset=reset))

    def half_open(self) -> None:
        """Be gone without a word: send, read and answer nothing any more, and leave TCP up."""
        self._do(self._half_open)

    def stop_reading(self, until: Gate | float | None = None) -> None:
        """Read nothing until the gate opens, for so many seconds, or until ``read_on``."""
        self._do(lambda: self._stop_reading(until))

    def read_on(self) -> None:
        """Undo ``stop_reading``."""
        self._do(self._read_on)

    def withhold_pongs(self) -> None:
        """Answer no ping from here on."""
        self._answers_pings = False

    # The same, in the loop that serves

    async def _here(self, doing: Coroutine[Any, Any, None]) -> None:
        if running_loop() is self._loop:
            await doing
        else:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(doing, self._loop))

    def _do(self, what: Callable[[], None]) -> None:
        if running_loop() is self._loop:
            what()
        else:
            self._loop.call_soon_threadsafe(what)

    async def _write(self, data: bytes, kind: WSMsgType, *, note: str = "") -> None:
        if self._closing:
            raise ConnectionResetError("The peer has closed this connection.")
        if self._is_half_open:
            await Flag().wait()  # until the connection ends and this is cancelled
        self._closing = kind is WSMsgType.CLOSE
        self._log.add(self._name, "peer", _KINDS[kind], data, note)
        await self._websocket.send_frame(data, kind)

    async def _write_close(self, code: int, reason: str = "") -> None:
        # Not the library's close(): that one ends the TCP connection at once while we are reading.
        data = b"" if code == NO_CODE else struct.pack("!H", code) + reason.encode()
        await self._write(data, WSMsgType.CLOSE, note=f"{code} {reason}".rstrip())

    def _drop(self, *, reset: bool) -> None:
        self._log.add(self._name, "peer", "lost", note="reset" if reset else "")
        drop_transport(self._request, reset=reset)

    def _half_open(self) -> None:
        self._is_half_open = True
        self._stop_reading(None)

    def _stop_reading(self, until: Gate | float | None) -> None:
        self._reads = Flag()
        if self._request.transport is not None:
            self._request.transport.pause_reading()
        if until is not None:
            task = self._loop.create_task(self._read_later(until))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _read_later(self, until: Gate | float) -> None:
        await reach(until, self._clock, self._log.changed)
        self._read_on()

    def _read_on(self) -> None:
        if self._request.transport is not None and not self._is_half_open:
            self._request.transport.resume_reading()
            self._reads.set()

    async def read(self, received: Callable[[bytes | None], Awaitable[None]]) -> None:
        """Hand on every message until the socket is closed; None stands for a binary one."""
        try:
            async for message in self._websocket:
                await self._reads.wait()
                await self._take(message.type, message.data, received)
        except GONE:
            pass  # the client vanished while it was being answered
        finally:
            code = self._websocket.close_code
            self.close_code = ABNORMAL if code is None else code or NO_CODE
            kind: Kind = "lost" if self.close_code == ABNORMAL else "close"
            self._log.add(self._name, "client", kind, note=str(self.close_code))
            self._ended.set()
            for task in self._tasks:
                task.cancel()
            if self._closing:
                drop_transport(self._request, reset=False)
            else:
                self._closing = True
                await self._websocket.close(code=code or NORMAL)

    async def _take(
        self, kind: WSMsgType, data: Any, received: Callable[[bytes | None], Awaitable[None]]
    ) -> None:
        match kind:
            case WSMsgType.TEXT | WSMsgType.BINARY:
                self.raw.append(data if isinstance(data, bytes) else data.encode())
                self._log.add(self._name, "client", _KINDS[kind], self.raw[-1])
                if self._closing:
                    pass  # the client had not read the close yet
                elif len(self.raw[-1]) > self._max_message_bytes:
                    await self._write_close(TOO_BIG)
                else:
                    await received(self.raw[-1] if kind is WSMsgType.TEXT else None)
            case WSMsgType.PING:
                self.pings += 1
                self._log.add(self._name, "client", "ping", bytes(data))
                if self._answers_pings and not self._closing:
                    await self._write(bytes(data), WSMsgType.PONG)
            case WSMsgType.PONG:
                self.pongs += 1
                self._log.add(self._name, "client", "pong", bytes(data))
            case _:
                pass  # a message that could not be read: the library has closed, and says so next

    def __repr__(self) -> str:
        return f"<Connection {self.index}: {len(self.raw)} messages, close_code={self.close_code}>"


_KINDS: Final[dict[WSMsgType, Kind]] = {
    WSMsgType.TEXT: "text",
    WSMsgType.BINARY: "binary",
    WSMsgType.PING: "ping",
    WSMsgType.PONG: "pong",
    WSMsgType.CLOSE: "close",
}
