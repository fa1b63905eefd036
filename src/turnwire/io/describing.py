"""What went wrong below, in few words that are safe to show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aiohttp
from aiohttp.http import HttpProcessingError

from turnwire.io.tls import explain_tls

if TYPE_CHECKING:
    from turnwire.io.proxy import Proxy

ADVICE: Final = "; check `base_url`, and that the server runs"
_WHO_ARE_YOU: Final = 407


def describe_dial(error: Exception, proxy: Proxy | None = None) -> str:
    """Say why a server could not be reached, on which way, and what to do."""
    way = "" if proxy is None else f" through the proxy {proxy.url}"  # without credentials
    if (explained := explain_tls(error)) is not None:
        return f"{explained.what}{way}; {explained.advice}"
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return f"{describe(error)}; check `proxy`, or HTTPS_PROXY and its like"
    if isinstance(error, aiohttp.ClientHttpProxyError) and proxy is not None:
        return f"{describe(error)}; {_advice_of_proxy(error.status, proxy)}"
    return f"{describe(error)}{way}{ADVICE}"


def _advice_of_proxy(status: int, proxy: Proxy) -> str:
    if status != _WHO_ARE_YOU:
        return f"check `base_url`, and that {proxy.url} may go there"
    if proxy.headers:
        return f"check user and password of the proxy {proxy.url}"
    return "name user and password in the proxy's URL: http://user:password@host:3128"


def describe(error: Exception) -> str:
    """Say what happened without headers, and without addresses that may hold credentials."""
    match error:
        case aiohttp.InvalidURL():
            return "the URL cannot be used"
        case aiohttp.ConnectionTimeoutError():
            return "no connection in time"
        case aiohttp.ClientHttpProxyError():
            return f"the proxy answered: {error.message} (HTTP {error.status})"
        case aiohttp.ClientProxyConnectionError():
            return f"the proxy cannot be reached: {_cause(error.os_error)} ({_place(error)})"
        case aiohttp.ClientConnectorError():
            return f"{_cause(error.os_error)} ({_place(error)})"
        case aiohttp.ClientResponseError(__cause__=HttpProcessingError()):
            return "the server answered with something that is not HTTP"  # which it would quote
        case aiohttp.ClientResponseError():
            return f"{error.message} (HTTP {error.status})"  # its own text has the whole URL
        case _:
            return str(error) or type(error).__name__


def _place(error: aiohttp.ClientConnectorError) -> str:
    return f"{error.host}:{error.port}"


def _cause(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    return error.strerror or type(error).__name__
