"""What an event of the transport is to the SDK: a table from event to the SDK's own events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from agents.realtime import (
    RealtimeModelAudioDoneEvent,
    RealtimeModelAudioEvent,
    RealtimeModelConnectionStatusEvent,
    RealtimeModelErrorEvent,
    RealtimeModelInputAudioTranscriptionCompletedEvent,
    RealtimeModelItemDeletedEvent,
    RealtimeModelItemUpdatedEvent,
    RealtimeModelOtherEvent,
    RealtimeModelOutputTextDeltaEvent,
    RealtimeModelToolCallEvent,
    RealtimeModelTranscriptDeltaEvent,
    RealtimeModelTurnEndedEvent,
    RealtimeModelTurnStartedEvent,
)
from agents.realtime.model_events import RealtimeModelInputAudioTimeoutTriggeredEvent
from openai.types.realtime import RealtimeError

from turnwire.adapters.openai_agents.realtime.items import message_item, tool_item
from turnwire.adapters.openai_agents.realtime.usage import usage_event
from turnwire.events import realtime as wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agents.realtime import RealtimeConnectionStatus
    from agents.realtime.model_events import RealtimeModelEvent

    from turnwire.events.realtime import RealtimeEvent

_STATUS: Final[Mapping[str, RealtimeConnectionStatus]] = {
    "connecting": "connecting",
    "connected": "connected",
    "reconnecting": "connecting",
    "disconnected": "disconnected",
}
# Of this side: no server said them.
LOCAL: Final = (
    wire.AudioDroppedEvent,
    wire.AudioInterruptedEvent,
    wire.ConnectionChangeEvent,
    wire.FunctionCallEvent,
    wire.ItemUpdateEvent,
    wire.LaggedEvent,
    wire.ReconnectedEvent,
)


def meanings(event: RealtimeEvent) -> list[RealtimeModelEvent]:
    """Return what an event means to the SDK, in order; nothing for most."""
    found = _MEANINGS.get(type(event))
    return found(event) if found is not None else []


def error_event(error: wire.RealtimeError | None) -> RealtimeModelErrorEvent:
    """Return an error as the official SDK's object."""
    given = error or wire.RealtimeError()
    return RealtimeModelErrorEvent(
        error=RealtimeError.construct(
            None,
            type=given.type or "",
            code=given.code,
            message=given.message or "",
            param=given.param,
            event_id=given.event_id,
        )
    )


def _audio(event: wire.ResponseAudioDeltaEvent) -> list[RealtimeModelEvent]:
    return [
        RealtimeModelAudioEvent(
            data=event.audio,
            response_id=event.response_id,
            item_id=event.item_id,
            content_index=event.content_index,
        )
    ]


def _audio_done(event: wire.ResponseAudioDoneEvent) -> list[RealtimeModelEvent]:
    return [
        RealtimeModelAudioDoneEvent(item_id=event.item_id, content_index=event.content_index),
    ]


def _transcript(event: wire.ResponseAudioTranscriptDeltaEvent) -> list[RealtimeModelEvent]:
    return [
        RealtimeModelTranscriptDeltaEvent(
            item_id=event.item_id, delta=event.delta, response_id=event.response_id
        )
    ]


def _text(event: wire.ResponseTextDeltaEvent) -> list[RealtimeModelEvent]:
    return [
        RealtimeModelOutputTextDeltaEvent(
            item_id=event.item_id, delta=event.delta, response_id=event.response_id
        )
    ]


def _transcribed(
    event: wire.ConversationItemInputAudioTranscriptionCompletedEvent,
) -> list[RealtimeModelEvent]:
    return [
        RealtimeModelInputAudioTranscriptionCompletedEvent(
            item_id=event.item_id, transcript=event.transcript
        )
    ]


def _timeout(event: wire.InputAudioBufferTimeoutTriggered) -> list[RealtimeModelEvent]:
    return [
        RealtimeModelInputAudioTimeoutTriggeredEvent(
            item_id=event.item_id,
            audio_start_ms=event.audio_start_ms,
            audio_end_ms=event.audio_end_ms,
        )
    ]


