"""What went wrong below, in few words that are safe to show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import aiohttp

if TYPE_CHECKING:
    from turnwire.io.proxy import Proxy

ADVICE: Final = "; check `base_url`, and that the server runs"


def describe_dial(error: Exception, proxy: Proxy | None = None) -> str:
    """Say why a server could not be reached, on which way, and what to do."""
    named = isinstance(error, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError)
    # Its URL is without credentials.
    way = "" if proxy is None or named else f" through the proxy {proxy.url}"
    if isinstance(error, aiohttp.ClientConnectorSSLError) and "WRONG_VERSION_NUMBER" in str(error):
        return f"no TLS is spoken there{way}; is it http:// instead of https://?"
    return f"{describe(error)}{way}{ADVICE}"


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
            return f"the proxy: {error}"  # its text has the proxy's host and port alone
        case aiohttp.ClientConnectorError():
            return f"{_cause(error.os_error)} ({error.host}:{error.port})"
        case aiohttp.ClientResponseError():
            return f"{error.message} (HTTP {error.status})"  # its own text has the whole URL
        case _:
            return str(error) or type(error).__name__


def _cause(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    return error.strerror or type(error).__name__
