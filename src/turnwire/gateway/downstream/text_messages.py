"""Messages as a server writes them: RFC 6455, section 5.2, whole and neither masked nor compressed.

aiohttp writes one at a time; a model says several in one turn of the loop, and one write for all of
them costs a fraction.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_FINAL_TEXT: Final = 0x81
_SHORT: Final = 126  # from here on the length has two bytes of its own
_LONG: Final = 2**16  # and from here on, eight
_short = struct.Struct("!BB").pack
_middle = struct.Struct("!BBH").pack
_long = struct.Struct("!BBQ").pack


def text_messages(messages: Iterable[bytes]) -> bytes:
    """Return the bytes of these text messages, in order."""
    pieces: list[bytes] = []
    for message in messages:
        size = len(message)
        if size < _SHORT:
            pieces.append(_short(_FINAL_TEXT, size))
        elif size < _LONG:
            pieces.append(_middle(_FINAL_TEXT, 126, size))
        else:
            pieces.append(_long(_FINAL_TEXT, 127, size))
        pieces.append(message)
    return b"".join(pieces)
