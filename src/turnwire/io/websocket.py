"""One client socket over aiohttp: dial, read, write, close.  Decides nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any, Final, cast

import aiohttp
from aiohttp import ClientWebSocketResponse, ClientWSTimeout, WSCloseCode, WSMsgType

from turnwire.core.failure import CloseInfo
from turnwire.io.describing import describe
from turnwire.io.proxy import passage
from turnwire.io.redirects import OF_UPGRADE, Redirects
from turnwire.io.refusal import raise_if_of_proxy, read_refusal
from turnwire.io.tls import AbruptResponse
from turnwire.io.uplink_socket import UplinkSocket, small_socket

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping, Sequence

    from turnwire.io.proxy import Proxy
    from turnwire.io.refusal import Refusal

INBOUND_BYTES: Final = 256 * 2**20  # events with images are large: docs/protocol/limits.md#sizes
_CLOSE_SECONDS: Final = 1.0
_NO_CODE: Final = 1005  # what a close without a code is called; it never travels
_SWITCHING_PROTOCOLS: Final = 101
_SAID_BEFORE_WRITING: Final = "closing transport"  # by aiohttp, of a socket that is gone already


class UpgradeRefused(Exception):  # a value on its way to the core
    """The server answered the upgrade with something else than 101."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"HTTP {refusal.status}")
        self.refusal = refusal


