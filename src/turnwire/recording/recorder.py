"""The recorder: a server on loopback that relays to another one and writes down what passes."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final, Self

import aiohttp
from aiohttp import WSCloseCode, web

from turnwire.errors import ConfigError
from turnwire.io.proxy import passage
from turnwire.io.websocket import UpgradeRefused
from turnwire.recording.access import refused_access
from turnwire.recording.file import RecordingFile
from turnwire.recording.http_relay import (
    ClientGone,
    answer_headers,
    body_of,
    drop,
    refusal,
    relay_http,
    unreachable,
)
from turnwire.recording.journal import Counts, Journal, Page
from turnwire.recording.lines import VERSION, Header
from turnwire.recording.secrecy import Secrets
from turnwire.recording.socket_relay import (
    MESSAGE_BYTES,
    relay_socket,
    say_goodbye,
    without_protocols,
)
from turnwire.recording.upstream import UpstreamSocket, open_session, parse_upstream

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from types import TracebackType

_NOW: Final = 0.001  # seconds; 0 would mean for ever
_LAST_SECONDS: Final = 10.0  # for what a client said before it left
_COMPRESSION: Final = 15  # bits of the window; offered upstream if the client offers it to us
_CANNOT_REACH: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
    aiohttp.WSServerHandshakeError,
)


class Recorder:
    """Relays and records while the ``async with`` block runs.

    Every path below the upstream's base URL is relayed as it is, sockets and HTTP alike; whatever
    fails upstream fails here in the same way.  The format is in docs/howto/recording.md.

    Args:
        upstream: The server's base URL, such as ``https://api.openai.com/v1``.
        path: The file to make; nothing may be there.
        host: Address to listen on.
        port: TCP port; 0 lets the system choose.
        api_key: Sent upstream in place of the client's own; by default the client's is passed on.
        redact_content: Whether placeholders take the place of what is said.
        max_bytes: How large the file may become; then recording stops and relaying goes on.
        trust_env: Whether ``HTTPS_PROXY`` and its like are heeded; they are read now.
        stopped: Called with the reason when recording stops by itself.

    Raises:
        ConfigError: The upstream is no URL, or names a user beside a key.
    """

    def __init__(
        self,
        upstream: str,
        path: str | os.PathLike[str],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        api_key: str | None = None,
        redact_content: bool = False,
        max_bytes: int = 2**30,
        trust_env: bool = True,
        stopped: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._upstream = parse_upstream(upstream, api_key, trust_env=trust_env)
        self._path = path
        self._host = host
        self._port = port
        self._redact_content = redact_content
        self._max_bytes = max_bytes
        self._ended = stopped
        self._journal: Journal | None = None
        self._sockets: set[asyncio.Task[None]] = set()
        self._resources = AsyncExitStack()
        self._session: aiohttp.ClientSession | None = None

    def _open_journal(self) -> Journal:
        secrets = Secrets()
        secrets.headers([("authorization", self._upstream.authorization or "")])
        query = "&".join(f"{name}={value}" for name, value in self._upstream.query)
        shown = secrets.path(f"{self._upstream.path}?{query}" if query else self._upstream.path)
        header = Header(
            turnwire_recording=VERSION,
            started=datetime.now(UTC).isoformat(timespec="milliseconds"),
            upstream=self._upstream.origin + shown,
            content="redacted" if self._redact_content else "whole",
            by=f"turnwire {_version()}",
        )
        file = RecordingFile(self._path, header, max_bytes=self._max_bytes, ended=self._ended)
        return Journal(file, secrets, redact=self._redact_content)

    @property
    def base_url(self) -> str:
        """Where to point a client: the upstream's path, on this machine."""
        host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # noqa: S104  # compared
        place = f"[{host}]" if ":" in host else host
        return f"http://{place}:{self._port}{self._upstream.path}"

    @property
    def counts(self) -> Counts:
        """What passed so far."""
        return Counts() if self._journal is None else self._journal.counts

    @property
    def size_bytes(self) -> int:
        """What was written so far."""
        return 0 if self._journal is None else self._journal.file.size_bytes

    @property
    def stopped(self) -> str | None:
        """Why nothing more is recorded, or None while it is."""
        return None if self._journal is None else self._journal.file.stopped

    async def __aenter__(self) -> Self:
        """Listen, and make the file.

        Raises:
            ConfigError: The address cannot be bound, it is the upstream's own, or the file exists
                or cannot be made.
        """
        async with AsyncExitStack() as resources:
            self._session = await resources.enter_async_context(open_session())
            app = web.Application(client_max_size=MESSAGE_BYTES)
            app.router.add_route("*", "/{path:.*}", self._serve)
            runner = web.AppRunner(
                app,
                handler_cancellation=True,  # a client that leaves takes its exchange with it
                access_log=None,
                shutdown_timeout=_NOW,
            )
            await runner.setup()
            resources.push_async_callback(runner.cleanup)
            try:
                await web.TCPSite(runner, self._host, self._port).start()
            except OSError as error:
                raise ConfigError(
                    f"cannot listen on {self._host}:{self._port}:"
                    f" {error.strerror or error}; choose another host or port"
                ) from error
            self._port = runner.addresses[0][1]
            if self._upstream.is_at(self._port):
                raise ConfigError("the upstream is the recorder itself: name another one")
            self._journal = self._open_journal()
            self._resources = resources.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop recording, then cut off what still runs."""
        assert self._journal is not None  # it was entered
        self._journal.file.stop()
        for task in tuple(self._sockets):
            task.cancel()
        await asyncio.gather(*self._sockets, return_exceptions=True)
        await self._resources.aclose()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        reason = refused_access(
            self._host, request.headers.get("Host"), request.headers.get("Origin")
        )
        if reason is not None:
            return refusal(403, "access_denied", reason)
        if not self._upstream.serves(request.raw_path):
            where = self._upstream.path or "/"
            return refusal(404, "not_recorded", f"Only paths below {where} are relayed.")
        assert self._session is not None  # it listens
        assert self._journal is not None
        page = self._journal.open_page()
        if request.headers.get("Upgrade", "").strip().lower() == "websocket":
            return await self._connect(request, page)
        return await relay_http(request, self._session, self._upstream, page)

    async def _connect(self, request: web.Request, page: Page) -> web.StreamResponse:
        page.upgrade(request.raw_path, request.headers.items())
        if not web.WebSocketResponse().can_prepare(without_protocols(request)):
            answer = refusal(400, "bad_upgrade", "This is no WebSocket handshake.")
            page.refused(answer.status, answer.headers.items(), body_of(answer), "recorder")
            return answer
        try:
            server = await self._dial(request)
        except UpgradeRefused as refused:
            return _refuse(refused, page)
        except asyncio.CancelledError:
            page.lost("client")
            raise
        except _CANNOT_REACH as error:
            answer = unreachable(error, self._upstream)
            page.refused(answer.status, answer.headers.items(), body_of(answer), "recorder")
            return answer
        except (aiohttp.ClientError, OSError) as error:
            page.lost("server")
            drop(request)
            raise ClientGone("the server ended the connection") from error
        page.opened(server.headers.items(), server.protocol)
        return await self._open(request, server, page)

    async def _dial(self, request: web.Request) -> UpstreamSocket:
        assert self._session is not None  # it listens
        offered = request.headers.get("Sec-WebSocket-Extensions", "")
        socket: Any = await self._session.ws_connect(
            self._upstream.url(request.raw_path),
            protocols=self._upstream.protocols(request.headers.get("Sec-WebSocket-Protocol", "")),
            compress=_COMPRESSION if "permessage-deflate" in offered else 0,
            max_msg_size=MESSAGE_BYTES,
            autoclose=False,
            autoping=False,
            decode_text=False,
            **passage(self._upstream.proxy, self._upstream.headers(request.headers)),
        )
        assert isinstance(socket, UpstreamSocket)  # open_session() asks for them
        return socket

    async def _open(
        self, request: web.Request, server: UpstreamSocket, page: Page
    ) -> web.StreamResponse:
        client: web.WebSocketResponse[bool] = web.WebSocketResponse(
            protocols=(server.protocol,) if server.protocol else (),
            max_msg_size=MESSAGE_BYTES,
            autoclose=False,
            autoping=False,
            decode_text=False,
        )
        client.headers.extend(answer_headers(server.headers, self._upstream))
        try:
            await client.prepare(request if server.protocol else without_protocols(request))
            task = asyncio.create_task(self._relay(client, server, page))
            self._sockets.add(task)
            task.add_done_callback(self._sockets.discard)
            await _finish(task)
        except ConnectionError:
            page.lost("client")
            raise
        finally:
            server.drop()
            drop(request)
        return client

    async def _relay(
        self, client: web.WebSocketResponse[bool], server: UpstreamSocket, page: Page
    ) -> None:
        try:
            await relay_socket(client, server, page)
        except asyncio.CancelledError:
            with suppress(ConnectionError):
                for side in (client, server):
                    await say_goodbye(side, WSCloseCode.GOING_AWAY, "")
            raise


def _refuse(refused: UpgradeRefused, page: Page) -> web.Response:
    status, headers, body = refused.refusal
    page.refused(status, headers.items(), body)
    kept = {name: value for name, value in headers.items() if name not in _NOT_OF_A_REFUSAL}
    return web.Response(status=status, headers=kept, body=body)


_NOT_OF_A_REFUSAL: Final = frozenset(
    {"connection", "content-encoding", "content-length", "keep-alive", "transfer-encoding"}
)


async def _finish(task: asyncio.Task[None]) -> None:
    """Wait for a relay; when the client is gone, only for a while: what it said is passed on."""
    try:
        await asyncio.wait({task})
        task.result()
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=_LAST_SECONDS)
        task.cancel()
        await asyncio.wait({task})
        raise


def _version() -> str:
    try:
        return version("turnwire")
    except PackageNotFoundError:  # from a folder that was never installed
        return "unknown"
