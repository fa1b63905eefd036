"""Which proxy is between here and a URL, and how to go through it: for both transports."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypedDict
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_PORTS: Final = {"http": 80, "https": 443}  # of the schemes that a proxy and a server may have
_USABLE: Final = (
    "only HTTP proxies can be used, such as http://user:password@host:3128, in which special"
    " characters are percent-encoded"
)


class UnusableProxy(ValueError):
    """What is named as a proxy is no HTTP proxy; to go around it would be worse."""


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


def proxy_at(address: str, url: str) -> Proxy:
    """Return the proxy at an address, to be used for an HTTP URL whatever the environment says.

    Raises:
        UnusableProxy: It is no HTTP proxy.
    """
    return _proxy(address, url, "`proxy` is {what}: {usable}")


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
    """Choose among proxies by scheme; a host, with or without its port, may be ``bypassed``.

    Raises:
        UnusableProxy: The one for this URL is no HTTP proxy.
    """
    server = urlsplit(url)
    named = proxies.get(server.scheme) or proxies.get("all")
    if not named or any(map(bypassed, _spellings(server))):
        return None
    otherwise = "set HTTPS_PROXY to one, or pass trust_env=False"
    return _proxy(named, url, f"the environment names {{what}}: {{usable}}; {otherwise}")


def _spellings(server: SplitResult) -> Iterator[str]:
    """List how a server may be named among those that need no proxy."""
    host, port = server.hostname or "", server.port
    if ":" in host:  # an IPv6 address: its last group alone would be taken for a port
        yield host
        host = f"[{host}]"
    elif port is None:
        yield host
    yield f"{host}:{port or _PORTS[server.scheme]}"


def _proxy(address: str, url: str, complaint: str) -> Proxy:
    parts, what = _read(address if "://" in address else f"http://{address}")
    if parts is None:  # and it is not repeated: it may hold a password
        raise UnusableProxy(complaint.format(what=what, usable=_USABLE))
    userinfo, _, place = parts.netloc.rpartition("@")
    return Proxy(
        f"{parts.scheme}://{place}",
        tunnels=urlsplit(url).scheme == "https",
        headers={"Proxy-Authorization": _basic(userinfo)} if userinfo else {},
    )


def _read(address: str) -> tuple[SplitResult | None, str]:
    """Split an address; else say what it is."""
    try:
        parts = urlsplit(address)
        has_place = bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without an address, a port that is no number
        return None, "a proxy whose address is no URL"
    if parts.scheme not in _PORTS:
        return None, f"a proxy of the kind {parts.scheme!r}"
    # A password with a slash ends the address too early: the place would be a part of it.
    if not has_place or "@" in f"{parts.path}{parts.query}{parts.fragment}":
        return None, "a proxy whose address is no URL"
    return parts, ""


def _basic(userinfo: str) -> str:
    user, _, password = userinfo.partition(":")
    credentials = f"{unquote(user)}:{unquote(password)}"
    return f"Basic {base64.b64encode(credentials.encode()).decode()}"
