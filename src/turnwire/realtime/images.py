"""Images as the server takes them: ``data:`` URIs, or addresses that it can reach."""

from __future__ import annotations

from binascii import b2a_base64
from typing import Final

from turnwire.errors import ConfigError

_SIGNATURES: Final = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
_SCHEMES: Final = ("data:", "http://", "https://")


def image_uri(image: object) -> str:
    """Return the URI of an image that is given as bytes or as a URI.

    Raises:
        ConfigError: It is no image that the server takes, or no URI.
    """
    if isinstance(image, (bytes, bytearray)):
        return _inline(bytes(image))
    if not isinstance(image, str):
        raise ConfigError(f"`image` must be bytes or a URI, not {type(image).__name__}")
    if not image.lower().startswith(_SCHEMES):
        raise ConfigError(
            "`image` must be a `data:`, `http:` or `https:` URI; of a file give the bytes:"
            " `Path(name).read_bytes()`"
        )
    return image


def _inline(image: bytes) -> str:
    for signature, kind in _SIGNATURES.items():
        if image.startswith(signature):
            return f"data:{kind};base64,{b2a_base64(image, newline=False).decode()}"
    raise ConfigError("`image` is neither a PNG nor a JPEG; convert it, the server takes no other")
