"""A port that several processes will share."""

from __future__ import annotations

import socket
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

from turnwire.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Generator

# The first one, because connections of a gateway that has just stopped may linger.
_SHARED: Final = ("SO_REUSEADDR", "SO_REUSEPORT")


@contextmanager
def reserved_port(host: str, port: int) -> Generator[int]:
    """Bind a port without listening, so that others may bind it, too, with ``SO_REUSEPORT``.

    Nothing comes to a socket that does not listen; but a port that the system chose stays chosen.

    Args:
        host: Address or name to bind; all addresses if empty.
        port: 0 lets the system choose.

    Raises:
        ConfigError: It is taken, or this system does not share ports.
    """
    if not hasattr(socket, "SO_REUSEPORT"):
        raise ConfigError("this system does not share a port; serve with one worker")
    with ExitStack() as held:
        try:
            for family, address in _addresses(host, port):
                if port:
                    with _bound(family, address, port, "SO_REUSEADDR"):
                        pass  # or a gateway that shares its port would be joined unawares
                sharing = held.enter_context(_bound(family, address, port, *_SHARED))
                port = sharing.getsockname()[1]
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {host}:{port}: {error.strerror or error}; choose another host"
                " or port"
            ) from error
        yield port


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[Any, ...]]]:
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list({(family, address): None for family, _, _, _, address in found})


def _bound(
    family: socket.AddressFamily, address: tuple[Any, ...], port: int, *options: str
) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        for option in options:
            bound.setsockopt(socket.SOL_SOCKET, getattr(socket, option), 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((address[0], port, *address[2:]))
    except OSError:
        bound.close()
        raise
    return bound
