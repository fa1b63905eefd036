"""What every event has, and what routing needs of it.

The original bytes stay with an event in ``raw``: relaying is lossless, and a field that turnwire
does not know yet is still there for the caller.
"""

from __future__ import annotations

from typing import Any

import msgspec

# A name that no server uses; `decode_event` sets the field after decoding in any case.
RAW_FIELD_NAME = "turnwire:raw"


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """A server event.

    Attributes:
        raw: The message as it arrived.
        sequence_number: Position within its response, or None where the server left it out.
        stream_id: The lane, or None on the default lane.
    """

    raw: bytes = msgspec.field(default=b"", name=RAW_FIELD_NAME)
    sequence_number: int | None = None
    stream_id: str | None = None

    @property
    def type(self) -> str:
        """The wire's name of the event, such as ``response.output_text.delta``."""
        return str(self.__struct_config__.tag)

    def to_dict(self) -> dict[str, Any]:
        """Return the whole event as it arrived, with fields that the class does not name."""
        loaded: dict[str, Any] = msgspec.json.decode(self.raw)
        return loaded


class ResponseRef(msgspec.Struct, frozen=True, kw_only=True):
    """The two facts of a response object that routing needs."""

    id: str | None = None
    status: str | None = None


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that routing needs, of any event of any month."""

    type: str
    stream_id: str | None = None
    sequence_number: int | None = None
    response: ResponseRef | None = None
