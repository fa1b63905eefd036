"""The pool's record of one turn; the client reads it, only the pool writes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from turnwire.core.connection import Connection
from turnwire.core.machine import advance
from turnwire.core.snapshot import Snapshot
from turnwire.core.steer import UNDECIDED, SteerState
from turnwire.core.turn import TERMINAL_STATES, TRANSITIONS, TurnSignal, TurnState

if TYPE_CHECKING:
    from turnwire.core.chain import ChainMiss, Composed
    from turnwire.core.failure import Failure
    from turnwire.core.history import HistoryItem
    from turnwire.core.lane import Lane
    from turnwire.core.request import Route, TurnRequest
    from turnwire.core.steer import Steer
    from turnwire.events import Response

_IN_DOUBT: Final = UNDECIDED | {SteerState.UNKNOWN}


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a response has ended whose turn may go on with a successor.

    Attributes:
        signal: What its terminal event said.
        response: The response; if it failed, what had arrived of it.
        response_id: Its id.
        failure: What failed, or None.
        since: When that was.
    """

    signal: TurnSignal
    response: Response
    response_id: str
    failure: Failure | None
    since: float


@dataclass(slots=True, eq=False)
class PoolTurn:
    """One turn.

    Attributes:
        id: Its number in the pool.
        request: What was asked for.
        size_bytes: What it weighs while it waits.
        queued_at: When it began to wait for a lane.
        state: Where it is.
        route: How it travels.
        transport_reason: Why that way.
        probes_breaker: True if it finds out whether WebSocket mode works again.
        connection: The socket that carries it; None for HTTP.
        exchange: The HTTP exchange that carries it.
        credential: Fingerprint of the key of its last exchange.
        composed: What was sent of its chain.
        source: The lane that a fork reads its parent from, until it has bound it.
        response_id: Once the server has named it.
        write_began_at: When its message was handed over to be written, the last time.
        written_at: When that was done; None while it is being written.
        message_bytes: What its last message weighed.
        sent_bytes: Everything written for it.
        full_bytes: What that would have been with the whole history each time.
        resends: How often its message was written again, for whatever reason.
        repeats: How often because the server had perhaps run it, and the answer was lost.
        retries: How often because the server was too busy.
        refusals: How often the server refused it unread.
        moves: How often a socket was lost before it took the message.
        shown: Whether its caller has been handed an event since there was output; the caller's
            side sets it.
        resumes: How often its stored response was fetched.
        resume_failed: Whether its stored response could not be fetched.
        key_refreshed: Whether another key was tried after a 401.
        model_runs: Runs of the model that it may have started.
        chain_miss: Why everything was sent, or None.
        delivery: The last live state, or ``terminal``.
        steers: What its caller has said to it while it ran.
        verdict: How its response has ended, while that may not be the end of the turn.
        responses: Its responses before the present one: each was steered and continued.
        continued: What those that are in no chain, and what was said to them, add to its input.
    """

    id: int
    request: TurnRequest
    size_bytes: int
    submitted_at: float
    queued_at: float
    state: TurnState = TurnState.QUEUED
    route: Route = "websocket"
    transport_reason: str = ""
    probes_breaker: bool = False
    connection: Connection[PoolTurn] | None = None
    lane: Lane[PoolTurn] | None = None
    exchange: int | None = None
    credential: str = ""
    composed: Composed | None = None
    source: Lane[PoolTurn] | None = None
    snapshot: Snapshot = field(default_factory=Snapshot)
    response_id: str | None = None
    last_sequence_number: int | None = None
    write_began_at: float | None = None
    written_at: float | None = None
    message_bytes: int = 0
    sent_bytes: int = 0
    full_bytes: int = 0
    resends: int = 0
    repeats: int = 0
    retries: int = 0
    refusals: int = 0
    moves: int = 0
    shown: bool = False
    resumes: int = 0
    resume_failed: bool = False
    key_refreshed: bool = False
    model_runs: int = 0
    chain_miss: ChainMiss | None = None
    delivery: str = TurnState.QUEUED.value
    steers: list[Steer] = field(default_factory=list["Steer"])
    verdict: Verdict | None = None
    responses: list[Response] = field(default_factory=list["Response"])
    continued: list[HistoryItem] = field(default_factory=list["HistoryItem"])

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
        """The ``previous_response_id`` that was sent, or that the server chose."""
        if self.composed is not None:
            return self.composed.previous_response_id
        if self.responses:
            return self.responses[-1].id
        return self.request.previous_response_id

    @property
    def runs_model(self) -> bool:
        """False for a warm-up."""
        return not self.request.warm_up

    @property
    def is_undecided(self) -> bool:
        """True while a steer of it has no answer, or none that says whether it counts."""
        return any(steer.state in UNDECIDED for steer in self.steers)

    @property
    def is_decided(self) -> bool:
        """True if its response has ended, and it is known that no successor follows."""
        return self.verdict is not None and not self.is_undecided

    @property
    def is_in_doubt(self) -> bool:
        """True if its response may have been continued, by one that nobody has heard of."""
        return self.verdict is not None or any(
            steer.state in _IN_DOUBT and steer.response_id == self.response_id
            for steer in self.steers
        )

    @property
    def was_steered(self) -> bool:
        """True if a steer of it was sent, or it has heard one: then it is never sent again."""
        held = self.state is TurnState.STEERING
        sent = any(steer.response_id is not None for steer in self.steers)
        return held or sent or bool(self.continued)

    def forget_attempt(self) -> None:
        """Begin anew: nothing that came so far counts any more."""
        self.response_id = self.last_sequence_number = None
        self.snapshot = Snapshot()
        self.delivery = TurnState.QUEUED.value

    @property
    def place(self) -> int | None:
        """The connection that carries it, socket or exchange."""
        return self.exchange if self.connection is None else self.connection.id

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
