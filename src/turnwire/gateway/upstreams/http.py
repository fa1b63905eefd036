"""One model server over HTTP: a session, how long it may be silent, and what its failures mean."""

from __future__ import annotations

import asyncio
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final

import aiohttp

from turnwire.errors import ConfigError
from turnwire.gateway.upstreams import UpstreamFailed
from turnwire.gateway.upstreams.address import address_of
from turnwire.gateway.upstreams.failures import (
    CUT,
    NOT_LET_IN,
    TIMEOUT,
    UNREACHABLE,
    failure_of_answer,
    refused_key,
)
from turnwire.gateway.upstreams.timing import Timeouts
from turnwire.io.describing import ADVICE, describe_dial
from turnwire.io.proxy import UnusableProxy, passage, proxy_from_environment

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

_OK: Final = range(200, 300)
_REDIRECTS: Final = range(300, 400)
_ERROR_BYTES: Final = 2**16  # of an error's body; the message is in its beginning
_ERROR_SECONDS: Final = 5.0  # for reading it
_TAIL_SECONDS: Final = 0.2  # for the end of an answer that has said that it is complete
_PIECE_BYTES: Final = 2**18
_DEFAULTS: Final = Timeouts()

# What goes wrong before a single byte was sent to the server.
NOT_REACHED: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
)


class StreamCut(Exception):  # an outcome of reading, not a fault of ours
    """The server closed the connection in the middle of its answer."""


class HttpAnswer:
    """An answer while it comes.

    One timer watches over it; only the time that is spent waiting for the server counts.
    """

    def __init__(self, response: aiohttp.ClientResponse, timeouts: Timeouts, begun: float) -> None:
        self._response = response
        self._timeouts = timeouts
        self._loop = asyncio.get_running_loop()
        self._waiting_since: float | None = begun
        self._allowed = timeouts.first_output
        self._has_spoken = False
        self._timer: asyncio.TimerHandle | None = None
        self._late = False

    async def read(self) -> bytes:
        """Return the next bytes; none at the end.

        Raises:
            StreamCut: The end came too early.
            UpstreamFailed: With status 504, if the server was silent for too long.
        """
        try:
            # What has come already needs no timer: often that is the beginning, with the headers.
            data = self._response.content.read_nowait() or await self._next()
        except (aiohttp.ClientError, OSError) as error:
            raise self._failure() from error
        if self._late:
            raise self._failure()
        self._waiting_since = None
        if not self._has_spoken:
            self._has_spoken = True
            self._allowed = self._timeouts.idle
            self._stop_watching()
        return data

    async def _next(self) -> bytes:
        """Wait for the server."""
        if self._waiting_since is None:
            self._waiting_since = self._loop.time()
        if self._timer is None:
            self._look()
        return await self._response.content.readany()

    async def finish(self) -> None:
        """Read the little that is left, so that the connection can be used again."""
        content = self._response.content
        with suppress(TimeoutError, aiohttp.ClientError, OSError):
            content.read_nowait()
            if content.at_eof():
                return  # nearly always
            async with asyncio.timeout(_TAIL_SECONDS):
                while await content.readany():
                    pass

    def close(self) -> None:
        """Close the connection at once; an answer that is whole has given it back already."""
        self._stop_watching()
        self._response.close()

    def _stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """End a silence that is too long, and look again when this one could be."""
        self._stop_watching()
        if self._allowed is None:
            return
        now = self._loop.time()
        since = now if self._waiting_since is None else self._waiting_since
        if now - since < self._allowed:
            self._timer = self._loop.call_at(since + self._allowed, self._look)
        else:
            self._late = True
            self._response.close()  # which wakes the reader

    def _failure(self) -> Exception:
        return _too_late() if self._late else StreamCut()


