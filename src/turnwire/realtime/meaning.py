"""What events of the wire mean to an application, in the words that the field's agents use.

A table from event to the words that it gives rise to; see docs/reference/realtime-members.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from turnwire.events import encode
from turnwire.events import realtime as wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from turnwire.events.realtime import RealtimeEvent, RealtimeItem


def meanings(
    event: RealtimeEvent, item: Callable[[str], Mapping[str, Any] | None] = lambda _: None
) -> list[RealtimeEvent]:
    """Return what an event means, in order; most mean nothing more than themselves.

    Args:
        event: What came.
        item: Returns an item of the talk as it is now, with the words that were heard.
    """
    if isinstance(event, _CHANGING):
        now = item(event.item_id)
        return [] if now is None else [_updated(_item_of(now))]
    found = _MEANINGS.get(type(event))
    return found(event) if found is not None else []


def _item_of(fields: Mapping[str, Any]) -> RealtimeItem:
    found = msgspec.convert(fields, wire.RealtimeItem, strict=False)
    return msgspec.structs.replace(found, raw=encode(fields))


def _audio(event: wire.ResponseAudioDeltaEvent) -> list[RealtimeEvent]:
    return [
        wire.AudioEvent(
            data=event.audio,
            response_id=event.response_id,
            item_id=event.item_id,
            content_index=event.content_index,
        )
    ]


def _audio_done(event: wire.ResponseAudioDoneEvent) -> list[RealtimeEvent]:
    return [
        wire.AudioDoneEvent(
            response_id=event.response_id,
            item_id=event.item_id,
            content_index=event.content_index,
        )
    ]


def _transcript(event: wire.ResponseAudioTranscriptDeltaEvent) -> list[RealtimeEvent]:
    return [
        wire.AudioTranscriptDeltaEvent(
            delta=event.delta,
            response_id=event.response_id,
            item_id=event.item_id,
            content_index=event.content_index,
        )
    ]


def _text(event: wire.ResponseTextDeltaEvent) -> list[RealtimeEvent]:
    return [
        wire.OutputTextDeltaEvent(
            delta=event.delta,
            response_id=event.response_id,
            item_id=event.item_id,
            content_index=event.content_index,
        )
    ]


def _created(event: wire.ResponseCreatedEvent) -> list[RealtimeEvent]:
    return [wire.TurnStartedEvent(response_id=event.response.id)]


def _done(event: wire.ResponseDoneEvent) -> list[RealtimeEvent]:
    response = event.response
    done = wire.TurnDoneEvent(
        response_id=response.id,
        status=response.status,
        output=response.output,
        usage=response.usage,
    )
    if response.usage is None:
        return [done]
    return [wire.UsageUpdateEvent(usage=response.usage, response_id=response.id), done]


def _deleted(event: wire.ConversationItemDeletedEvent) -> list[RealtimeEvent]:
    return [wire.ItemDeletedEvent(item_id=event.item_id)]


def _updated(item: RealtimeItem, previous_id: str | None = None) -> wire.ItemUpdateEvent:
    return wire.ItemUpdateEvent(item=item, previous_item_id=previous_id)


def _added(event: wire.ConversationItemAdded) -> list[RealtimeEvent]:
    if event.item.type == "mcp_list_tools":
        return []
    return [_updated(event.item, event.previous_item_id)]


def _item_done(event: wire.ConversationItemDone) -> list[RealtimeEvent]:
    item = event.item
    if item.type == "mcp_list_tools":
        label, tools = item.server_label or "", item.tools or []
        return [wire.McpToolsListedEvent(server_label=label, tools=tools, item_id=item.id or "")]
    found: list[RealtimeEvent] = [_updated(item, event.previous_item_id)]
    if item.type == "mcp_approval_request":
        arguments = _json(item.arguments)
        found.append(wire.McpApprovalRequestEvent(item=item, arguments=arguments))
    elif item.type in {"mcp_call", "mcp_tool_call"}:
        found.append(wire.McpToolCallCompletedEvent(item=item))
    return found


def _retrieved(event: wire.ConversationItemRetrieved) -> list[RealtimeEvent]:
    return [_updated(event.item)]


def _output(
    event: wire.ResponseOutputItemAddedEvent | wire.ResponseOutputItemDoneEvent,
) -> list[RealtimeEvent]:
    if event.item.type not in {"message", "function_call"}:
        return []
    return [_updated(event.item)]


def _json(text: str | None) -> Any:
    try:
        return msgspec.json.decode(text or "null")
    except msgspec.DecodeError:
        return text


# After these an item has other words, and nobody says which.
_CHANGING: Final = (
    wire.ConversationItemTruncatedEvent,
    wire.ConversationItemInputAudioTranscriptionCompletedEvent,
)
_MEANINGS: Final[Mapping[type[RealtimeEvent], Callable[[Any], list[RealtimeEvent]]]] = {
    wire.ResponseAudioDeltaEvent: _audio,
    wire.ResponseAudioDoneEvent: _audio_done,
    wire.ResponseAudioTranscriptDeltaEvent: _transcript,
    wire.ResponseTextDeltaEvent: _text,
    wire.ResponseCreatedEvent: _created,
    wire.ResponseDoneEvent: _done,
    wire.ConversationItemDeletedEvent: _deleted,
    wire.ConversationItemAdded: _added,
    wire.ConversationItemDone: _item_done,
    wire.ConversationItemRetrieved: _retrieved,
    wire.ResponseOutputItemAddedEvent: _output,
    wire.ResponseOutputItemDoneEvent: _output,
}

# Names without a dot: events of this side, what events mean, a connection's states, `error`.
# Bridges have more.
WORDS: Final = frozenset(
    {
        "audio",
        "audio_done",
        "audio_dropped",
        "audio_interrupted",
        "audio_transcript_delta",
        "closing",
        "connected",
        "connecting",
        "connection_change",
        "disconnected",
        "error",
        "function_call",
        "item_deleted",
        "item_update",
        "lagged",
        "mcp_approval_request",
        "mcp_tool_call_completed",
        "mcp_tools_listed",
        "output_text_delta",
        "reconnected",
        "reconnecting",
        "turn_done",
        "turn_started",
        "usage_update",
    }
)
