"""The session object: a few typed facts, and everything else as plain JSON."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from turnwire.events.base import RAW_FIELD_NAME
from turnwire.events.realtime.audio_format import AudioFormat
from turnwire.events.realtime.base import shown, to_dict
from turnwire.events.realtime.dialect import inside, session_from_beta
from turnwire.events.realtime.salvage import salvage


class RealtimeSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session, as the server last described it.

    Attributes:
        raw: The session as it arrived, or empty.
        type: ``realtime`` or ``transcription``; None where the server does not say.
        expires_at: When the session ends, in seconds since 1970, or None.
    """

    raw: bytes = msgspec.field(default=b"", name=RAW_FIELD_NAME)
    id: str | None = None
    object: str | None = None
    type: str | None = None
    model: str | None = None
    expires_at: int | None = None

    @classmethod
    def of(cls, fields: dict[str, Any]) -> RealtimeSession:
        """Return the session that a server would describe with such fields."""
        session = salvage(cls, fields) or cls()
        msgspec.structs.force_setattr(session, "raw", msgspec.json.encode(fields))
        return session

    @property
    def fields(self) -> dict[str, Any]:
        """All fields in today's nested shape, decoded at each use; keep what you read."""
        kind = {} if self.type is None else {"type": self.type}
        return kind | session_from_beta(self.to_dict())

    @property
    def input_format(self) -> AudioFormat:
        """The format of the user's audio."""
        return AudioFormat.read(inside(self.fields, "audio", "input", "format"))

    @property
    def output_format(self) -> AudioFormat:
        """The format of the model's audio."""
        return AudioFormat.read(inside(self.fields, "audio", "output", "format"))

    @property
    def voice(self) -> str | dict[str, Any] | None:
        """The model's voice: a name, or an object with the id of a custom one."""
        found = inside(self.fields, "audio", "output", "voice")
        if isinstance(found, dict):
            return cast("dict[str, Any]", found)
        return found if isinstance(found, str) else None

    @property
    def interrupt_response(self) -> bool | None:
        """Whether the server itself stops a response when the user speaks.

        None where the session does not speak of turn detection; true is the server's default.
        """
        found = inside(self.fields, "audio", "input")
        if not isinstance(found, dict) or "turn_detection" not in found:
            return None
        detection = inside(self.fields, "audio", "input", "turn_detection")
        if not isinstance(detection, dict):
            return False
        return cast("dict[str, Any]", detection).get("interrupt_response") is not False

    def to_dict(self) -> dict[str, Any]:
        """Return the whole session as it arrived."""
        return to_dict(self, self.raw)

    def __repr__(self) -> str:
        """Say what it is in a line; instructions and secrets stay out of logs."""
        return shown(self, ("id", "type", "model", "expires_at"))
