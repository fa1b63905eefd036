"""The blocking Realtime transport: the same engine on a background thread, the same names.

``connect`` takes what ``turnwire.realtime.connect`` takes; threads may share what it returns.
"""

from turnwire.realtime.sync.answers import Answer, PendingItem, PendingResponse
from turnwire.realtime.sync.readers import Reader
from turnwire.realtime.sync.transport import SyncRealtimeTransport, connect

__all__ = [
    "Answer",
    "PendingItem",
    "PendingResponse",
    "Reader",
    "SyncRealtimeTransport",
    "connect",
]
