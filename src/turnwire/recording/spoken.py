"""The user's audio in a replay: the same sound, in whatever pieces it is sent this time."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from typing import Final

import msgspec

_BUFFER: Final = "input_audio_buffer."
_APPEND: Final = f"{_BUFFER}append"


class _Event(msgspec.Struct):
    type: str
    audio: str = ""


def is_about_audio(data: bytes) -> bool:
    """Say whether a message is about the user's audio: it may stand otherwise among the others."""
    event = _event(data)
    return event is not None and event.type.startswith(_BUFFER)


def audio_of(data: bytes) -> bytes:
    """Return the audio that a message appends to the server's buffer; nothing of another one."""
    event = _event(data)
    if event is None or event.type != _APPEND:
        return b""
    try:
        return b64decode(event.audio, validate=True)
    except Base64Error:
        return b""


def _event(data: bytes) -> _Event | None:
    try:
        return msgspec.json.decode(data, type=_Event)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


class Spoken:
    """Audio that has arrived and was not found in the recording yet.

    Args:
        redacted: Whether the recording has only the length of what was said.
    """

    def __init__(self, *, redacted: bool) -> None:
        self._redacted = redacted
        self._heard = bytearray()
        self._same_bytes = 0  # of it are known to be what was recorded

    @property
    def size_bytes(self) -> int:
        """How much that is."""
        return len(self._heard)

    def may_begin(self, audio: bytes, recorded: bytes) -> bool:
        """Say whether the first pieces of audio may be parts of the same."""
        same = audio.startswith(recorded) or recorded.startswith(audio)
        return bool(recorded) and (same or self._redacted)

    def hear(self, audio: bytes) -> None:
        """Take audio in."""
        self._heard += audio

    def find(self, recorded: bytes) -> bool | None:
        """Take out what was recorded; None if more of it has to arrive, False if it is not this."""
        end = min(len(self._heard), len(recorded))
        begin = self._same_bytes
        if not self._redacted and bytes(self._heard[begin:end]) != recorded[begin:end]:
            return False
        if end < len(recorded):
            self._same_bytes = end
            return None
        self._same_bytes = 0
        del self._heard[:end]
        return True
