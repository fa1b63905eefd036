"""Base64 of long audio: ``pybase64`` where it is installed, else msgspec's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

Buffer = bytes | bytearray | memoryview

# None without the package: msgspec, which reads the rest as well, is the quickest then.
quick_decode: Callable[..., bytes] | None = None
_quick_encode: Callable[[Buffer], bytes] | None = None
try:
    import pybase64
except ImportError:
    pass
else:
    quick_decode, _quick_encode = pybase64.b64decode, pybase64.b64encode


def base64_encode(data: Buffer) -> bytes:
    """Return the base64 of bytes."""
    if _quick_encode is not None:
        return _quick_encode(data)
    return msgspec.json.encode(data)[1:-1]  # a JSON string, without its quotes
