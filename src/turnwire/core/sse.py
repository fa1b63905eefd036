"""Bytes of a server-sent event stream to messages, for the HTTP path.

Knows the framing of https://html.spec.whatwg.org/multipage/server-sent-events.html and nothing
about what a message means.  The ``event:`` line repeats the JSON's ``type`` and is not used.
"""

from __future__ import annotations

from typing import Final

_BOM: Final = b"\xef\xbb\xbf"


class MessageTooLong(ValueError):
    """One message of the stream is over the limit."""


class Lines:
    """Cuts a stream of bytes into lines, which may end in CR, LF or CRLF.

    Args:
        limit_bytes: How much may wait for its end.

    Attributes:
        size_bytes: What waits for the end of its line.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._pieces: list[bytes] = []
        self.size_bytes = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes; return the lines that they end."""
        if b"\n" not in data and b"\r" not in data:
            self._pieces.append(data)
            self.size_bytes += len(data)
            return []
        buffered = self.rest(data)
        # A CR at the very end may yet become CRLF.
        held = b"\r" if buffered.endswith(b"\r") else b""
        lines = buffered[: len(buffered) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *ended, tail = lines.split(b"\n")
        self._pieces.append(tail + held)
        self.size_bytes = len(tail) + len(held)
        return ended

    def rest(self, data: bytes = b"") -> bytes:
        """Take what waits, with what comes behind it."""
        rest = b"".join((*self._pieces, data))
        self._pieces.clear()
        self.size_bytes = 0
        return rest

    def check(self, more_bytes: int) -> None:
        """Look whether the message that is being read is too long.

        Args:
            more_bytes: What it has beside the line that waits.

        Raises:
            MessageTooLong: It is.
        """
        if self.size_bytes + more_bytes > self._limit_bytes:
            raise MessageTooLong(f"a message is longer than {self._limit_bytes} bytes")


class SSEDecoder:
    """Cuts a stream of bytes into messages.

    Args:
        limit_bytes: The longest message that is accepted.
    """

    def __init__(self, limit_bytes: int = 256 * 2**20) -> None:
        self._lines = Lines(limit_bytes)
        self._data: list[bytes] = []
        self._at_start = True

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes; return the messages that they complete.

        Raises:
            MessageTooLong: A message is over the limit.
        """
        lines = self._lines.feed(data)
        if self._at_start and lines:
            lines[0], self._at_start = lines[0].removeprefix(_BOM), False
        messages = [message for line in lines if (message := self._line(line)) is not None]
        self._lines.check(sum(map(len, self._data)))
        return messages

    def _line(self, line: bytes) -> bytes | None:
        if not line:
            message = b"\n".join(self._data)
            self._data.clear()
            return message if message and message != b"[DONE]" else None
        if line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))
        return None  # comments, `event:`, `id:` and `retry:` change nothing here
