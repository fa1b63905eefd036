"""Abandoned turns: read to their end, so that their lane can be used again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from turnwire.core import endings, steering
from turnwire.core.failure import failure_of_event
from turnwire.core.pool_turn import Verdict
from turnwire.core.signals import signal_of
from turnwire.core.turn import TERMINAL_SIGNALS, TurnSignal

if TYPE_CHECKING:
    from turnwire.core.lane import Lane
    from turnwire.core.pool_turn import PoolConnection, PoolTurn
    from turnwire.core.state import PoolState
    from turnwire.events import Event


def drained(
    state: PoolState, socket: PoolConnection, lane: Lane[PoolTurn], event: Event, now: float
) -> None:
    """An abandoned turn goes on: read it to its end, within limits."""
    turn = lane.turn
    assert turn is not None  # or there would be nothing to drain
    state.counts.drained_bytes += len(event.raw)
    lane.drained_bytes += len(event.raw)
    signal = signal_of(event)
    if signal is TurnSignal.FAIL:
        failure = failure_of_event(event)
        if steering.refused(state, socket, failure, now):
            return
        if endings.is_about_the_socket(lane, failure):
            state.retire(socket)  # the lane stays dirty: its turn may go on
            return
    if not endings.is_its_own(turn, event):
        state.retire(socket)  # the same: another response's end says nothing about this one
        return
    if steering.has_successor(turn):
        steering.go_on(state, turn)
    if signal is not None and signal is not TurnSignal.FAIL:
        steering.hears(state, turn, runs=signal not in TERMINAL_SIGNALS)
    if signal is not None and signal in TERMINAL_SIGNALS:
        _ended(state, socket, lane, turn, signal, event, now)
    elif lane.drained_bytes > state.settings.drain_bytes:
        state.retire(socket)


def _ended(  # noqa: PLR0917  # what happened, and where
    state: PoolState,
    socket: PoolConnection,
    lane: Lane[PoolTurn],
    turn: PoolTurn,
    signal: TurnSignal,
    event: Event,
    now: float,
) -> None:
    """The response has ended; its lane is clean unless a successor may follow."""
    failed = signal is TurnSignal.FAIL
    if turn.verdict is not None and not failed:
        return  # said once more
    response = turn.snapshot.final(event)
    endings.remember(turn, lane, response.id, failed=failed)
    if turn.is_undecided and turn.verdict is None:
        response_id = turn.response_id or response.id
        turn.verdict = Verdict(signal, response, response_id, None, now)
        return
    turn.verdict = None
    endings.lose_undecided(state, turn)
    if socket.id in state.sockets:
        state.end_lane(socket, lane)
