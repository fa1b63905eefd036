"""Bytes of a server-sent event stream to messages, for the HTTP path.

Knows the framing of https://html.spec.whatwg.org/multipage/server-sent-events.html and nothing
about what a message means.  The ``event:`` line repeats the JSON's ``type`` and is not used.
"""

from __future__ import annotations

from typing import Final

_BOM: Final = b"\xef\xbb\xbf"


class MessageTooLong(ValueError):
    """One message of the stream is over the limit."""


class SSEDecoder:
    """Cuts a stream of bytes into messages.

    Args:
        limit_bytes: The longest message that is accepted.
    """

    def __init__(self, limit_bytes: int = 256 * 2**20) -> None:
        self._limit_bytes = limit_bytes
        self._pieces: list[bytes] = []  # of a line that has not ended
        self._data: list[bytes] = []
        self._size = 0
        self._at_start = True

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes; return the messages that they complete.

        Raises:
            MessageTooLong: A message is over the limit.
        """
        if b"\n" not in data and b"\r" not in data:
            self._pieces.append(data)
            self._grow(len(data))
            return []
        buffered = b"".join((*self._pieces, data))
        self._pieces.clear()
        if self._at_start:
            buffered, self._at_start = buffered.removeprefix(_BOM), False
        # A line may end in CR, LF or CRLF; a CR at the very end may yet become CRLF.
        held = b"\r" if buffered.endswith(b"\r") else b""
        lines = buffered[: len(buffered) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *whole, tail = lines.split(b"\n")
        messages = [message for line in whole if (message := self._line(line)) is not None]
        self._pieces.append(tail + held)
        self._size = sum(map(len, self._data))
        self._grow(len(tail))
        return messages

    def _grow(self, size_bytes: int) -> None:
        self._size += size_bytes
        if self._size > self._limit_bytes:
            raise MessageTooLong(f"a message is longer than {self._limit_bytes} bytes")

    def _line(self, line: bytes) -> bytes | None:
        if not line:
            message = b"\n".join(self._data)
            self._data.clear()
            return message if message and message != b"[DONE]" else None
        if line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))
        return None  # comments, `event:`, `id:` and `retry:` change nothing here
