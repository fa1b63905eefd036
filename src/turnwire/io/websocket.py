"""One client socket over aiohttp: dial, read, write, close.  Decides nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Final

import aiohttp
from aiohttp import ClientWebSocketResponse, ClientWSTimeout, WSCloseCode, WSMsgType

from turnwire.core.failure import CloseInfo

if TYPE_CHECKING:
    from collections.abc import Callable

INBOUND_BYTES: Final = 256 * 2**20  # events with images are large: docs/protocol/limits.md#sizes
_REFUSAL_BYTES: Final = 64 * 2**10
_CLOSE_SECONDS: Final = 1.0
_NO_CODE: Final = 1005  # what a close without a code is called; it never travels


class UpgradeRefused(Exception):  # a value on its way to the core
    """The server answered the upgrade with something else than 101."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        super().__init__(f"HTTP {status}")
        self.status, self.headers, self.body = status, headers, body


async def keep_refusals(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep the body of a refused upgrade: aiohttp's own error leaves it out.

    Redirects are refused as well: a key must not follow them to another origin.
    """
    response = await handler(request)
    upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
    if upgrade and response.status != 101:  # noqa: PLR2004  # Switching Protocols
        body = await response.content.read(_REFUSAL_BYTES)
        headers = {name.lower(): value for name, value in response.headers.items()}
        response.close()
        raise UpgradeRefused(response.status, headers, body)
    return response


def open_session(*, trust_env: bool) -> aiohttp.ClientSession:
    """Open the one session that both transports share: one proxy, TLS and DNS configuration."""
    return aiohttp.ClientSession(
        trust_env=trust_env,
        middlewares=(keep_refusals,),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),  # the core keeps the clocks
        connector=aiohttp.TCPConnector(limit=0),
        headers={"User-Agent": "turnwire"},
    )


class WebSocket:
    """One socket.

    Attributes:
        credential: Fingerprint of the key it was dialled with.
    """

    def __init__(self, socket: ClientWebSocketResponse[bool], credential: str) -> None:
        self.credential = credential
        self._socket = socket
        self._outbox: deque[bytes] = deque()
        self._written = asyncio.Event()
        self._close_code: int | None = None

    @classmethod
    async def dial(
        cls,
        session: aiohttp.ClientSession,
        url: str,
        headers: dict[str, str],
        credential: str,
        *,
        heartbeat: float | None,
    ) -> WebSocket:
        """Open a socket.

        Raises:
            UpgradeRefused: The server answered, but not with 101.
            aiohttp.ClientError: It could not be reached.
            OSError: It could not be reached.
        """
        socket = await session.ws_connect(
            url,
            headers=headers,
            max_msg_size=INBOUND_BYTES,
            timeout=ClientWSTimeout(ws_close=_CLOSE_SECONDS),  # pyright: ignore[reportCallIssue]  # attrs
            heartbeat=heartbeat,
            decode_text=False,
            autoclose=False,  # a turn that is cut off is told so before the goodbyes
        )
        return cls(socket, credential)

    def send(self, data: bytes) -> None:
        """Queue a message; the core bounds what can be queued."""
        self._outbox.append(data)
        self._written.set()

    async def send_now(self, data: bytes) -> None:
        """Write a message, past the queue."""
        await self._socket.send_frame(data, WSMsgType.TEXT)

    async def write(self) -> None:
        """Write queued messages, in order, until cancelled or the socket fails."""
        while True:
            while self._outbox:
                await self.send_now(self._outbox.popleft())
            self._written.clear()
            await self._written.wait()

    async def read(
        self, text: Callable[[bytes], None], malformed: Callable[[str], None]
    ) -> CloseInfo:
        """Hand every message to ``text`` until the socket ends; return how it ended."""
        receive, kind_text = self._socket.receive, WSMsgType.TEXT
        while True:
            message = await receive()
            if message.type is kind_text:
                text(message.data)
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
        with contextlib.suppress(aiohttp.ClientError, OSError):
            await self._socket.close(code=self._close_code)
