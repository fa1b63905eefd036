"""Phone calls: Twilio's Media Streams on one side, a Realtime session on the other.

``TwilioBridge`` needs two functions of whatever serves the socket; see docs/howto/twilio.md.
"""

from turnwire.realtime.twilio.bridge import TwilioBridge
from turnwire.realtime.twilio.events import (
    CallMessageEvent,
    CallStartedEvent,
    CallStoppedEvent,
    KeyPressedEvent,
    MarkPlayedEvent,
)
from turnwire.realtime.twilio.hearing import HearingSettings
from turnwire.realtime.twilio.media_stream import MediaStream, Received
from turnwire.realtime.twilio.playout import Playout

__all__ = [
    "CallMessageEvent",
    "CallStartedEvent",
    "CallStoppedEvent",
    "HearingSettings",
    "KeyPressedEvent",
    "MarkPlayedEvent",
    "MediaStream",
    "Playout",
    "Received",
    "TwilioBridge",
]
