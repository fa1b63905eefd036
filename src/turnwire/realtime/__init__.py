"""The Realtime transport: a voice session over WebSocket that knows what was heard.

``connect`` is the asynchronous door, ``turnwire.realtime.sync.connect`` its blocking twin.
"""

from turnwire.core.realtime.playback import HeardPart, Part
from turnwire.core.realtime.playhead import Playhead, Reported, VirtualClock
from turnwire.core.realtime.settings import RealtimeSettings
from turnwire.core.realtime.statistics import RealtimeStatistics
from turnwire.events.realtime import PCM16, PCMA, PCMU, AudioFormat, RealtimeEvent, UnknownEvent
from turnwire.realtime.addressing import DEFAULT_MODEL
from turnwire.realtime.answers import Answer, Confirmed, PendingItem, PendingResponse
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
    "AudioFormat",
    "AudioStream",
    "Confirmed",
    "HeardPart",
    "Part",
    "PendingItem",
    "PendingResponse",
    "Playhead",
    "RealtimeEvent",
    "RealtimeOptions",
    "RealtimeSettings",
    "RealtimeStatistics",
    "RealtimeTransport",
    "Reported",
    "Subscription",
    "Transcript",
    "TranscriptStream",
    "UnknownEvent",
    "VirtualClock",
    "connect",
]
