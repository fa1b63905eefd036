"""The server's half of one steer: from the moment it is accepted until it counts or goes back.

The server owns accepted input.  A response that continues the steered one takes it along, and the
``response.created`` of that successor is what commits it; otherwise the client gets it back.
Sources: docs/protocol/steering.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from turnwire.core.machine import advance


class ServedSteerState(Enum):
    """Where an accepted steer is."""

    ACCEPTED = "accepted"  # its response runs, or its successor is about to begin
    PENDING = "pending"  # its response waits for the client, who was told
    COMMITTED = "committed"  # its successor has begun
    FAILED = "failed"  # the client has its input back


class ServedSteerSignal(Enum):
    """What can happen to an accepted steer."""

    PEND = "pend"
    COMMIT = "commit"
    FAIL = "fail"


_S, _E = ServedSteerState, ServedSteerSignal

TRANSITIONS: Final = {
    (_S.ACCEPTED, _E.PEND):   _S.PENDING,    # at most once: the client is told a single time
    (_S.ACCEPTED, _E.COMMIT): _S.COMMITTED,
    (_S.ACCEPTED, _E.FAIL):   _S.FAILED,
    (_S.PENDING,  _E.COMMIT): _S.COMMITTED,
    (_S.PENDING,  _E.FAIL):   _S.FAILED,
}  # fmt: skip


@dataclass(slots=True, eq=False)
class ServedSteer:
    """One accepted steer.

    Attributes:
        id: What the client knows it by.
        input: What it says, as it came.
        size_bytes: What its message weighed.
    """

    id: str
    input: Any
    size_bytes: int
    state: ServedSteerState = ServedSteerState.ACCEPTED

    def signal(self, signal: ServedSteerSignal) -> None:
        """Move along the table."""
        self.state = advance(TRANSITIONS, self.state, signal)
