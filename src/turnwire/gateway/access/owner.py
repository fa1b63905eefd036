"""Whose a stored response is: that of the key that came with its create.

Whoever comes with another key does not see it, as on the hosted service, whether or not the gateway
asks for keys (``keys.py``).  Keys themselves are not kept.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# Browsers cannot set headers on a WebSocket; this is how a key travels from there.
KEY_PROTOCOL: Final = "openai-insecure-api-key."


def key_of(headers: Mapping[str, str]) -> str:
    """Return the key that a client brought, in ``Authorization`` or as a subprotocol; or ""."""
    key = headers.get("Authorization", "").strip()
    scheme, _, token = key.partition(" ")
    if scheme.lower() == "bearer":
        key = token.strip()
    if not key:
        offered = headers.get("Sec-WebSocket-Protocol", "").split(",")
        keys = (name.strip() for name in offered if name.strip().startswith(KEY_PROTOCOL))
        key = next(keys, "").removeprefix(KEY_PROTOCOL)
    return key


def owner_of(headers: Mapping[str, str]) -> str:
    """Return a name that is the same for the same key and tells nothing about it."""
    key = key_of(headers).encode("utf-8", "surrogateescape")
    return blake2b(key, digest_size=16).hexdigest()