class ModelServer:
    """Asks one server, over as many connections as it takes.

    Args:
        url: Its base URL, such as ``http://127.0.0.1:8000/v1``.
        headers: Sent with each request.
        connect_timeout: Seconds for a new connection.
        timeouts: How long it may be silent; ``turn`` is not looked at.

    Raises:
        ConfigError: The URL or the proxy for it cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        connect_timeout: float = 10.0,
        timeouts: Timeouts = _DEFAULTS,
    ) -> None:
        address = address_of(url)
        if address is None:
            raise ConfigError(
                "the upstream's URL is none; give one such as http://127.0.0.1:8000/v1"
            )
        self._url = address.geturl().rstrip("/")
        try:
            self._proxy = proxy_from_environment(self._url)
        except UnusableProxy as error:
            raise ConfigError(str(error)) from error
        self._headers = {"Accept": "text/event-stream, application/json", **(headers or {})}
        self._timeout = aiohttp.ClientTimeout(total=None, connect=connect_timeout)
        self._timeouts = timeouts
        self._session: aiohttp.ClientSession | None = None

    async def aclose(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def post(
        self,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        secrets: tuple[str, ...] = (),
        *,
        is_ours: bool = True,
    ) -> HttpAnswer:
        """Ask; the answer must be closed.

        Args:
            path: Behind the base URL.
            body: JSON.
            headers: Beside those of every request.
            secrets: What errors must not repeat.
            is_ours: True if it is the gateway's key, about which its clients can do nothing.

        Raises:
            UpstreamFailed: The server cannot be reached, is late, or answers with an error.
        """
        begun = asyncio.get_running_loop().time()
        response = await self._response(path, body, headers)
        if response.status in _OK:
            return HttpAnswer(response, self._timeouts, begun)
        with closing(response):
            raise await _refusal(response, secrets, is_ours=is_ours)

    async def _response(
        self, path: str, body: bytes, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0)  # limits are the gateway's to set
            self._session = aiohttp.ClientSession(connector=connector)
        sized = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        try:
            async with asyncio.timeout(self._timeouts.first_output):
                return await self._session.post(
                    f"{self._url}/{path}",
                    data=_in_pieces(body) if len(body) > _PIECE_BYTES else body,
                    timeout=self._timeout,
                    allow_redirects=False,  # a redirected POST becomes a GET
                    **passage(self._proxy, self._headers | sized | dict(headers)),
                )
        except NOT_REACHED as error:
            late = isinstance(error, aiohttp.ConnectionTimeoutError)
            raise UpstreamFailed(
                "The model server cannot be reached.",
                status=504 if late else 502,
                code=UNREACHABLE,
            ) from ConnectionError(describe_dial(error, self._proxy).removesuffix(ADVICE))
        except TimeoutError as error:
            raise _too_late() from error
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamFailed("The model server broke off.", code=CUT) from error


def _too_late() -> UpstreamFailed:
    return UpstreamFailed(
        "The model server was silent for too long. Try again.", status=504, code=TIMEOUT
    )


async def _refusal(
    response: aiohttp.ClientResponse, secrets: tuple[str, ...], *, is_ours: bool
) -> UpstreamFailed:
    """Read what the server has against it."""
    if response.status in NOT_LET_IN and is_ours:
        return refused_key(response.status)
    if response.status in _REDIRECTS:
        return UpstreamFailed(
            "The model server answered with a redirect. Its URL in the gateway's configuration is"
            " to be the one that it leads to."
        )
    body = bytearray()
    with suppress(TimeoutError, aiohttp.ClientError, OSError):
        async with asyncio.timeout(_ERROR_SECONDS):
            while len(body) < _ERROR_BYTES and (piece := await response.content.readany()):
                body += piece
    return failure_of_answer(response.status, response.headers, bytes(body[:_ERROR_BYTES]), secrets)


async def _in_pieces(body: bytes) -> AsyncGenerator[bytes]:
    """Hand a large body out piece by piece, so that others get their turn."""
    for start in range(0, len(body), _PIECE_BYTES):
        yield body[start : start + _PIECE_BYTES]
