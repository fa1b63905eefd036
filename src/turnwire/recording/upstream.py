"""The server that is relayed to: its address, what is passed on to it, how it is dialled."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from turnwire.errors import ConfigError
from turnwire.io.proxy import UnusableProxy, proxy_from_environment
from turnwire.io.websocket import upgrade_once
from turnwire.recording.access import is_loopback
from turnwire.recording.secrecy import KEY_PROTOCOL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from turnwire.io.proxy import Proxy

_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
# What is said between two neighbours alone (RFC 9110, section 7.6.1), or is made anew for each.
_HOP_BY_HOP: Final = frozenset(
    """
    connection content-length expect host keep-alive proxy-authenticate proxy-authorization
    proxy-connection sec-websocket-accept sec-websocket-extensions sec-websocket-key
    sec-websocket-protocol sec-websocket-version te trailer transfer-encoding upgrade
    """.split()  # noqa: SIM905
)
_OF_CODING: Final = frozenset({"accept-encoding", "content-encoding"})
_CREDENTIALS: Final = frozenset({"authorization", "api-key", "x-api-key"})


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where the server is.

    Attributes:
        origin: ``http://`` or ``https://`` with host and port.
        path: That of its base URL, without a slash at its end.
        query: Parameters of its base URL; for whoever does not send them.
        authorization: A header to send in place of the client's credentials, or None.
        proxy: What is between here and there.
    """

    origin: str
    path: str
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    authorization: str | None = field(default=None, repr=False)
    proxy: Proxy | None = None

    def serves(self, path: str) -> bool:
        """Say whether a path is below the base URL."""
        place = path.partition("?")[0]
        return place == self.path or place.startswith(f"{self.path}/")

    def is_at(self, port: int) -> bool:
        """Say whether the server is on this port of this machine."""
        server = urlsplit(self.origin)
        return server.port == port and is_loopback(server.hostname or "")

    def url(self, path: str) -> URL:
        """Return the address of a path with its query, just as the client wrote them."""
        url = URL(self.origin + path, encoded=True)
        missing = [(name, value) for name, value in self.query if name not in url.query]
        return url.extend_query(missing) if missing else url

    def headers(self, headers: Mapping[str, str]) -> CIMultiDict[str]:
        """Return what is passed on of a client's headers; the body is not compressed again."""
        passed = CIMultiDict(end_to_end(headers, without=_OF_CODING))
        passed["Accept-Encoding"] = "identity"  # what is recorded can be read
        if self.authorization is not None:
            for name in _CREDENTIALS:
                passed.popall(name, None)
            passed["Authorization"] = self.authorization
        return passed

    def protocols(self, offered: str) -> list[str]:
        """Return the subprotocols to offer of those that a client offers."""
        names = [name.strip() for name in offered.split(",") if name.strip()]
        if self.authorization is None:
            return names
        return [name for name in names if not name.startswith(KEY_PROTOCOL)]


def parse_upstream(base_url: str, api_key: str | None, *, trust_env: bool) -> Upstream:
    """Read a base URL; a key replaces what clients send.

    Raises:
        ConfigError: It is none; or there are two keys.
    """
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without an address, a port that is no number
        parts, usable = None, False
    if parts is None or not usable:
        raise ConfigError("the upstream must look like https://host/v1")
    userinfo, _, place = parts.netloc.rpartition("@")
    if userinfo and api_key:
        raise ConfigError("the upstream names a user and there is an API key; give one of the two")
    origin = f"{_SCHEMES[parts.scheme]}://{place}"
    try:
        proxy = proxy_from_environment(origin) if trust_env else None
    except UnusableProxy as error:
        raise ConfigError(str(error)) from None
    return Upstream(
        origin,
        parts.path.rstrip("/").removesuffix("/responses"),
        tuple(parse_qsl(parts.query, keep_blank_values=True)),
        _basic(userinfo) if userinfo else f"Bearer {api_key}" if api_key else None,
        proxy,
    )


def _basic(userinfo: str) -> str:
    return f"Basic {base64.b64encode(unquote(userinfo).encode()).decode()}"


def end_to_end(headers: Mapping[str, str], *, without: Iterable[str] = ()) -> list[tuple[str, str]]:
    """Return the headers that are not for the next neighbour alone."""
    named = {name.strip().lower() for name in headers.get("Connection", "").split(",")}
    left_out = _HOP_BY_HOP | named | frozenset(without)
    return [(name, value) for name, value in headers.items() if name.lower() not in left_out]


def location_here(value: str, upstream: Upstream) -> str:
    """Return where a redirect points; to the same server it leads through the recorder."""
    inside = value.startswith(f"{upstream.origin}/")
    return value.removeprefix(upstream.origin) if inside else value


class UpstreamSocket(aiohttp.ClientWebSocketResponse):
    """The socket to the server."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Those of the server's answer to the upgrade."""
        return self._response.headers

    def drop(self) -> None:
        """End the TCP connection; what was written goes out before."""
        self._response.close()


def open_session() -> aiohttp.ClientSession:
    """Open the session for everything that is relayed; it adds nothing of its own."""
    return aiohttp.ClientSession(
        trust_env=False,
        middlewares=(upgrade_once,),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),  # the client keeps the clocks
        # A connection for each: one that was kept, and is stale, would fail what is no failure.
        connector=aiohttp.TCPConnector(limit=0, force_close=True),
        skip_auto_headers=("Accept", "Content-Type", "User-Agent"),
        ws_response_class=UpstreamSocket,
    )