def _item(
    event: wire.ConversationItemAdded
    | wire.ConversationItemRetrieved
    | wire.ResponseOutputItemAddedEvent
    | wire.ResponseOutputItemDoneEvent,
) -> list[RealtimeModelEvent]:
    found = message_item(event.item, getattr(event, "previous_item_id", None))
    return [] if found is None else [RealtimeModelItemUpdatedEvent(item=found)]


def _changed(event: wire.ItemUpdateEvent) -> list[RealtimeModelEvent]:
    """An item became what only this side knows: words were not heard, a tool has answered."""
    item, output = event.item, event.item.output
    if item.type == "function_call":
        call = RealtimeModelToolCallEvent(
            name=item.name or "",
            call_id=item.call_id or "",
            arguments=item.arguments or "",
            id=item.id,
            previous_item_id=event.previous_item_id,
        )
        return [RealtimeModelItemUpdatedEvent(item=tool_item(call, output))]
    found = message_item(item, event.previous_item_id)
    if found is None:
        return []
    update = RealtimeModelItemUpdatedEvent(item=found)
    if item.text:
        return [update]
    # The SDK takes empty words for words that it is to keep.
    return [RealtimeModelItemDeletedEvent(item_id=found.item_id), update]


def _deleted(event: wire.ConversationItemDeletedEvent) -> list[RealtimeModelEvent]:
    return [RealtimeModelItemDeletedEvent(item_id=event.item_id)]


def _call(event: wire.FunctionCallEvent) -> list[RealtimeModelEvent]:
    call = RealtimeModelToolCallEvent(
        name=event.name, call_id=event.call_id, arguments=event.arguments, id=event.id
    )
    return [RealtimeModelItemUpdatedEvent(item=tool_item(call)), call]


def _created(event: wire.ResponseCreatedEvent) -> list[RealtimeModelEvent]:
    return [RealtimeModelTurnStartedEvent(response_id=event.response.id)]


def _done(event: wire.ResponseDoneEvent) -> list[RealtimeModelEvent]:
    response, found = event.response, list[Any]()
    if response.status == "failed":
        details = response.status_details
        found.append(error_event(details.error if details is not None else None))
    if response.usage is not None:
        found.append(usage_event(response.usage))
    return [*found, RealtimeModelTurnEndedEvent(response_id=response.id)]


def _error(event: wire.RealtimeErrorEvent) -> list[RealtimeModelEvent]:
    return [error_event(event.error)]


def _status(event: wire.ConnectionChangeEvent) -> list[RealtimeModelEvent]:
    status = _STATUS.get(event.status)
    return [] if status is None else [RealtimeModelConnectionStatusEvent(status=status)]


def _lagged(event: wire.LaggedEvent) -> list[RealtimeModelEvent]:
    return [RealtimeModelErrorEvent(error=event)]  # a call may have been among them


def _other(event: RealtimeEvent) -> list[RealtimeModelEvent]:
    return [RealtimeModelOtherEvent(data=event)]


_MEANINGS: Final[Mapping[type[RealtimeEvent], Callable[[Any], list[RealtimeModelEvent]]]] = {
    wire.ResponseAudioDeltaEvent: _audio,
    wire.ResponseAudioDoneEvent: _audio_done,
    wire.ResponseAudioTranscriptDeltaEvent: _transcript,
    wire.ResponseTextDeltaEvent: _text,
    wire.ConversationItemInputAudioTranscriptionCompletedEvent: _transcribed,
    wire.InputAudioBufferTimeoutTriggered: _timeout,
    wire.ConversationItemAdded: _item,
    wire.ConversationItemRetrieved: _item,
    wire.ResponseOutputItemAddedEvent: _item,
    wire.ResponseOutputItemDoneEvent: _item,
    wire.ConversationItemDeletedEvent: _deleted,
    wire.ResponseCreatedEvent: _created,
    wire.ResponseDoneEvent: _done,
    wire.RealtimeErrorEvent: _error,
    wire.FunctionCallEvent: _call,
    wire.ItemUpdateEvent: _changed,
    wire.ConnectionChangeEvent: _status,
    wire.LaggedEvent: _lagged,
    wire.AudioDroppedEvent: _other,
    wire.ReconnectedEvent: _other,
}
