"""Bytes of a chat server's answer to JSON texts: a stream of events, or one object.

Beside what ``core/sse.py`` knows of such streams, ``[DONE]`` matters here: it tells a stream that
has ended from one that was cut.  Errors have lines of their own, and the last event may lack its
empty line.
"""

from __future__ import annotations

from typing import Final

from turnwire.core.sse import MessageTooLong

_BOM: Final = b"\xef\xbb\xbf"
_USUAL: Final = b"data: "


class StreamMessages:
    """Cuts an answer into JSON texts.

    Args:
        limit_bytes: The longest one that is accepted.

    Attributes:
        done: True once the stream has said that it is complete; what follows is not read.
        whole: True if the answer is no stream but one JSON object.
    """

    def __init__(self, limit_bytes: int = 64 * 2**20) -> None:
        self.done = False
        self.whole = False
        self._limit_bytes = limit_bytes
        self._at_start = True
        self._pieces: list[bytes] = []  # of a line that has not ended
        self._data: list[bytes] = []  # lines of an event that has not ended
        self._of_error = False
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes; return the texts that they complete.

        Raises:
            MessageTooLong: One is over the limit.
        """
        if self._at_start:
            data = b"".join((*self._pieces, data)).lstrip().removeprefix(_BOM)
            self._pieces.clear()
            self._at_start = len(data) < len(_BOM)  # which may be the beginning of one
            self.whole = data.startswith((b"{", b"["))
        begins_anew = self._size == 0 and not self._of_error
        if begins_anew and data.startswith(_USUAL) and data.endswith(b"\n\n"):
            return self._take_usual(data)
        if self.whole or self._at_start or not (b"\n" in data or b"\r" in data):
            self._pieces.append(data)
            self._grow(len(data))
            return []
        return self._take(data)

    def end(self) -> list[bytes]:
        """Return the texts that only wait for their end."""
        rest = b"".join(self._pieces)
        self._pieces.clear()
        if self.whole:
            return [rest]
        texts: list[bytes] = []
        for line in (*rest.splitlines(), b""):
            self._line(line, texts)
        return texts

    def _take_usual(self, data: bytes) -> list[bytes]:
        """Do what ``_take`` does, for bytes that begin and end with an event, as most do."""
        texts: list[bytes] = []
        for event in data[:-2].split(b"\n\n"):
            if self.done:
                break
            if event.startswith(b"data: {") and b"\n" not in event and b"\r" not in event:
                texts.append(event[6:])
            else:
                for line in (*event.splitlines(), b""):
                    self._line(line, texts)
        return texts

    def _take(self, data: bytes) -> list[bytes]:
        buffered = b"".join((*self._pieces, data))
        self._pieces.clear()
        # A line may end in CR, LF or CRLF; a CR at the very end may yet become CRLF.
        held = b"\r" if buffered.endswith(b"\r") else b""
        lines = buffered[: len(buffered) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *ended, tail = lines.split(b"\n")
        texts: list[bytes] = []
        for line in ended:
            self._line(line, texts)
        if tail or held:
            self._pieces.append(tail + held)
        self._size = sum(map(len, self._data))
        self._grow(len(tail) + len(held))
        return texts

    def _grow(self, size_bytes: int) -> None:
        self._size += size_bytes
        if self._size > self._limit_bytes:
            raise MessageTooLong(f"a message is longer than {self._limit_bytes} bytes")

    def _line(self, line: bytes, texts: list[bytes]) -> None:
        """Take a line, which an empty one makes an event."""
        if line:
            name, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if name == b"data":
                self._data.append(value)
            elif name == b"error":  # llama.cpp
                texts.append(b'{"error":%b}' % value)
            elif name == b"event":
                self._of_error = value == b"error"
            return  # comments, `id:` and `retry:` change nothing here
        text = b"\n".join(self._data)
        self._data.clear()
        if text.strip() == b"[DONE]":
            self.done = True
        elif text.strip() and not self.done:
            texts.append(b'{"error":%b}' % text if self._of_error else text)
        self._of_error = False
