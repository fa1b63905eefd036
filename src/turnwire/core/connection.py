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
        finds_lanes: True if its first turn is to find that out.
        dial_until: When the dial has taken too long.
        heard_at: When a message last came.
        ponged_at: When a pong last came.
        pinged_at: When the ping was sent that has no pong yet.
        doubted: True after the machine slept, until the peer shows that it is there.
        probe_until: Until when a turn waits for that pong; the socket is not used before.
        writing: How many messages are being written.
        rotate_at: When it is to be replaced because of its age.
        overdue: True once its replacement was dialled.
        replaces: The older socket that it takes over from.
        used: True once it has carried a turn.
        pending_steers: How many wait on it for the next turn of their lane.
    """

    id: int
    state: ConnectionState = ConnectionState.CONNECTING
    lanes: Lanes[T] = field(default_factory=Lanes["T"])
    credential: str = ""
    lanes_work: bool | None = None
    finds_lanes: bool = False
    dial_until: float | None = None
    heard_at: float = 0.0
    ponged_at: float = 0.0
    pinged_at: float | None = None
    doubted: bool = False
    probe_until: float | None = None
    writing: int = 0
    rotate_at: float | None = None
    overdue: bool = False
    replaces: int | None = None
    used: bool = False
    pending_steers: int = 0

    @property
    def alive_at(self) -> float:
        """When it last showed that the peer is there."""
        return float("-inf") if self.doubted else max(self.heard_at, self.ponged_at)

    def signal(self, signal: ConnectionSignal) -> None:
        """Move along the table."""
        self.state = advance(TRANSITIONS, self.state, signal)
