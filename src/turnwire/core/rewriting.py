"""Turns that the server refused unread, and that are therefore written again.

The model has not run for them, so nothing is done twice.  The caller is not disturbed, but each
resend is counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from turnwire.core.actions import Close
from turnwire.core.failure import (
    LIMIT_REACHED,
    NAMES_USED_UP,
    is_lane_refusal,
    is_previous_response_not_found,
)
from turnwire.core.turn import TurnSignal, TurnState

if TYPE_CHECKING:
    from turnwire.core.failure import Failure
    from turnwire.core.pool_turn import PoolTurn
    from turnwire.core.state import PoolState

_MOST_RESENDS: Final = 4  # there are four reasons; a server that repeats one is not obeyed


def written_again(state: PoolState, turn: PoolTurn, failure: Failure, now: float) -> bool:
    """Have a turn written again if the server refused it unread; False if it did not."""
    unread = turn.state in (TurnState.WRITING, TurnState.ACCEPTED)
    if not unread or turn.resends >= _MOST_RESENDS:
        return False
    if _without_lanes(state, turn, failure) or _in_full(state, turn, failure):
        return True
    if state.closed:
        return False  # no other lane will be free and no other socket dialled
    return _with_fewer_names(state, turn, failure, now) or _on_another_socket(
        state, turn, failure, now
    )


def _without_lanes(state: PoolState, turn: PoolTurn, failure: Failure) -> bool:
    """The server does not know ``stream_id``: the same message without it."""
    socket, lane = turn.connection, turn.lane
    if state.lanes_work or socket is None or lane is None or lane.name is None:
        return False
    if not is_lane_refusal(failure):
        return False
    state.know_lanes(work=False)
    socket.lanes.adopt_as_default(lane)
    _requeue(state, turn)
    state.to_write.append(turn)
    return True


def _in_full(state: PoolState, turn: PoolTurn, failure: Failure) -> bool:
    """The server has forgotten the parent: everything, on the same lane."""
    chain, lane = turn.request.chain, turn.lane
    if chain is None or not turn.sent_parent or not is_previous_response_not_found(failure):
        return False
    if lane is not None and lane.latest == turn.sent_parent:
        lane.remember(None)
    chain.clear("evicted")
    _requeue(state, turn)
    state.to_write.append(turn)
    return True


def _with_fewer_names(state: PoolState, turn: PoolTurn, failure: Failure, now: float) -> bool:
    """The server takes fewer names than the hosted service: another lane, when one is free."""
    socket, lane = turn.connection, turn.lane
    if socket is None or lane is None or lane.name is None or failure.code != NAMES_USED_UP:
        return False
    socket.lanes.withdraw(lane)
    _requeue(state, turn)
    state.wait_again(turn, now)
    state.close_if_drained(socket)
    return True


def _on_another_socket(state: PoolState, turn: PoolTurn, failure: Failure, now: float) -> bool:
    """The socket has reached its age limit: another one."""
    socket, lane = turn.connection, turn.lane
    if socket is None or lane is None or failure.code != LIMIT_REACHED:
        return False
    if turn.state is not TurnState.WRITING:
        return False
    _requeue(state, turn)
    state.wait_again(turn, now)
    state.end_lane(socket, lane)
    state.retire(socket)
    return True


def _requeue(state: PoolState, turn: PoolTurn) -> None:
    turn.signal(TurnSignal.REQUEUE)
    turn.response_id = None
    turn.model_runs -= not turn.request.warm_up  # it was refused, not run
    turn.release_source()
    if turn.exchange is not None and state.exchanges.pop(turn.exchange, None) is not None:
        state.actions.append(Close(turn.exchange))
    state.changed = True
