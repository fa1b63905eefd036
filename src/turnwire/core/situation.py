"""Reads from the pool's state what the table in ``recovery.py`` asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from turnwire.core.backoff import LONGEST_PAUSE, asked_pause
from turnwire.core.failure import (
    LIMIT_REACHED,
    NAMES_USED_UP,
    Failure,
    FailureKind,
    is_lane_refusal,
    is_previous_response_not_found,
    is_retryable,
)
from turnwire.core.policy import may_repeat
from turnwire.core.recovery import Cause, Delivery, Home, Situation
from turnwire.core.turn import TurnState

if TYPE_CHECKING:
    from turnwire.core.pool_turn import PoolTurn
    from turnwire.core.state import PoolState

_UNAUTHORIZED: Final = 401
_MOST_RESUMES: Final = 3
_MOST_REFUSALS: Final = 4  # a server that repeats itself is not obeyed for ever
_MOST_MOVES: Final = 4  # nor are sockets opened for ever that die at once

_CAUSE_OF_KIND: Final = {
    FailureKind.DIAL: Cause.DIAL,
    FailureKind.DIAL_TIMEOUT: Cause.DIAL,
    FailureKind.REFUSED: Cause.DIAL,
    FailureKind.TOO_LARGE: Cause.TOO_LARGE,
    FailureKind.LOST: Cause.LOST,
    FailureKind.PROTOCOL: Cause.LOST,
}

_DELIVERY: Final = {
    TurnState.QUEUED: Delivery.UNSENT,
    TurnState.WRITING: Delivery.WRITTEN,
    TurnState.ACCEPTED: Delivery.ACCEPTED,
    TurnState.OUTPUT: Delivery.OUTPUT,
    TurnState.STEERING: Delivery.OUTPUT,
}


def situation_of(
    state: PoolState, turn: PoolTurn, failure: Failure, *, unwritten: bool = False
) -> Situation:
    """Say how things stand for a turn that something happened to.

    Args:
        state: The pool.
        turn: The turn.
        failure: What happened.
        unwritten: True if its message was handed over and not one byte of it was written.
    """
    delivery = Delivery.UNSENT if unwritten else _DELIVERY[turn.state]
    unsent = delivery is Delivery.UNSENT
    cause = _cause(state, turn, failure)
    if cause is Cause.LOST and unsent and turn.moves >= _MOST_MOVES:
        cause = Cause.DIAL  # sockets that die before they take a byte are as good as none
    return Situation(
        cause=cause,
        delivery=delivery,
        shown=turn.shown and turn.state is TurnState.OUTPUT,
        id_known=_can_be_fetched(state, turn),
        home=_home(turn),
        may_repeat=cause is Cause.LOST and not unsent and _may_repeat(state, turn, failure),
        may_wait=_may_wait(state, turn, failure),
        may_fall_back=may_fall_back(turn),
    )


def _may_repeat(state: PoolState, turn: PoolTurn, failure: Failure) -> bool:
    if turn.was_steered:
        return False  # what was said to it would be lost, or said twice
    try:
        return may_repeat(turn, failure)
    except Exception as error:  # noqa: BLE001  # a mistake in the caller's function is not ours
        what = f"the replay function raised {type(error).__name__}"
        state.log(f"{what}: its turn is not sent again")
        return False


def may_fall_back(turn: PoolTurn) -> bool:
    """Say whether a turn may change to HTTP, where there are no warm-ups."""
    return turn.request.transport == "auto" and turn.route == "websocket" and turn.runs_model


def _cause(state: PoolState, turn: PoolTurn, failure: Failure) -> Cause:
    if failure.kind is not FailureKind.SERVER:
        return _CAUSE_OF_KIND.get(failure.kind, Cause.OURS)
    if failure.status == _UNAUTHORIZED and turn.exchange is not None:
        fresh = state.settings.refreshes_key and not turn.key_refreshed
        return Cause.STALE_KEY if fresh else Cause.ANSWER
    if turn.was_steered:
        return Cause.ANSWER
    if turn.refusals < _MOST_REFUSALS:
        refusal = _refusal(state, turn, failure)
        if refusal is not None:
            return refusal
    return Cause.BUSY if is_retryable(failure) else Cause.ANSWER


def _refusal(state: PoolState, turn: PoolTurn, failure: Failure) -> Cause | None:
    """Recognise what the server says of a turn that it has not run."""
    named = turn.lane is not None and turn.lane.name is not None
    if named and failure.code == NAMES_USED_UP:
        return Cause.NO_NAMES
    if named and not state.lanes_work and is_lane_refusal(failure):
        return Cause.NO_LANES
    chain = turn.request.chain
    if chain is not None and turn.sent_parent and is_previous_response_not_found(failure):
        return Cause.PARENT_GONE
    if failure.code == LIMIT_REACHED and turn.lane is not None:
        return Cause.AGE_LIMIT if turn.state is TurnState.WRITING else Cause.LOST
    return None


def _can_be_fetched(state: PoolState, turn: PoolTurn) -> bool:
    return (
        state.settings.resume
        and turn.response_id is not None
        and turn.request.params.stored
        and turn.runs_model
        and not turn.is_in_doubt
        and not turn.resume_failed
        and turn.resumes < _MOST_RESUMES
    )


def _home(turn: PoolTurn) -> Home:
    chain = turn.request.chain
    if chain is not None:
        return Home.SOCKET if chain.head is not None and not chain.head.stored else Home.ANYWHERE
    by_hand = turn.request.previous_response_id is not None
    return Home.LOST if by_hand and not turn.request.params.stored else Home.ANYWHERE


def _may_wait(state: PoolState, turn: PoolTurn, failure: Failure) -> bool:
    if turn.retries >= state.settings.retries or not state.budget.allows or state.closed:
        return False
    if turn.route == "websocket" and failure.kind is not FailureKind.SERVER:
        return False  # dials have a budget of their own
    asked = asked_pause(failure.headers)
    return asked is None or asked <= LONGEST_PAUSE
