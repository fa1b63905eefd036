"""What browsers ask before a web page may use the gateway, and what they want to read after it.

Pages are let in by name (``hosts.py``); this only says so in the words of the Fetch standard.
Cookies play no part: a page has to bring its own key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE: Final = web.RequestKey("page", str)  # the origin of a page that was let in

_METHODS: Final = "GET, POST, DELETE"
_REMEMBERED: Final = "600"  # seconds; most browsers allow no more than two hours
# What a page may read besides the few that it always may.
_SHOWN: Final = "Retry-After, X-Request-Id"
_MAX_ASKED: Final = 4096  # characters


def is_preflight(method: str, headers: Mapping[str, str]) -> bool:
    """Say whether a browser asks for permission."""
    return (
        method == "OPTIONS" and "Origin" in headers and "Access-Control-Request-Method" in headers
    )


def preflight_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return what grants a preflight of an allowed page: its method, and the headers it asked for.

    SDKs send many headers of their own, which are all tolerated (interop rule R2); so no list of
    them is kept here.
    """
    granted = {
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Max-Age": _REMEMBERED,
        **shown_to(headers["Origin"]),
    }
    asked = headers.get("Access-Control-Request-Headers", "")
    if asked and len(asked) <= _MAX_ASKED:
        granted["Access-Control-Allow-Headers"] = asked
    return granted


def shown_to(origin: str) -> dict[str, str]:
    """Return the headers that let an allowed page read an answer."""
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": _SHOWN,
        "Vary": "Origin",
    }


async def let_page_read(request: web.Request, response: web.StreamResponse) -> None:
    """Add the headers before an answer begins, if a page that was let in asked for it."""
    page = request.get(PAGE)
    if page is not None:
        response.headers.update(shown_to(page))
