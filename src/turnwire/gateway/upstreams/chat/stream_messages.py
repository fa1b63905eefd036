"""Bytes of a chat server's answer to JSON texts: a stream of events, or one object.

Beside what ``core/sse.py`` knows of such streams, ``[DONE]`` matters here: it tells a stream that
has ended from one that was cut.  Errors have lines of their own, and the last event may lack its
empty line.
"""

from __future__ import annotations

from typing import Final

from turnwire.core.sse import Lines

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
        self._start: bytes | None = b""  # while it may be the beginning of a mark
        self._lines = Lines(limit_bytes)
        self._data: list[bytes] = []  # lines of an event that has not ended
        self._of_error = False
        self._whole: list[bytes] = []  # pieces of what is no stream

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes; return the texts that they complete.

        Raises:
            MessageTooLong: One is over the limit.
        """
        if self._start is not None:
            data = (self._start + data).lstrip().removeprefix(_BOM)
            self._start = data if len(data) < len(_BOM) else None
            self.whole = data.startswith((b"{", b"["))
            if self._start is not None:
                return []
        begins_anew = not (self._lines.size_bytes or self._data or self._of_error)
        if begins_anew and data.startswith(_USUAL) and data.endswith(b"\n\n"):
            return self._take_usual(data)
        texts: list[bytes] = []
        if self.whole:
            self._whole.append(data)
        else:
            for line in self._lines.feed(data):
                self._line(line, texts)
        self._lines.check(sum(map(len, self._whole or self._data)))
        return texts

    def end(self) -> list[bytes]:
        """Return the texts that only wait for their end."""
        if self.whole:
            return [b"".join((self._start or b"", *self._whole))]
        texts: list[bytes] = []
        for line in (*self._lines.rest(self._start or b"").splitlines(), b""):
            self._line(line, texts)
        return texts

    def _take_usual(self, data: bytes) -> list[bytes]:
        """Take bytes that begin and end with an event, as most do."""
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
