"""An item of the conversation: a message, a call, its output, or a matter of MCP."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from turnwire.events.base import RAW_FIELD_NAME
from turnwire.events.realtime.base import shown, to_dict

# The beta's names for what the model says.
OUTPUT_PART_OF_BETA: Final = {"text": "output_text", "audio": "output_audio"}


class RealtimeContentPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a message.

    Attributes:
        type: ``input_text``, ``input_audio``, ``input_image``, ``output_text`` or
            ``output_audio``; of the model's parts the beta's names arrive as today's.
        audio: The audio in base64; only retrieved items have it.
        image_url: A data URI.
        detail: How closely the model looks at the image.
    """

    type: str = ""
    text: str | None = None
    transcript: str | None = None
    audio: str | None = None
    image_url: str | None = None
    detail: str | None = None

    @property
    def has_audio(self) -> bool:
        """Whether the part came with its audio."""
        return bool(self.audio)

    def __repr__(self) -> str:
        """Name the part's type; what was said stays out of logs."""
        return shown(self, ("type",))


class RealtimeItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item of the conversation; which fields it has depends on its ``type``.

    Attributes:
        raw: The item as it arrived, or empty.
        type: ``message``, ``function_call``, ``function_call_output``, ``mcp_list_tools``,
            ``mcp_call``, ``mcp_approval_request``, ``mcp_approval_response`` or what comes next.
        status: ``in_progress``, ``completed``, ``incomplete``, or None where the server does
            not say.
        arguments: JSON text, of a call or an approval request.
        output: What a function or an MCP tool returned.
        error: What went wrong in an MCP tool.
    """

    raw: bytes = msgspec.field(default=b"", name=RAW_FIELD_NAME)
    id: str | None = None
    type: str = "message"
    object: str | None = None
    status: str | None = None
    role: str | None = None
    content: list[RealtimeContentPart] = []
    name: str | None = None
    call_id: str | None = None
    arguments: str | None = None
    output: str | None = None
    server_label: str | None = None
    tools: list[Any] | None = None
    approval_request_id: str | None = None
    approve: bool | None = None
    reason: str | None = None
    error: Any = None

    def __post_init__(self) -> None:
        """Give the model's parts today's names."""
        if self.role == "assistant":
            msgspec.structs.force_setattr(self, "content", [today(part) for part in self.content])

    @property
    def text(self) -> str:
        """What was said, as text and as transcripts, joined."""
        return "".join(part.text or part.transcript or "" for part in self.content)

    def to_dict(self) -> dict[str, Any]:
        """Return the whole item as it arrived."""
        return to_dict(self, self.raw)

    def __repr__(self) -> str:
        """Say what it is in a line; what was said stays out of logs."""
        return shown(self, ("type", "id", "role", "status", "call_id"))


def today(part: RealtimeContentPart) -> RealtimeContentPart:
    """Return a part of the model's under today's name."""
    name = OUTPUT_PART_OF_BETA.get(part.type)
    return part if name is None else msgspec.structs.replace(part, type=name)
