"""The user's audio in a replay: the same sound, in whatever pieces it is sent this time."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from typing import Final

import msgspec

_APPEND: Final = "input_audio_buffer.append"


class _Append(msgspec.Struct):
    type: str
    audio: str = ""


def audio_of(data: bytes) -> bytes | None:
    """Return the audio that a message appends to the server's buffer; None if it is another one."""
    try:
        event = msgspec.json.decode(data, type=_Append)
        return b64decode(event.audio, validate=True) if event.type == _APPEND else None
    except (msgspec.MsgspecError, UnicodeDecodeError, Base64Error):
        return None


class Spoken:
    """Audio that has arrived and was not found in the recording yet.

    Args:
        redacted: Whether the recording has only the length of what was said.
    """

    def __init__(self, *, redacted: bool) -> None:
        self._redacted = redacted
        self._heard = bytearray()

    @property
    def size_bytes(self) -> int:
        """How much that is."""
        return len(self._heard)

    def hear(self, audio: bytes) -> None:
        """Take audio in."""
        self._heard += audio

    def find(self, recorded: bytes) -> bool | None:
        """Take out what was recorded; None if more of it has to arrive, False if it is not this."""
        heard = self._heard[: len(recorded)]
        if not self._redacted and not recorded.startswith(heard):
            return False
        if len(heard) < len(recorded):
            return None
        del self._heard[: len(recorded)]
        return True
