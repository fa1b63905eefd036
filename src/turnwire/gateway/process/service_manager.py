"""Tell the service manager that the gateway listens: systemd's `Type=notify`.

Source: sd_notify(3), "Notes": one datagram to the socket that NOTIFY_SOCKET names.
"""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

READY: Final = "READY=1"

_log = logging.getLogger(__name__)


def tell_service_manager(state: str, environment: Mapping[str, str]) -> bool:
    """Send a state, if somebody waits for it; say whether it was sent.

    Args:
        state: Such as ``READY``.
        environment: Where NOTIFY_SOCKET is.
    """
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False  # not started by a service manager, or by one that uses another way
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(state.encode(), address)
    except OSError as error:
        _log.warning("the service manager cannot be told %s: %s", state, error.strerror or error)
        return False
    return True
