"""Where an answer sends us, which is followed on the same server only: the key goes along.

docs/protocol/handshake.md#redirects
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from turnwire.io.refusal import Refusal

    Origin = tuple[str, str | None, int | None]  # scheme, host, port

MAX_REDIRECTS: Final = 3
OF_UPGRADE: Final = frozenset({301, 302, 307, 308})
OF_POST: Final = frozenset({307, 308})  # the others make a GET of it
_ANY: Final = OF_UPGRADE | {303}

_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_PORTS: Final = {"http": 80, "https": 443}
_SHOWABLE: Final = re.compile(r"[\w.:-]{1,253}", re.ASCII)


class Redirects:
    """The way of one dial or POST, redirect after redirect.

    Attributes:
        url: Where it is now.
    """

    def __init__(self, url: str, statuses: AbstractSet[int]) -> None:
        self.url = url
        self._statuses = statuses
        self._left = MAX_REDIRECTS

    def follow(self, refusal: Refusal) -> bool:
        """Go where an answer points; False if it does not point anywhere on this server."""
        if refusal.status not in self._statuses or not self._left:
            return False
        target = _target(self.url, refusal.headers)
        here = urlsplit(self.url)
        if target is None or _origin(target) != _origin(here):
            return False
        self._left -= 1
        # Scheme, host, port and user stay our own words, whatever the other side's mean.
        self.url = urlunsplit((here.scheme, here.netloc, target.path or "/", target.query, ""))
        return True


def is_redirect(status: int | None) -> bool:
    """Say whether an answer says that what was asked for is elsewhere."""
    return status in _ANY


def describe_redirect(status: int | None, headers: Mapping[str, str]) -> str:
    """Say of an answer that was not followed where it points and what to do; else nothing."""
    if not is_redirect(status):
        return ""
    return (
        f"; it points to {_place(headers)}. Only redirects to the same scheme, host"
        f" and port are followed, {MAX_REDIRECTS} at most and with the method kept, because the"
        " key goes along: set `base_url` to where the server really is"
    )


def _target(url: str, headers: Mapping[str, str]) -> SplitResult | None:
    location = headers.get("location")
    try:
        return urlsplit(urljoin(url, location)) if location else None
    except ValueError:
        return None


def _origin(parts: SplitResult) -> Origin | None:
    scheme = _SCHEMES.get(parts.scheme)
    try:
        port = parts.port
    except ValueError:
        return None
    if scheme is None or not parts.hostname:
        return None
    return scheme, parts.hostname, _PORTS[scheme] if port is None else port


def _place(headers: Mapping[str, str]) -> str:
    """Name a server by scheme, host and port alone: the rest may hold secrets."""
    target = _target("", headers)
    if target is not None and not target.scheme and not target.netloc:
        return "the same server"
    origin = None if target is None else _origin(target)
    if origin is None or not _SHOWABLE.fullmatch(str(origin[1])):
        return "no usable address"
    scheme, host, port = origin
    place = f"[{host}]" if ":" in str(host) else host
    return f"{scheme}://{place}" if port == _PORTS[scheme] else f"{scheme}://{place}:{port}"
