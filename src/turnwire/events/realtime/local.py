"""Events of this side: what no server says, and what its events mean to an application."""

from typing import Any, Final, cast

import msgspec

from turnwire.events.realtime.base import RealtimeEvent
from turnwire.events.realtime.item import RealtimeItem
from turnwire.events.realtime.response import RealtimeResponseUsage

_FACTS: Final = (
    *("status", "reason", "generation", "gap_ms", "seeded_items", "audio_replayed_ms"),
    *("heard_ms", "dropped_ms", "ms", "count", "bytes"),
)


class LocalEvent(RealtimeEvent, frozen=True, kw_only=True):
    """An event of this side, whose facts may be shown."""

    def __repr__(self) -> str:
        """Name the event, its ids and its facts; what was said stays out of logs."""
        facts = {name: getattr(self, name) for name in _FACTS if hasattr(self, name)}
        if isinstance(lost := getattr(self, "lost", None), list):
            facts["lost"] = len(cast("list[str]", lost))
        inside = "".join(f", {name}={value!r}" for name, value in facts.items())
        return f"{super().__repr__().removesuffix(')')}{inside})"


class ConnectionChangeEvent(LocalEvent, frozen=True, kw_only=True, tag="connection_change"):
    """The connection became something else.

    Attributes:
        status: ``disconnected``, ``connecting``, ``connected``, ``reconnecting`` or ``closing``.
        generation: Counts the sockets of this session, from 1; 0 before the first.
    """

    status: str
    generation: int = 0


class ReconnectedEvent(LocalEvent, frozen=True, kw_only=True, tag="reconnected"):
    """The session goes on, on another socket.

    Attributes:
        reason: Why the old socket was left.
        generation: The new socket's number.
        gap_ms: Milliseconds from the old socket's last event until the new one was ready.
        seeded_items: How many items the new session was given.
        lost: Ids of the responses and items that are not in the new session, and ``event_id`` of
            messages given to ``send`` that were not written.
        audio_replayed_ms: Milliseconds of the user's audio that were sent again.
    """

    reason: str
    generation: int = 0
    gap_ms: float = 0.0
    seeded_items: int = 0
    lost: list[str] = msgspec.field(default_factory=list[str])
    audio_replayed_ms: float = 0.0


class AudioInterruptedEvent(LocalEvent, frozen=True, kw_only=True, tag="audio_interrupted"):
    """What was playing stopped, and will not go on.

    Attributes:
        item_id: The item that was cut, or None if nothing of a known item was playing.
        heard_ms: Milliseconds of it that were heard, rounded down.
        dropped_ms: Milliseconds of received audio that nobody heard, later items' included.
        reason: Who wanted it, such as ``speech_started`` or ``requested``.
    """

    item_id: str | None = None
    content_index: int = 0
    heard_ms: int = 0
    dropped_ms: int = 0
    reason: str = ""


class AudioDroppedEvent(LocalEvent, frozen=True, kw_only=True, tag="audio_dropped"):
    """Audio of the user's was not sent: milliseconds of it, and why."""

    ms: float
    reason: str = ""


class LaggedEvent(LocalEvent, frozen=True, kw_only=True, tag="lagged"):
    """This subscriber was too slow: so many events, of so many bytes, did not wait for it."""

    count: int
    bytes: int = 0


class TurnStartedEvent(RealtimeEvent, frozen=True, kw_only=True, tag="turn_started"):
    """The model begins to answer."""

    response_id: str = ""


class TurnDoneEvent(RealtimeEvent, frozen=True, kw_only=True, tag="turn_done"):
    """The model is done; ``output`` and ``usage`` are its response's."""

    response_id: str = ""
    status: str | None = None
    output: list[RealtimeItem] = msgspec.field(default_factory=list[RealtimeItem])
    usage: RealtimeResponseUsage | None = None


class UsageUpdateEvent(RealtimeEvent, frozen=True, kw_only=True, tag="usage_update"):
    """What one response used, in tokens."""

    usage: RealtimeResponseUsage
    response_id: str = ""


class ItemUpdateEvent(RealtimeEvent, frozen=True, kw_only=True, tag="item_update"):
    """An item is new, or not what it was; ``previous_item_id`` is None where nobody says."""

    item: RealtimeItem
    previous_item_id: str | None = None


class ItemDeletedEvent(RealtimeEvent, frozen=True, kw_only=True, tag="item_deleted"):
    """An item is gone."""

    item_id: str


class FunctionCallEvent(RealtimeEvent, frozen=True, kw_only=True, tag="function_call"):
    """The model wants a function called; comes once for each ``call_id``.

    Attributes:
        id: The item's id, or empty.
        arguments: JSON text.
    """

    call_id: str
    name: str = ""
    arguments: str = ""
    id: str = ""
    response_id: str = ""


class AudioEvent(RealtimeEvent, frozen=True, kw_only=True, gc=False, tag="audio"):
    """The next piece of what the model says; ``data`` is in the session's output format."""

    data: bytes
    response_id: str = ""
    item_id: str = ""
    content_index: int = 0


class AudioDoneEvent(RealtimeEvent, frozen=True, kw_only=True, gc=False, tag="audio_done"):
    """All audio of a part has arrived; playing it takes longer."""

    response_id: str = ""
    item_id: str = ""
    content_index: int = 0


class AudioTranscriptDeltaEvent(
    RealtimeEvent, frozen=True, kw_only=True, gc=False, tag="audio_transcript_delta"
):
    """The next characters of what the model says."""

    delta: str
    response_id: str = ""
    item_id: str = ""
    content_index: int = 0


class OutputTextDeltaEvent(
    RealtimeEvent, frozen=True, kw_only=True, gc=False, tag="output_text_delta"
):
    """The next characters of what the model writes."""

    delta: str
    response_id: str = ""
    item_id: str = ""
    content_index: int = 0


class McpToolsListedEvent(RealtimeEvent, frozen=True, kw_only=True, tag="mcp_tools_listed"):
    """The tools of an MCP server are known."""

    server_label: str = ""
    tools: list[Any] = msgspec.field(default_factory=list[Any])
    item_id: str = ""


class McpApprovalRequestEvent(RealtimeEvent, frozen=True, kw_only=True, tag="mcp_approval_request"):
    """The server may not call an MCP tool before the client allows it.

    Attributes:
        item: The request; its id is what the answer names.
        arguments: The arguments as JSON; the text itself if it is not JSON.
    """

    item: RealtimeItem
    arguments: Any = None


class McpToolCallCompletedEvent(
    RealtimeEvent, frozen=True, kw_only=True, tag="mcp_tool_call_completed"
):
    """An MCP tool was called; ``item`` has its output or its error."""

    item: RealtimeItem
