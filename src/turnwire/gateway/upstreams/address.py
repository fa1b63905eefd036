"""What an address of a model server is, and what the server is called: the same everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from urllib.parse import SplitResult

# As they are written, and as they are asked; an upgrade to WebSocket is an HTTP request, too.
SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}

UNNAMED: Final = "upstream"  # the name of one to which the configuration gives none


def called(name: str) -> str:
    """Return what sentences call an upstream."""
    return "the upstream" if name == UNNAMED else f"upstream {name}"


def address_of(url: str) -> SplitResult | None:
    """Take a URL apart, its scheme ``http`` or ``https`` then; None if it leads to no server."""
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without an address, a port that is no number or too high
        return None
    return parts._replace(scheme=SCHEMES[parts.scheme]) if usable else None
