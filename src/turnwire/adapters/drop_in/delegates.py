"""The HTTP transports behind a drop-in transport, for everything that does not go over a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from turnwire.adapters.drop_in.family import CONNECTIONS
from turnwire.io.proxy import UnusableProxy, proxy_at, proxy_from_environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from turnwire.adapters.drop_in.family import Family
    from turnwire.adapters.drop_in.options import DropInOptions


class Delegates:
    """One transport of the caller's; or transports of the library's own, one for each proxy.

    Args:
        make: Makes a transport.
        wrapped: The caller's, or None.
        family: The library.
        options: What says whom to trust and which proxy to use.
    """

    def __init__(
        self, make: Callable[..., Any], wrapped: Any, family: Family, options: DropInOptions
    ) -> None:
        self._make = make
        self._wrapped = wrapped
        self._library = family.library
        self._options = options
        self._by_proxy: dict[str | None, Any] = {}

    def transport(self, request: Any) -> Any:
        """Return the transport for a request, made when it is first needed."""
        if self._wrapped is not None:
            return self._wrapped
        proxy = self._proxy(f"{request.url.scheme}://{request.url.netloc.decode()}")
        address = None if proxy is None else str(proxy.url)
        if address not in self._by_proxy:  # of two threads the first one wins
            self._by_proxy.setdefault(address, self._made(proxy))
        return self._by_proxy[address]

    def _made(self, proxy: Any) -> Any:
        context = self._options.get("ssl_context")
        return self._make(
            verify=True if context is None else context,
            trust_env=self._options.get("trust_env", True),
            limits=self._library.Limits(**CONNECTIONS),
            proxy=proxy,
        )

    def _proxy(self, url: str) -> Any:
        """Return the library's own description of the proxy, or None."""
        scheme = urlsplit(url).scheme
        named = self._options.get("proxy")
        if scheme not in ("http", "https") or named == "":
            return None  # for another scheme the library has a better word
        if named is None and not self._options.get("trust_env", True):
            return None
        try:
            proxy = proxy_from_environment(url) if named is None else proxy_at(named, url)
        except UnusableProxy:  # for a socket; the library may know how to go through it
            proxies = getproxies()
            return self._library.Proxy(proxies.get(scheme) or proxies["all"])
        if proxy is None:
            return None
        secured = proxy.url.startswith("https:")
        context = self._options.get("ssl_context") if secured else None
        return self._library.Proxy(proxy.url, headers=dict(proxy.headers), ssl_context=context)

    @property
    def made(self) -> list[Any]:
        """Those that there are, to be closed."""
        return [*([] if self._wrapped is None else [self._wrapped]), *self._by_proxy.values()]
