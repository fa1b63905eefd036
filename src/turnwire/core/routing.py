"""WebSocket or HTTP, and why: a turn's transport_reason always says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from turnwire.core.actions import Finish, SignIn
from turnwire.core.exchange import Exchange
from turnwire.core.failure import Failure, FailureKind
from turnwire.core.turn import TurnSignal

if TYPE_CHECKING:
    from turnwire.core.exchange import Purpose
    from turnwire.core.pool_turn import PoolTurn
    from turnwire.core.state import PoolState


def route(state: PoolState, now: float) -> None:
    """Choose the way of every turn that has just begun to wait; over HTTP it begins at once."""
    unrouted, state.unrouted = state.unrouted, []
    for turn in unrouted:
        if turn.id not in state.waiting:
            continue
        _choose(state, turn, now)
        if turn.route == "http":
            state.dequeue(turn)
            _post(state, turn, now)


def _choose(state: PoolState, turn: PoolTurn, now: float) -> None:
    wanted = turn.request.transport
    if wanted == "auto":
        _choose_for_auto(state, turn, now)
    else:
        turn.route, turn.transport_reason = wanted, f'requested: transport="{wanted}"'


def _choose_for_auto(state: PoolState, turn: PoolTurn, now: float) -> None:
    if turn.route == "http" or turn.probes_breaker:
        return  # it fell back, and stays there; or it is the one that may try
    probing = state.breaker.health(now).state != "closed"
    if not turn.runs_model:
        turn.transport_reason = "preferred: a warm-up only exists on a socket"
    elif turn.size_bytes > state.message_bytes:
        why = f"it has at least {turn.size_bytes} bytes and a socket takes {state.message_bytes}"
        _go_over_http(state, turn, why)
    elif state.breaker.allows(now):
        turn.probes_breaker = probing
        turn.transport_reason = "preferred: WebSocket costs only what is new"
    else:
        _go_over_http(state, turn, state.breaker.health(now).reason or "sockets did not work")


def _go_over_http(state: PoolState, turn: PoolTurn, why: str) -> None:
    turn.route, turn.transport_reason = "http", f"fallback: {why}"
    state.counts.fallbacks += 1


def fall_back(state: PoolState, turn: PoolTurn, why: str, now: float) -> None:
    """Send a turn over HTTP instead, built from scratch."""
    turn.connection = turn.lane = None
    state.dequeue(turn)
    if turn.probes_breaker:
        turn.probes_breaker = False
        state.breaker.gave_up_probe()
    _go_over_http(state, turn, why)
    _post(state, turn, now)


def _post(state: PoolState, turn: PoolTurn, now: float) -> None:
    if turn.request.hands_over:
        turn.signal(TurnSignal.FAIL)
        state.leave(turn, now)
        failure = Failure(FailureKind.HANDED_OVER, turn.transport_reason)
        state.actions.append(Finish(turn.id, None, failure))
    else:
        begin_exchange(state, turn, "post", now)


def begin_exchange(
    state: PoolState, turn: PoolTurn, purpose: Purpose, now: float, *, looks: int = 0
) -> None:
    """Begin an exchange by getting its key."""
    number = state.next_number()
    until = now + state.settings.dial
    state.exchanges[number] = Exchange(
        turn, purpose, sign_in_until=until, looks=looks, heard_at=now
    )
    turn.exchange = number
    state.note_deadline(until)
    state.actions.append(SignIn(number))
