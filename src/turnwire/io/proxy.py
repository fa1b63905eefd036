"""Which proxy the environment names for a URL, and how to go through it: for both transports."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypedDict
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SCHEMES: Final = ("http", "https")


class UnusableProxy(ValueError):
    """The environment names a proxy that is no HTTP proxy; to go around it would be worse."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy.

    Attributes:
        url: Where it is, without its credentials, which errors would repeat.
        tunnels: True if it is asked to CONNECT, because only the server may read what is said.
        headers: Its credentials, if it wants any.
    """

    url: str
    tunnels: bool
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


class Passage(TypedDict):
    """The arguments of aiohttp that send a request through a proxy."""

    headers: Mapping[str, str]
    proxy: str | None
    proxy_headers: Mapping[str, str] | None


def passage(proxy: Proxy | None, headers: Mapping[str, str]) -> Passage:
    """Return how to send a request with these headers, through a proxy if there is one."""
    if proxy is None:
        return Passage(headers=headers, proxy=None, proxy_headers=None)
    if proxy.tunnels:
        return Passage(headers=headers, proxy=proxy.url, proxy_headers=dict(proxy.headers))
    # Without a tunnel there is one request for both; the proxy takes out what is its own.
    return Passage(headers={**headers, **proxy.headers}, proxy=proxy.url, proxy_headers=None)


def proxy_from_environment(url: str) -> Proxy | None:
    """Return the proxy for an HTTP URL as ``HTTPS_PROXY`` and its like name it.

    ``NO_PROXY`` and, where there are no variables, the system's settings count as well.

    Raises:
        UnusableProxy: It is no HTTP proxy.
    """
    return proxy_for(url, getproxies(), lambda host: bool(proxy_bypass(host)))


def proxy_for(
    url: str, proxies: Mapping[str, str], bypassed: Callable[[str], bool]
) -> Proxy | None:
    """Choose among proxies by scheme; a host with its port may be ``bypassed``.

    Raises:
        UnusableProxy: The one for this URL is no HTTP proxy.
    """
    server = urlsplit(url)
    named = proxies.get(server.scheme) or proxies.get("all")
    if not named or bypassed(_host_and_port(server.hostname or "", server.port)):
        return None
    parts = urlsplit(named if "://" in named else f"http://{named}")
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise UnusableProxy(
            f"the environment names a proxy of the kind {parts.scheme!r} and only HTTP proxies can"
            " be used: set HTTPS_PROXY to one, or pass trust_env=False"
        )
    userinfo, _, place = parts.netloc.rpartition("@")
    return Proxy(
        f"{parts.scheme}://{place}",
        tunnels=server.scheme == "https",
        headers={"Proxy-Authorization": _basic(userinfo)} if userinfo else {},
    )


def _host_and_port(host: str, port: int | None) -> str:
    # An IPv6 address stands alone: its last group would be taken for a port.
    return host if port is None or ":" in host else f"{host}:{port}"


def _basic(userinfo: str) -> str:
    user, _, password = userinfo.partition(":")
    credentials = f"{unquote(user)}:{unquote(password)}"
    return f"Basic {base64.b64encode(credentials.encode()).decode()}"
