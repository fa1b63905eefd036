"""Who may talk to the gateway: programs on this machine, and no web page unless it is allowed.

A page in a browser can open a WebSocket to any address that the browser reaches, and a name can be
made to point at loopback.  The first always carries ``Origin``, the second a foreign ``Host``.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from turnwire.gateway.config.settings import Settings

_LOCAL_NAMES: Final = frozenset({"localhost", "localhost."})
ANY: Final = "*"


def refused_access(settings: Settings, *, host: str | None, origin: str | None) -> str | None:
    """Say why a request is refused, or None if it may come in.

    Args:
        settings: What is bound, and what is allowed besides.
        host: The ``Host`` header, or None if there is none: then no browser sent it.
        origin: The ``Origin`` header, or None.
    """
    if origin is not None and not _is_allowed(origin, settings.allowed_origins):
        return (
            "Web pages may not use this gateway. To let this one in, start the gateway with its"
            " origin among the allowed origins."
        )
    if host is not None and not host_is_allowed(settings, host):
        return (
            "This gateway does not answer under this host name. Use the address that it listens"
            " on, or start it with the name among the allowed hosts."
        )
    return None


def host_is_allowed(settings: Settings, host: str) -> bool:
    """Decide about a ``Host`` header."""
    name = _without_port(host)
    if _is_allowed(name, settings.allowed_hosts):
        return True
    if name in _LOCAL_NAMES or name == settings.host.lower():
        return True
    address = _address(name)
    if address is None:
        return False
    if address.is_loopback:
        return True
    # Bound to every interface, any of the machine's addresses will do: only a name can be made to
    # point here by somebody else.
    bound = _address(settings.host)
    return settings.host == "" or (bound is not None and bound.is_unspecified)


def is_loopback(host: str) -> bool:
    """Say whether what is bound there is reached from this machine alone."""
    address = _address(host)
    return host.lower() in _LOCAL_NAMES if address is None else address.is_loopback


def _is_allowed(value: str, allowed: tuple[str, ...]) -> bool:
    return ANY in allowed or value.lower() in {entry.lower() for entry in allowed}


def _without_port(host: str) -> str:
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name, _, port = host.rpartition(":")
    return name if name and ":" not in name and port.isdecimal() else host


def _address(name: str) -> IPv4Address | IPv6Address | None:
    """Return the address, or None if this is a name."""
    try:
        address = ip_address(name)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