async def upgrade_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Make an upgrade one handshake, and keep what a refusal says.

    Left alone, aiohttp holds an upgrade to be a GET that can be sent again when the connection
    drops; it follows redirects anywhere; and it drops the body of a refusal.
    """
    if request.headers.get("Upgrade", "").lower() != "websocket":
        return await handler(request)
    try:
        response = await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        # Of a class that aiohttp does not try again after.
        dropped = f"the connection dropped during the upgrade: {describe(error)}"
        raise aiohttp.ClientConnectionError(dropped) from error
    if response.status != _SWITCHING_PROTOCOLS:
        raise_if_of_proxy(response, passed_on=bool(request.proxy) and not request.is_ssl())
        refusal = await read_refusal(response)
        response.close()
        raise UpgradeRefused(refusal)
    return response


def open_session(
    ssl_context: ssl.SSLContext | None = None, *, little_unsent: bool = False
) -> aiohttp.ClientSession:
    """Open the one session that both transports share: one TLS and DNS configuration.

    With ``little_unsent`` its sockets have small buffers; see ``UplinkSocket``.
    """
    trusted = True if ssl_context is None else ssl_context
    factory = small_socket if little_unsent else None
    return aiohttp.ClientSession(
        trust_env=False,  # it would read ~/.netrc as well; for proxies see proxy.py
        middlewares=(upgrade_once,),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),  # the core keeps the clocks
        connector=aiohttp.TCPConnector(limit=0, ssl=trusted, socket_factory=factory),
        headers={"User-Agent": "turnwire"},
        response_class=AbruptResponse,
        ws_response_class=cast("Any", UplinkSocket if little_unsent else ClientWebSocketResponse),
    )


class WebSocket:
    """One socket.

    Attributes:
        credential: Fingerprint of the key it was dialled with.
    """

    def __init__(self, socket: ClientWebSocketResponse[bool], credential: str) -> None:
        self.credential = credential
        self._socket = socket
        self._outbox: deque[tuple[int, bytes | None]] = deque()  # of which turn; None is a ping
        self._filled = asyncio.Event()
        self._close_code: int | None = None

    @classmethod
    async def dial(
        cls,
        session: aiohttp.ClientSession,
        url: str,
        headers: Mapping[str, str],
        credential: str,
        *,
        heartbeat: float | None = None,
        pings_itself: bool = True,
        proxy: Proxy | None = None,
        protocols: Sequence[str] = (),
        inbound_bytes: int = INBOUND_BYTES,
    ) -> WebSocket:
        """Open a socket by one handshake; the URL is that of the POST, ``http://`` or ``https://``.

        Redirects within the server are followed, each by a handshake with the same headers.
        A larger message than ``inbound_bytes`` ends the socket.

        After ``heartbeat`` seconds without any data a ping is sent; after half as many more
        without any data the socket is lost.  With ``pings_itself=False`` pings and pongs are the
        caller's: see ``ping`` and ``read``.

        Raises:
            UpgradeRefused: The server answered, but not with 101.
            aiohttp.ClientError: It could not be reached.
            OSError: It could not be reached.
        """
        way = Redirects(url, OF_UPGRADE)
        while True:
            try:
                socket = await session.ws_connect(
                    way.url,
                    max_msg_size=inbound_bytes,
                    protocols=protocols,
                    timeout=ClientWSTimeout(ws_close=_CLOSE_SECONDS),  # pyright: ignore[reportCallIssue]  # attrs
                    heartbeat=heartbeat,
                    autoping=pings_itself,
                    decode_text=False,
                    autoclose=False,  # a turn that is cut off is told so before the goodbyes
                    **passage(proxy, headers),
                )
            except UpgradeRefused as refused:
                if not way.follow(refused.refusal):
                    raise
            else:
                return cls(socket, credential)

    def send(self, turn: int, data: bytes) -> None:
        """Queue a turn's message; the core bounds what can be queued."""
        self._outbox.append((turn, data))
        self._filled.set()

    def ping(self) -> None:
        """Queue a ping."""
        self._outbox.append((0, None))
        self._filled.set()

    @property
    def unwritten(self) -> list[int]:
        """Turns whose messages are queued and of which not a byte was written."""
        return [turn for turn, data in self._outbox if data is not None]

    async def send_now(self, data: bytes) -> None:
        """Write a message, past the queue."""
        await self._socket.send_frame(data, WSMsgType.TEXT)

    async def drained(self) -> None:
        """Wait until little of what was written waits in this process."""
        if isinstance(self._socket, UplinkSocket):
            await self._socket.drained()

    async def write(self, written: Callable[[int], None]) -> None:
        """Write queued messages, in order, until cancelled or the socket fails.

        Args:
            written: Called with each turn whose message is on its way.
        """
        while True:
            while self._outbox:
                turn, data = self._outbox.popleft()
                if data is None:
                    await self._socket.ping()
                    continue
                try:
                    await self.send_now(data)
                except aiohttp.ClientConnectionResetError as error:
                    if _SAID_BEFORE_WRITING in str(error):
                        self._outbox.appendleft((turn, data))
                    raise
                written(turn)
            self._filled.clear()
            await self._filled.wait()

    async def read(
        self,
        text: Callable[[bytes], None],
        malformed: Callable[[str], None],
        ponged: Callable[[], None] = lambda: None,
    ) -> CloseInfo:
        """Hand every message to ``text`` until the socket ends; return how it ended."""
        receive, kind_text = self._socket.receive, WSMsgType.TEXT
        while True:
            message = await receive()
            if message.type is kind_text:
                text(message.data)
            elif message.type is WSMsgType.PONG:
                ponged()
            elif message.type is WSMsgType.PING:
                await self._socket.pong(message.data)
            elif message.type is WSMsgType.BINARY:
                malformed("a binary message; events are text")
            else:
                return self._end(message.type, message.data, message.extra)

    def _end(self, kind: WSMsgType, data: object, extra: str | None) -> CloseInfo:
        if kind is WSMsgType.CLOSE:
            return CloseInfo(data if isinstance(data, int) and data else _NO_CODE, extra or "")
        reason = str(data) if kind is WSMsgType.ERROR else ""
        return CloseInfo(self._socket.close_code or WSCloseCode.ABNORMAL_CLOSURE, reason)

    async def close(self, code: int = 1000) -> None:
        """Close; takes at most a second, then the transport is dropped.

        Several tasks may close at once; the first one's code is sent.
        """
        self._close_code = self._close_code or code
        with contextlib.suppress(aiohttp.ClientError, OSError):  # TimeoutError is an OSError
            # aiohttp gives each message a second: a server that streams on would never end.
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._socket.close(code=self._close_code)


async def close_and_stop(socket: WebSocket, task: asyncio.Task[None] | None, code: int) -> None:
    """Close a socket, and then end the task that reads it."""
    try:
        await socket.close(code)
    finally:
        if task is not None:
            task.cancel()
