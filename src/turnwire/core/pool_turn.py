"""The pool's record of one turn; the client reads it, only the pool writes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from turnwire.core.connection import Connection
from turnwire.core.machine import advance
from turnwire.core.snapshot import Snapshot
from turnwire.core.turn import TERMINAL_STATES, TRANSITIONS, TurnSignal, TurnState

if TYPE_CHECKING:
    from turnwire.core.chain import ChainMiss, Composed
    from turnwire.core.lane import Lane
    from turnwire.core.request import TurnRequest


@dataclass(slots=True, eq=False)
class PoolTurn:
    """One turn.

    Attributes:
        id: Its number in the pool.
        request: What was asked for.
        size_bytes: What it weighs while it waits.
        queued_at: When it began to wait for a lane.
        state: Where it is.
        connection: The socket that carries it; None for HTTP.
        exchange: The HTTP exchange that carries it.
        composed: What was sent of its chain.
        source: The lane that a fork reads its parent from, until it has bound it.
        response_id: Once the server has named it.
        sent_bytes: Everything written for it, resends included.
        resends: How often its message was written again.
        model_runs: How many runs of the model it may have started.
        chain_miss: Why everything was sent, or None.
        delivery: How far it has come, or had come when it ended on our side.
    """

    id: int
    request: TurnRequest
    size_bytes: int
    submitted_at: float
    queued_at: float
    state: TurnState = TurnState.QUEUED
    connection: Connection[PoolTurn] | None = None
    lane: Lane[PoolTurn] | None = None
    exchange: int | None = None
    composed: Composed | None = None
    source: Lane[PoolTurn] | None = None
    snapshot: Snapshot = field(default_factory=Snapshot)
    response_id: str | None = None
    last_sequence_number: int | None = None
    written_at: float | None = None
    sent_bytes: int = 0
    resends: int = 0
    model_runs: int = 0
    chain_miss: ChainMiss | None = None
    delivery: str = TurnState.QUEUED.value

    def signal(self, signal: TurnSignal) -> None:
        """Move along the table."""
        self.state = advance(TRANSITIONS, self.state, signal)
        if self.state not in TERMINAL_STATES:
            self.delivery = self.state.value

    @property
    def parent(self) -> str | None:
        """The response that it wants to continue, as far as is known before it is sent."""
        chain = self.request.chain
        if chain is None:
            return self.request.previous_response_id
        return chain.head.response_id if chain.head else None

    @property
    def sent_parent(self) -> str | None:
        """The ``previous_response_id`` that was sent."""
        if self.composed is not None:
            return self.composed.previous_response_id
        return self.request.previous_response_id

    @property
    def is_next(self) -> bool:
        """False while an earlier turn of its chain has not ended."""
        chain = self.request.chain
        return chain is None or chain.turn == self.id

    def release_source(self) -> None:
        """Let the lane that a fork read from move on."""
        if self.source is not None:
            self.source.awaited_by.discard(self.id)
            self.source = None


PoolConnection = Connection[PoolTurn]
