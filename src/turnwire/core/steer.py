"""The life of one steer: what its caller says to a response that runs, until it is known to count.

That the server accepts it does not mean that the model hears it: the response that continues the
steered one, its successor, does.  Sources: docs/protocol/steering.md.
This file does not know about sockets or time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from turnwire.core.machine import advance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from turnwire.core.failure import Failure
    from turnwire.core.history import HistoryItem
    from turnwire.core.lane import LaneName
    from turnwire.core.pool_turn import PoolTurn

SteerId = int


class SteerState(Enum):
    """Where a steer is."""

    WAITING = "waiting"  # for the response to have an id: nothing was sent
    SUBMITTED = "submitted"  # its message was handed over; the server has not answered
    ACCEPTED = "accepted"  # the server owns the input, and has not applied it
    PENDING = "pending"  # it goes with the next turn, which answers what the response asked
    COMMITTED = "committed"  # its successor has begun: the model hears it
    FAILED = "failed"  # it does not count; the caller has its input back
    UNKNOWN = "unknown"  # the connection was lost, or the server said nothing in time


class SteerSignal(Enum):
    """What can happen to a steer."""

    SUBMIT = "submit"
    ACCEPT = "accept"
    PEND = "pend"
    COMMIT = "commit"
    FAIL = "fail"
    LOSE = "lose"


_S, _E = SteerState, SteerSignal

TRANSITIONS: Final = {
    (_S.WAITING,   _E.SUBMIT): _S.SUBMITTED,
    (_S.WAITING,   _E.FAIL):   _S.FAILED,

    (_S.SUBMITTED, _E.ACCEPT): _S.ACCEPTED,
    (_S.SUBMITTED, _E.PEND):   _S.PENDING,    # an acknowledgement may be skipped
    (_S.SUBMITTED, _E.COMMIT): _S.COMMITTED,  # the same
    (_S.SUBMITTED, _E.FAIL):   _S.FAILED,
    (_S.SUBMITTED, _E.LOSE):   _S.UNKNOWN,

    (_S.ACCEPTED,  _E.PEND):   _S.PENDING,
    (_S.ACCEPTED,  _E.COMMIT): _S.COMMITTED,
    (_S.ACCEPTED,  _E.FAIL):   _S.FAILED,
    (_S.ACCEPTED,  _E.LOSE):   _S.UNKNOWN,

    (_S.PENDING,   _E.COMMIT): _S.COMMITTED,
    (_S.PENDING,   _E.FAIL):   _S.FAILED,
    (_S.PENDING,   _E.LOSE):   _S.UNKNOWN,
}  # fmt: skip

# Its turn does not end before the server has said more: a successor may follow.
UNDECIDED: Final = frozenset({_S.SUBMITTED, _S.ACCEPTED})
# The server has its input, for whatever continues the response on its lane.
OWNED: Final = frozenset({_S.ACCEPTED, _S.PENDING})
# Nothing more will happen to it.
ENDED: Final = frozenset({_S.COMMITTED, _S.FAILED, _S.UNKNOWN})


@dataclass(slots=True, eq=False)
class Steer:
    """One steer; the client reads it, only the pool writes it.

    Attributes:
        id: Its number in the pool.
        turn: The turn that it steers.
        items: The input: messages of the user's.
        size_bytes: What they weigh.
        state: Where it is.
        steer_id: The server's name of it.
        response_id: The response that it was sent to.
        connection: The socket that it was sent on.
        lane: The lane of that response.
        successor_id: The response that hears it, once it is committed.
        required_input: What the next turn has to answer while it is pending: stubs to be filled.
        failure: Why it does not count, or why nobody knows.
    """

    id: SteerId
    turn: PoolTurn
    items: Sequence[HistoryItem]
    size_bytes: int
    state: SteerState = SteerState.WAITING
    steer_id: str | None = None
    response_id: str | None = None
    connection: int | None = None
    lane: LaneName = None
    successor_id: str | None = None
    required_input: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    failure: Failure | None = None

    def signal(self, signal: SteerSignal) -> None:
        """Move along the table."""
        self.state = advance(TRANSITIONS, self.state, signal)
