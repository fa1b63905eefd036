"""The Realtime transport: a voice session over WebSocket that knows what was heard.

``connect`` is the asynchronous door, ``turnwire.realtime.sync.connect`` its blocking twin.
"""

from turnwire.core.realtime.playback import HeardPart, Part
from turnwire.core.realtime.playhead import Playhead, Reported, VirtualClock
from turnwire.core.realtime.settings import RealtimeSettings
from turnwire.core.realtime.statistics import RealtimeStatistics
from turnwire.events.realtime import (
    PCM16,
    PCMA,
    PCMU,
    AudioDroppedEvent,
    AudioEvent,
    AudioFormat,
    AudioInterruptedEvent,
    ConnectionChangeEvent,
    FunctionCallEvent,
    ItemUpdateEvent,
    LaggedEvent,
    McpApprovalRequestEvent,
    RealtimeErrorEvent,
    RealtimeEvent,
    RealtimeItem,
    RealtimeResponse,
    ReconnectedEvent,
    ResponseDoneEvent,
    TurnDoneEvent,
    TurnStartedEvent,
    UnknownEvent,
    UsageUpdateEvent,
)
from turnwire.realtime.addressing import DEFAULT_MODEL
from turnwire.realtime.answers import Answer, Confirmed, PendingItem, PendingResponse
from turnwire.realtime.devices import SpeakerPlayhead
from turnwire.realtime.options import RealtimeOptions
from turnwire.realtime.readers import AudioStream, Transcript, TranscriptStream
from turnwire.realtime.subscription import Subscription
from turnwire.realtime.transport import RealtimeTransport, connect

__all__ = [
    "DEFAULT_MODEL",
    "PCM16",
    "PCMA",
    "PCMU",
    "Answer",
    "AudioDroppedEvent",
    "AudioEvent",
    "AudioFormat",
    "AudioInterruptedEvent",
    "AudioStream",
    "Confirmed",
    "ConnectionChangeEvent",
    "FunctionCallEvent",
    "HeardPart",
    "ItemUpdateEvent",
    "LaggedEvent",
    "McpApprovalRequestEvent",
    "Part",
    "PendingItem",
    "PendingResponse",
    "Playhead",
    "RealtimeErrorEvent",
    "RealtimeEvent",
    "RealtimeItem",
    "RealtimeOptions",
    "RealtimeResponse",
    "RealtimeSettings",
    "RealtimeStatistics",
    "RealtimeTransport",
    "ReconnectedEvent",
    "Reported",
    "ResponseDoneEvent",
    "SpeakerPlayhead",
    "Subscription",
    "Transcript",
    "TranscriptStream",
    "TurnDoneEvent",
    "TurnStartedEvent",
    "UnknownEvent",
    "UsageUpdateEvent",
    "VirtualClock",
    "connect",
]
