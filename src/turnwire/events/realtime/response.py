"""The response object, and what it used."""

from __future__ import annotations

from typing import Any

import msgspec

from turnwire.events.base import RAW_FIELD_NAME
from turnwire.events.realtime.audio_format import AudioFormat
from turnwire.events.realtime.base import shown, to_dict
from turnwire.events.realtime.dialect import inside, session_from_beta
from turnwire.events.realtime.item import RealtimeItem


class CachedTokensDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Cached input tokens by kind."""

    audio_tokens: int | None = None
    image_tokens: int | None = None
    text_tokens: int | None = None


class RealtimeResponseUsageInputTokenDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Input tokens by kind."""

    audio_tokens: int | None = None
    cached_tokens: int | None = None
    cached_tokens_details: CachedTokensDetails | None = None
    image_tokens: int | None = None
    text_tokens: int | None = None


class RealtimeResponseUsageOutputTokenDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Output tokens by kind."""

    audio_tokens: int | None = None
    text_tokens: int | None = None


class RealtimeResponseUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens that a response used.

    Some servers write the details in the plural, as the Responses API does; both arrive here.
    """

    input_tokens: int = 0
    input_token_details: RealtimeResponseUsageInputTokenDetails | None = None
    output_tokens: int = 0
    output_token_details: RealtimeResponseUsageOutputTokenDetails | None = None
    total_tokens: int = 0
    input_tokens_details: RealtimeResponseUsageInputTokenDetails | None = None
    output_tokens_details: RealtimeResponseUsageOutputTokenDetails | None = None

    def __post_init__(self) -> None:
        """Make both spellings say the same."""
        for wire, other in _SPELLINGS:
            details = getattr(self, wire) or getattr(self, other)
            msgspec.structs.force_setattr(self, wire, details)
            msgspec.structs.force_setattr(self, other, details)


_SPELLINGS = (
    ("input_token_details", "input_tokens_details"),
    ("output_token_details", "output_tokens_details"),
)


class RealtimeError(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong.

    Attributes:
        event_id: The client event that it is about, or None.
    """

    type: str | None = None
    code: str | None = None
    message: str | None = None
    param: str | None = None
    event_id: str | None = None

    def __repr__(self) -> str:
        """Name the error; its message may quote what was said, so it stays out of logs."""
        return shown(self, ("type", "code", "param", "event_id"))


class RealtimeResponseStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Why a response ended.

    Attributes:
        reason: ``turn_detected``, ``client_cancelled``, ``max_output_tokens``,
            ``content_filter``, or what a server wrote as plain text.
    """

    type: str | None = None
    reason: str | None = None
    error: RealtimeError | None = None


class RealtimeResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A response object.

    Attributes:
        raw: The response as it arrived, or empty.
        status: ``in_progress``, ``completed``, ``cancelled``, ``failed`` or ``incomplete``.
        metadata: What the client's ``response.create`` carried.
        conversation_id: None for a response outside of the session's list of items.
        audio: How this response sounds, where it says so.
    """

    raw: bytes = msgspec.field(default=b"", name=RAW_FIELD_NAME)
    id: str = ""
    object: str | None = None
    status: str | None = None
    status_details: RealtimeResponseStatus | None = None
    output: list[RealtimeItem] = []
    output_modalities: list[str] | None = None
    max_output_tokens: int | str | None = None
    usage: RealtimeResponseUsage | None = None
    metadata: dict[str, Any] | None = None
    conversation_id: str | None = None
    audio: dict[str, Any] | None = None

    @property
    def output_format(self) -> AudioFormat | None:
        """The format of this response's audio, or None where it says nothing of its own."""
        value = inside(session_from_beta(self.to_dict()), "audio", "output", "format")
        return None if value is None else AudioFormat.read(value)

    def to_dict(self) -> dict[str, Any]:
        """Return the whole response as it arrived."""
        return to_dict(self, self.raw)

    def __repr__(self) -> str:
        """Say what it is in a line; what was said stays out of logs."""
        return shown(self, ("id", "status"))
