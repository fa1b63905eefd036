"""A Realtime server for tests, with exact oracles: what was heard, and what went over the wire.

``RealtimeServer`` serves on a real socket; ``ServedSession`` is the same without one, on a clock of
the test's own.  What the model says is in ``script.py``, what happens on the way in ``faults.py``,
how to know which sample was heard in ``oracle.py``.
"""

from turnwire.gateway.voice.formats import PCM, PCMA, PCMU, AudioFormat
from turnwire.gateway.voice.model import Asked
from turnwire.gateway.voice.settings import VoiceSettings
from turnwire.testing.realtime.assertions import (
    assert_deleted,
    assert_no_errors,
    assert_one_response_at_a_time,
    assert_truncated,
    assert_untouched,
)
from turnwire.testing.realtime.connection import RealtimeConnection
from turnwire.testing.realtime.faults import ClientFault, Fault
from turnwire.testing.realtime.oracle import Run, heard_ms, lost, read, toned_item
from turnwire.testing.realtime.script import (
    Replied,
    Script,
    call,
    counted,
    failed,
    reply,
    speech,
    text,
    toned,
)
from turnwire.testing.realtime.served import ServedSession, Stamped
from turnwire.testing.realtime.server import RealtimeServer
from turnwire.testing.realtime.sounds import counted as counted_audio
from turnwire.testing.realtime.twilio import TwilioCall
from turnwire.testing.realtime.twilio_socket import TwilioLine, twilio_line

__all__ = [
    "PCM",
    "PCMA",
    "PCMU",
    "Asked",
    "AudioFormat",
    "ClientFault",
    "Fault",
    "RealtimeConnection",
    "RealtimeServer",
    "Replied",
    "Run",
    "Script",
    "ServedSession",
    "Stamped",
    "TwilioCall",
    "TwilioLine",
    "VoiceSettings",
    "assert_deleted",
    "assert_no_errors",
    "assert_one_response_at_a_time",
    "assert_truncated",
    "assert_untouched",
    "call",
    "counted",
    "counted_audio",
    "failed",
    "heard_ms",
    "lost",
    "read",
    "reply",
    "speech",
    "text",
    "toned",
    "toned_item",
    "twilio_line",
]
