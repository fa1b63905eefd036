"""Writes down what happens, one connection at a time, without secrets."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from turnwire.recording.lines import (
    Answer,
    Body,
    Close,
    End,
    Http,
    Lost,
    Message,
    Open,
    Ping,
    Pong,
    Refused,
    Sse,
    Upgrade,
)
from turnwire.recording.redaction import PLACEHOLDER, Redaction

if TYPE_CHECKING:
    from collections.abc import Iterable

    from turnwire.recording.file import RecordingFile
    from turnwire.recording.lines import Sender
    from turnwire.recording.secrecy import Secrets

    Headers = Iterable[tuple[str, str]]


@dataclass(slots=True)
class Counts:
    """What passed, recorded or not."""

    sockets: int = 0
    exchanges: int = 0
    messages: int = 0


class _Content(TypedDict, total=False):
    text: str
    base64: str


class _Place(TypedDict):
    at: float
    connection: int


class Journal:
    """Everything that is written.

    Args:
        file: Where it goes.
        secrets: What is taken out.
        redact: Whether what was said is replaced by placeholders.

    Attributes:
        counts: What passed.
    """

    def __init__(self, file: RecordingFile, secrets: Secrets, *, redact: bool) -> None:
        self.file = file
        self.secrets = secrets
        self.redact = redact
        self.counts = Counts()
        self._connections = 0

    def open_page(self) -> Page:
        """Begin with a connection: a socket or an HTTP exchange."""
        self._connections += 1
        return Page(self, self._connections)


class Page:
    """What happens on one connection."""

    def __init__(self, journal: Journal, connection: int) -> None:
        self._journal = journal
        self._add = journal.file.add
        self._secrets = journal.secrets
        self._redactions: dict[Sender, Redaction] | None = None
        if journal.redact:
            self._redactions = {"client": Redaction(), "server": Redaction()}
        self._connection = connection

    # A socket

    def upgrade(self, path: str, headers: Headers) -> None:
        """A client asked for a socket."""
        self._journal.counts.sockets += 1
        cleaned = self._secrets.headers(headers)
        shown = self._secrets.path(path)
        self._add(Upgrade(**self._place(), path=shown, headers=cleaned))

    def opened(self, headers: Headers, protocol: str | None) -> None:
        """It got one."""
        cleaned = self._secrets.headers(headers)
        shown = None if protocol is None else self._secrets.clean(protocol)
        self._add(Open(**self._place(), headers=cleaned, protocol=shown))

    def refused(
        self, status: int, headers: Headers, body: bytes, sender: Sender = "server"
    ) -> None:
        """It got a status instead."""
        cleaned = self._secrets.headers(headers)
        content = self._content(body, sender)
        self._add(
            Refused(**self._place(), status=status, headers=cleaned, sender=sender, **content)
        )

    def message(self, sender: Sender, data: bytes, *, binary: bool) -> None:
        """A side sent a message."""
        self._journal.counts.messages += 1
        if sender == "client":
            self._secrets.learn_from_tools(data)
        content = self._content(data, sender, binary=binary)
        self._add(Message(**self._place(), sender=sender, binary=binary, **content))

    def ping(self, sender: Sender, data: bytes) -> None:
        """A side asked whether the other one is there."""
        content = self._content(data, sender)
        self._add(Ping(**self._place(), sender=sender, **content))

    def pong(self, sender: Sender, data: bytes) -> None:
        """A side said that it is there."""
        content = self._content(data, sender)
        self._add(Pong(**self._place(), sender=sender, **content))

    def close(self, sender: Sender, code: int, reason: str) -> None:
        """A side said goodbye."""
        shown = self._secrets.clean(reason)
        self._add(Close(**self._place(), sender=sender, code=code, reason=shown))

    def lost(self, sender: Sender) -> None:
        """A side was gone."""
        self._add(Lost(**self._place(), sender=sender))

    # An HTTP exchange

    def http(self, method: str, path: str, headers: Headers, body: bytes) -> None:
        """A client sent a request."""
        self._journal.counts.exchanges += 1
        cleaned = self._secrets.headers(headers)
        self._secrets.learn_from_tools(body)
        shown = self._secrets.path(path)
        content = self._content(body, "client") if body else _Content()
        self._add(Http(**self._place(), method=method, path=shown, headers=cleaned, **content))

    def answer(self, status: int, headers: Headers, sender: Sender = "server") -> None:
        """Its answer began."""
        cleaned = self._secrets.headers(headers)
        self._add(Answer(**self._place(), status=status, headers=cleaned, sender=sender))

    def sse(self, data: bytes) -> None:
        """A whole event of its stream came."""
        self._journal.counts.messages += 1
        content = self._content(data, "server", sse=True)
        self._add(Sse(**self._place(), **content))

    def body(self, data: bytes) -> None:
        """Its body came."""
        self._add(Body(**self._place(), **self._content(data, "server")))

    def end(self) -> None:
        """It is whole."""
        self._add(End(**self._place()))

    # What all lines have

    def _place(self) -> _Place:
        return {"at": self._journal.file.now(), "connection": self._connection}

    def _content(
        self, data: bytes, sender: Sender, *, binary: bool = False, sse: bool = False
    ) -> _Content:
        text = None if binary else _text(data)
        if text is not None:
            return {"text": self._redacted(self._secrets.clean(text), sender, sse=sse)}
        if self._redactions is not None:
            data = PLACEHOLDER.encode() * len(data)
        # A key is ASCII, and stands in bytes as it is.
        cleaned = self._secrets.clean(data.decode("latin-1")).encode("latin-1")
        return {"base64": b64encode(cleaned).decode()}

    def _redacted(self, text: str, sender: Sender, *, sse: bool) -> str:
        if self._redactions is None:
            return text
        redaction = self._redactions[sender]
        return redaction.sse(text) if sse else redaction.text(text)


def _text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
