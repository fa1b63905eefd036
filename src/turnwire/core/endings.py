"""How a turn ends, well or badly, and what that does to its lane, its socket and its chain."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from turnwire.core.actions import Close, Deliver, Finish
from turnwire.core.chain import Head
from turnwire.core.connection import ConnectionSignal
from turnwire.core.failure import LIMIT_REACHED, Failure, FailureKind, failure_of_event
from turnwire.core.history import without_half_calls
from turnwire.core.lane import LaneSignal, anybody
from turnwire.core.rewriting import written_again
from turnwire.core.signals import signal_of
from turnwire.core.turn import TERMINAL_SIGNALS, TurnSignal, TurnState

if TYPE_CHECKING:
    from turnwire.core.lane import Lane
    from turnwire.core.pool_turn import PoolConnection, PoolTurn
    from turnwire.core.state import PoolState
    from turnwire.events import Event, Response


def completed(
    state: PoolState, turn: PoolTurn, signal: TurnSignal, event: Event, now: float
) -> None:
    """The server ended the turn with ``completed`` or ``incomplete``."""
    turn.signal(signal)
    turn.delivery = "terminal"
    response = turn.snapshot.final(event)
    turn.response_id = turn.response_id or response.id or None
    _advance_chain(turn, signal, response)
    state.counts.completed += 1
    _finish(state, turn, event, Finish(turn.id, response, None), now)
    _clean(state, turn, now)


def server_failed(
    state: PoolState, turn: PoolTurn, failure: Failure, event: Event | None, now: float
) -> None:
    """The server ended the turn with an error; the lane is clean, the parent gone from it."""
    if written_again(state, turn, failure, now):
        return
    turn.signal(TurnSignal.FAIL)
    turn.delivery = "terminal"
    _clear_chain(turn)
    state.counts.failed += 1
    _finish(state, turn, event, Finish(turn.id, turn.snapshot.partial(), failure), now)
    _clean(state, turn, now)
    if failure.code == LIMIT_REACHED and turn.connection is not None:
        state.retire(turn.connection)


def fail(state: PoolState, turn: PoolTurn, failure: Failure, now: float) -> None:
    """The turn ends on our side; what the server does with it is unknown."""
    turn.signal(TurnSignal.FAIL)
    _clear_chain(turn)
    state.counts.failed += 1
    _finish(state, turn, None, Finish(turn.id, turn.snapshot.partial(), failure), now)
    _release(state, turn, now)


def cancel(state: PoolState, turn: PoolTurn, now: float) -> None:
    """The caller no longer wants the turn."""
    turn.signal(TurnSignal.CANCEL)
    state.counts.cancelled += 1
    _finish(state, turn, None, Finish(turn.id, turn.snapshot.partial(), None), now)
    _release(state, turn, now)


def too_large(state: PoolState, turn: PoolTurn, size_bytes: int, now: float) -> None:
    """The message does not fit through a socket; it was not written."""
    limit = state.settings.message_bytes
    message = (
        f"the turn's message has {size_bytes} bytes and a socket takes {limit}:"
        ' send files by id, shorten the history, or use transport="http"'
    )
    failure = Failure(FailureKind.TOO_LARGE, message, limit_bytes=limit)
    turn.signal(TurnSignal.FAIL)
    state.counts.failed += 1
    _finish(state, turn, None, Finish(turn.id, None, failure), now)
    if turn.connection is not None and turn.lane is not None:
        state.end_lane(turn.connection, turn.lane)


def drop(state: PoolState, socket: PoolConnection, failure: Failure, now: float) -> None:
    """A socket is gone: every turn on it ends with an error, at once."""
    state.forget(socket, ConnectionSignal.LOST)
    for lane in socket.lanes:
        if lane.turn is not None and lane.turn.id in state.turns:
            fail(state, lane.turn, failure, now)


def drained(
    state: PoolState, socket: PoolConnection, lane: Lane[PoolTurn], turn: PoolTurn, event: Event
) -> None:
    """An abandoned turn goes on: read it to its end, within limits."""
    state.counts.drained_bytes += len(event.raw)
    lane.drained_bytes += len(event.raw)
    signal = signal_of(event)
    if signal is TurnSignal.FAIL and is_about_the_socket(lane, failure_of_event(event)):
        state.retire(socket)  # the lane stays dirty: its turn may go on
    elif signal in TERMINAL_SIGNALS:
        _remember(turn, lane, turn.snapshot.final(event).id, failed=signal is TurnSignal.FAIL)
        state.end_lane(socket, lane)
    elif lane.drained_bytes > state.settings.drain_bytes:
        state.retire(socket)


def is_about_the_socket(lane: Lane[PoolTurn], failure: Failure) -> bool:
    """Tell the end of a socket's life from the error of the turn on its default lane."""
    return failure.code == LIMIT_REACHED and lane.name is None


