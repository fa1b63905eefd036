"""What went wrong below, in few words that are safe to show."""

from __future__ import annotations

import aiohttp


def describe(error: Exception) -> str:
    """Say what happened without headers, and without addresses that may hold credentials."""
    if isinstance(error, aiohttp.InvalidURL):
        return "the URL cannot be used"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"{error.message} (HTTP {error.status})"  # its own text has the whole URL
    return str(error) or type(error).__name__
