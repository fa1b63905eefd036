"""Who may use the recorder: programs on this machine, under a name that only they can mean.

A page in a browser can reach any address that the browser reaches, and a name can be made to point
at loopback; with a key from the environment that would be somebody else's bill.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

_LOCAL_NAMES: Final = frozenset({"localhost", "localhost."})


def refused_access(bound: str, host: str | None, origin: str | None) -> str | None:
    """Say why a request is refused, or None if it may come in.

    Args:
        bound: The address that is listened on.
        host: The ``Host`` header, or None: then no browser sent it.
        origin: The ``Origin`` header, which browsers send.
    """
    if origin is not None:
        return "Web pages may not use this recorder: send no `Origin`."
    if host is not None and not _is_ours(bound.lower(), _without_port(host)):
        return "The recorder does not answer under this host name: use the address it listens on."
    return None


def is_loopback(host: str) -> bool:
    """Say whether a host to listen on is reached from this machine alone."""
    if host.lower() in _LOCAL_NAMES:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_ours(bound: str, name: str) -> bool:
    if name == bound or is_loopback(name):
        return True
    try:
        # Bound to every interface, any address of the machine will do; a name will not.
        return bool(ip_address(name)) and ip_address(bound or "0.0.0.0").is_unspecified  # noqa: S104
    except ValueError:
        return False


def _without_port(host: str) -> str:
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
