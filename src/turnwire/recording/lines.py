"""The lines of a recording: what can be in one, and how it looks as JSON.

The first line is the header, each other one something that happened.  Described in
docs/howto/recording.md#format.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Final, Literal

import msgspec

VERSION: Final = 1

Sender = Literal["client", "server", "recorder"]


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line.

    Attributes:
        turnwire_recording: The version of the format.
        started: When, in UTC, as ISO 8601 has it.
        upstream: The base URL that was relayed to, without secrets.
        content: ``redacted`` if what was said was replaced by placeholders.
        by: What wrote it.
    """

    turnwire_recording: int
    started: str
    upstream: str
    content: Literal["whole", "redacted"]
    by: str


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind"):
    """Something that happened.

    Attributes:
        at: When, in seconds since the start.
        connection: The number of the socket or of the HTTP exchange, from 1 in order of arrival;
            0 if it concerns none.
    """

    at: float
    connection: int = 0


class Content(Line, frozen=True, kw_only=True, omit_defaults=True):
    """A line with bytes in it.

    Attributes:
        text: They, if they are text; exact but for secrets.
        base64: They, if they are not.
    """

    text: str | None = None
    base64: str | None = None

    @property
    def data(self) -> bytes:
        """The bytes."""
        if self.base64 is not None:
            return b64decode(self.base64)
        return (self.text or "").encode()


# A socket: upgrade, then open or refused; messages, pings and pongs; then close or lost.


class Upgrade(Line, frozen=True, kw_only=True, tag="upgrade"):
    """A client asked for a socket."""

    path: str
    headers: dict[str, str]


class Open(Line, frozen=True, kw_only=True, omit_defaults=True, tag="open"):
    """The server gave it one; ``headers`` are those of its answer."""

    headers: dict[str, str]
    protocol: str | None = None


class Refused(Content, frozen=True, kw_only=True, omit_defaults=True, tag="refused"):
    """The server answered with a status; or the recorder did, which could not reach the server."""

    status: int
    headers: dict[str, str]
    sender: Sender = msgspec.field(default="server", name="from")


class Message(Content, frozen=True, kw_only=True, omit_defaults=True, tag="message"):
    """A message, whole."""

    sender: Sender = msgspec.field(name="from")
    binary: bool = False


class Ping(Content, frozen=True, kw_only=True, omit_defaults=True, tag="ping"):
    """A ping."""

    sender: Sender = msgspec.field(name="from")


class Pong(Content, frozen=True, kw_only=True, omit_defaults=True, tag="pong"):
    """A pong."""

    sender: Sender = msgspec.field(name="from")


class Close(Line, frozen=True, kw_only=True, omit_defaults=True, tag="close"):
    """A side said goodbye, or the recorder did to both; 1005 stands for no code."""

    sender: Sender = msgspec.field(name="from")
    code: int
    reason: str = ""


class Lost(Line, frozen=True, kw_only=True, tag="lost"):
    """A side ended the TCP connection without a goodbye, or in the middle of an exchange."""

    sender: Sender = msgspec.field(name="from")


# An HTTP exchange: http, then answer, then sse or body, then end or lost.


class Http(Content, frozen=True, kw_only=True, omit_defaults=True, tag="http"):
    """A client sent a request, here with its body."""

    method: str
    path: str
    headers: dict[str, str]


class Answer(Line, frozen=True, kw_only=True, omit_defaults=True, tag="answer"):
    """The answer began."""

    status: int
    headers: dict[str, str]
    sender: Sender = msgspec.field(default="server", name="from")


class Sse(Content, frozen=True, kw_only=True, omit_defaults=True, tag="sse"):
    """One event of a stream, to the empty line after it."""


class Body(Content, frozen=True, kw_only=True, omit_defaults=True, tag="body"):
    """The body of any other answer."""


class End(Line, frozen=True, kw_only=True, omit_defaults=True, tag="end"):
    """The answer is whole."""


class Stopped(Line, frozen=True, kw_only=True, omit_defaults=True, tag="stopped"):
    """The recording ends here: somebody stopped it, or it is full.  Without it, it was killed."""

    reason: str


AnyLine = (
    Upgrade
    | Open
    | Refused
    | Message
    | Ping
    | Pong
    | Close
    | Lost
    | Http
    | Answer
    | Sse
    | Body
    | End
    | Stopped
)