def _advance_chain(turn: PoolTurn, signal: TurnSignal, response: Response) -> None:
    """Only ``response.completed`` brings a head; what was said stays in the history."""
    chain, composed, socket = turn.request.chain, turn.composed, turn.connection
    if chain is None or composed is None:
        return
    head = None
    if signal is TurnSignal.COMPLETE and response.id:
        head = Head(
            response_id=response.id,
            connection=socket.id if socket else None,
            lane=turn.lane.name if turn.lane else None,
            credential=socket.credential if socket else turn.request.credential,
            stored=turn.request.params.stored,
            params=turn.request.params,
            length=0,  # the chain fills it in, with the items
            warm_up=turn.request.warm_up,
        )
    output = turn.snapshot.history(response)
    if signal is TurnSignal.INCOMPLETE:
        output = without_half_calls(output)
    chain.completed(composed, output, head)


def _clear_chain(turn: PoolTurn) -> None:
    # A turn that was never written cost the server nothing: the head still holds.
    if turn.request.chain is not None and turn.written_at is not None:
        turn.request.chain.clear("previous_failed")


def _finish(
    state: PoolState, turn: PoolTurn, event: Event | None, finish: Finish, now: float
) -> None:
    """Tell the caller, once and last."""
    state.leave(turn, now)
    if event is not None:
        state.actions.append(Deliver(turn.id, event))
    state.actions.append(finish)


def _clean(state: PoolState, turn: PoolTurn, now: float) -> None:
    """The terminal event was seen: nothing of the turn is left on the wire."""
    if turn.exchange is not None:
        state.exchanges.pop(turn.exchange, None)
    if turn.connection is not None and turn.lane is not None:
        failed = turn.state is TurnState.FAILED
        _remember(turn, turn.lane, turn.response_id, failed=failed)
        turn.lane.last_used = now
        state.end_lane(turn.connection, turn.lane)


def _remember(
    turn: PoolTurn, lane: Lane[PoolTurn], response_id: str | None, *, failed: bool
) -> None:
    """Follow what the server keeps: docs/protocol/continuation.md#eviction."""
    if failed:
        if lane.latest is not None and lane.latest == turn.sent_parent:
            lane.remember(None)
        return
    chain = turn.request.chain
    if chain is None:
        # Without a store only this lane has it, and its caller may name it in the next turn.
        lane.remember(response_id, None if turn.request.params.stored else anybody)
    elif chain.head is not None and chain.head.response_id == response_id:
        lane.remember(response_id, weakref.ref(chain.head))
    else:
        lane.remember(response_id)


def _release(state: PoolState, turn: PoolTurn, now: float) -> None:
    """Nobody waits for the turn any more: drain its lane, or close what only it used."""
    if turn.exchange is not None and state.exchanges.pop(turn.exchange, None) is not None:
        state.actions.append(Close(turn.exchange))
    socket, lane = turn.connection, turn.lane
    if socket is None or lane is None or socket.id not in state.sockets:
        return
    if socket.lanes.active == 1:
        # Alone on the socket: closing it is the cheapest stop that is certain.
        state.hang_up(socket, ConnectionSignal.CLOSE)
        return
    lane.signal(LaneSignal.ABANDON)
    lane.drain_until = now + state.settings.drain
    state.note_deadline(lane.drain_until)
    state.close_if_drained(socket)
