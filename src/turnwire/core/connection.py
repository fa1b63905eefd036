"""One socket's life, from dial to close; it dies once.

Knows its lanes and nothing about which side of the socket it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Generic, TypeVar

from turnwire.core.lane import Lanes
from turnwire.core.machine import advance

T = TypeVar("T")


class ConnectionState(Enum):
    """Where a connection is."""

    CONNECTING = "connecting"
    OPEN = "open"
    DRAINING = "draining"  # takes no new turns; closes when the last one ends
    CLOSED = "closed"


class ConnectionSignal(Enum):
    """What can happen to a connection."""

    OPENED = "opened"
    DRAIN = "drain"  # the age limit, an abandoned turn that does not end, a graceful shutdown
    EMPTIED = "emptied"  # the last turn of a draining connection ended
    CLOSE = "close"  # we close it at once
    LOST = "lost"  # it closed, whoever did it and whatever the code


_S, _E = ConnectionState, ConnectionSignal

TRANSITIONS: Final = {
    (_S.CONNECTING, _E.OPENED):  _S.OPEN,
    (_S.CONNECTING, _E.DRAIN):   _S.CLOSED,
    (_S.CONNECTING, _E.CLOSE):   _S.CLOSED,
    (_S.CONNECTING, _E.LOST):    _S.CLOSED,
    (_S.OPEN,       _E.DRAIN):   _S.DRAINING,
    (_S.OPEN,       _E.CLOSE):   _S.CLOSED,
    (_S.OPEN,       _E.LOST):    _S.CLOSED,
    (_S.DRAINING,   _E.DRAIN):   _S.DRAINING,
    (_S.DRAINING,   _E.EMPTIED): _S.CLOSED,
    (_S.DRAINING,   _E.CLOSE):   _S.CLOSED,
    (_S.DRAINING,   _E.LOST):    _S.CLOSED,
}  # fmt: skip


@dataclass(slots=True)
class Connection(Generic[T]):
    """One connection; ``id`` is its generation and never comes back.

    Attributes:
        credential: Fingerprint of the key it was dialled with.
        lanes_work: True once the server has echoed a ``stream_id``; None while nobody knows.
        probes: True if its first turn is to find that out.
    """

    id: int
    state: ConnectionState = ConnectionState.CONNECTING
    lanes: Lanes[T] = field(default_factory=Lanes["T"])
    credential: str = ""
    lanes_work: bool | None = None
    probes: bool = False
    dial_until: float | None = None

    def signal(self, signal: ConnectionSignal) -> None:
        """Move along the table."""
        self.state = advance(TRANSITIONS, self.state, signal)
