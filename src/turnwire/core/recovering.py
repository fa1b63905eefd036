"""Does what the table in ``recovery.py`` decides about a turn that was cut off or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from turnwire.core.actions import Close, Restart
from turnwire.core.backoff import asked_pause, exponential
from turnwire.core.recovery import Cause, Delivery, Recovery, decide
from turnwire.core.resuming import resume
from turnwire.core.routing import fall_back
from turnwire.core.situation import situation_of
from turnwire.core.turn import TurnSignal, TurnState
from turnwire.events import TurnRestartedEvent

if TYPE_CHECKING:
    from turnwire.core.failure import Failure
    from turnwire.core.pool_turn import PoolTurn
    from turnwire.core.recovery import Situation
    from turnwire.core.state import PoolState

# After these the server has run nothing; after a loss, or a failure of a running turn, perhaps.
_UNREAD = (
    Cause.STALE_KEY, Cause.TOO_LARGE, Cause.AGE_LIMIT, Cause.PARENT_GONE, Cause.NO_LANES,
    Cause.NO_NAMES,
)  # fmt: skip


def recover(
    state: PoolState, turn: PoolTurn, failure: Failure, now: float, *, unwritten: bool = False
) -> bool:
    """Do what may be done for a turn; False if it has to end.

    Args:
        state: The pool.
        turn: A turn that has not ended.
        failure: What happened to it.
        now: The time.
        unwritten: True if its message was handed over and not one byte of it was written.
    """
    situation = situation_of(state, turn, failure, unwritten=unwritten)
    recovery = decide(situation)
    if recovery is Recovery.FAIL:
        return False
    if recovery is Recovery.RESUME:
        _leave_place(state, turn, situation.cause)
        resume(state, turn, failure, now)
        return True
    in_place = _stays(state, turn, situation.cause)
    over_http = turn.route == "http" or recovery is Recovery.FALL_BACK
    if state.closed and not (in_place or over_http):
        return False  # no lane will be free, nothing will be dialled
    _note(state, turn, situation, recovery)
    _begin_anew(state, turn, situation, failure)
    _learn(state, turn, situation.cause, now)
    if not in_place:
        _leave_place(state, turn, situation.cause)
    match recovery:
        case Recovery.FALL_BACK:
            fall_back(state, turn, failure.brief, now)
        case Recovery.RESEND_LATER:
            state.rest(turn, now + _pause(state, turn, failure))
        case _ if in_place:
            state.to_write.append(turn)
        case _:
            state.wait_again(turn, now)
    state.changed = True
    return True


def _stays(state: PoolState, turn: PoolTurn, cause: Cause) -> bool:
    """Say whether it is written again on the lane that it is on."""
    here = turn.connection is not None and turn.connection.id in state.sockets
    return here and cause in (Cause.PARENT_GONE, Cause.NO_LANES)


def _note(state: PoolState, turn: PoolTurn, situation: Situation, recovery: Recovery) -> None:
    """Count it, and pay for it."""
    if situation.cause in _UNREAD:
        turn.refusals += 1
    if situation.cause is Cause.STALE_KEY:
        turn.key_refreshed = True
    if recovery is Recovery.RESEND_LATER:
        turn.retries += 1
        state.counts.retries += 1
        state.budget.take()
    elif recovery is Recovery.MOVE and situation.cause is Cause.LOST:
        turn.moves += 1
    elif recovery in (Recovery.RESEND, Recovery.RESEND_IN_FULL) and situation.cause is Cause.LOST:
        turn.repeats += 1
        state.counts.repeats += 1


def _begin_anew(state: PoolState, turn: PoolTurn, situation: Situation, failure: Failure) -> None:
    """Forget the attempt; tell its caller if anything of it was said, or may have been run."""
    turn.release_source()
    if turn.state is TurnState.QUEUED:
        return
    written = situation.delivery is not Delivery.UNSENT
    ran = situation.cause is Cause.LOST and written
    told = turn.state is not TurnState.WRITING
    # An error instead of a beginning means that nothing ran.
    if written and not ran and not (situation.cause is Cause.BUSY and told):
        turn.model_runs -= turn.runs_model
    turn.signal(TurnSignal.REQUEUE)
    turn.forget_attempt()
    if ran or told:
        state.actions.append(Restart(turn.id, _restarted(turn, failure)))


def _restarted(turn: PoolTurn, failure: Failure) -> TurnRestartedEvent:
    fields = {"reason": failure.message, "model_runs": turn.model_runs}
    raw = msgspec.json.encode({"type": "turn.restarted", **fields})
    return TurnRestartedEvent(raw=raw, reason=failure.message, model_runs=turn.model_runs)


def _learn(state: PoolState, turn: PoolTurn, cause: Cause, now: float) -> None:
    """Take in what the refusal says about the server."""
    chain, lane, socket = turn.request.chain, turn.lane, turn.connection
    if cause is Cause.NO_LANES and socket is not None and lane is not None:
        state.know_lanes(work=False)
        socket.lanes.adopt_as_default(lane)
    if cause in (Cause.PARENT_GONE, Cause.BUSY) and chain is not None:
        # docs/protocol/continuation.md#eviction
        if lane is not None and lane.latest is not None and lane.latest == turn.sent_parent:
            lane.remember(None)
        if cause is Cause.PARENT_GONE:
            chain.clear("evicted")
        elif chain.head is not None and not chain.head.stored:
            chain.clear("previous_failed")
    if lane is not None:
        lane.last_used = now


def _leave_place(state: PoolState, turn: PoolTurn, cause: Cause) -> None:
    """Free the lane, or end the exchange."""
    if turn.exchange is not None and state.exchanges.pop(turn.exchange, None) is not None:
        state.actions.append(Close(turn.exchange))
    turn.exchange = None
    socket, lane = turn.connection, turn.lane
    if socket is None or lane is None or socket.id not in state.sockets:
        return
    if cause is Cause.NO_NAMES:
        socket.lanes.withdraw(lane)
        state.named_limit = min(state.named_limit, socket.lanes.named_limit)
        state.close_if_drained(socket)
        return
    state.end_lane(socket, lane)
    if cause in (Cause.AGE_LIMIT, Cause.LOST):
        state.retire(socket)


def _pause(state: PoolState, turn: PoolTurn, failure: Failure) -> float:
    asked = asked_pause(failure.headers)
    return exponential(turn.retries, state.chance()) if asked is None else asked
