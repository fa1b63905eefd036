"""Putting turns on the wire: place what has a place, dial for the rest, build each message."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from turnwire.core import endings, steering
from turnwire.core.actions import Post, Send
from turnwire.core.chain import Seat, Unanswerable
from turnwire.core.counting import count_message
from turnwire.core.dialing import open_socket
from turnwire.core.failure import Failure, FailureKind
from turnwire.core.liveness import probe_silent
from turnwire.core.planner import Wait, place, sockets_wanted, takes_a_turn
from turnwire.core.request import http_body, websocket_message
from turnwire.core.routing import route
from turnwire.core.turn import TurnSignal, TurnState

if TYPE_CHECKING:
    from turnwire.core.planner import Place
    from turnwire.core.pool_turn import PoolTurn
    from turnwire.core.state import PoolState


def settle(state: PoolState, now: float) -> None:
    """Do everything that can be done now; called after every input that changed something."""
    while state.changed:
        state.changed = False
        route(state, now)
        to_write, state.to_write = state.to_write, []
        for turn in to_write:
            if turn.state is TurnState.QUEUED:
                write(state, turn, now)
        if state.waiting:
            probe_silent(state, now)
            _dial(state, _place_all(state, now), now)


def _place_all(state: PoolState, now: float) -> int:
    """Send every turn that has a place; return how many would use another socket."""
    homeless = 0
    for turn in list(state.waiting.values()):
        if not _may_grow(state, now) and not any(map(takes_a_turn, state.sockets.values())):
            break  # full: there is no place for the turns behind either
        homeless += not _placed(state, turn, now)
    return homeless


def _placed(state: PoolState, turn: PoolTurn, now: float) -> bool:
    """Send a turn if there is a place; False if another socket would help."""
    found = place(turn, list(state.sockets.values()), may_grow=_may_grow(state, now))
    if isinstance(found, Wait):
        return found is Wait.FOR_PARENT
    _take(state, turn, found, now)
    return True


def _take(state: PoolState, turn: PoolTurn, found: Place, now: float) -> None:
    lanes = found.connection.lanes
    turn.connection, turn.lane = found.connection, lanes.open(found.lane)
    lanes.take(turn.lane, turn, now)
    if found.source is not None:
        found.source.awaited_by.add(turn.id)
        turn.source = found.source
    state.dequeue(turn)
    state.counts.reuses += found.connection.used
    found.connection.used = True
    write(state, turn, now)


def write(state: PoolState, turn: PoolTurn, now: float) -> None:
    """Build the message for where the turn is now, and have it written."""
    request, socket, lane = turn.request, turn.connection, turn.lane
    parent, items = request.previous_response_id, request.items
    if request.chain is not None:
        composed = request.chain.compose(
            request.items or (),
            request.params,
            _seat(state, turn),
            whole=request.whole,
            warm_up=request.warm_up,
            unanswered=request.unanswered,
        )
        if isinstance(composed, Unanswerable):
            endings.refuse(state, turn, _unanswered(composed), now)
            return
        parent, items = composed.previous_response_id, composed.items
        turn.composed, turn.chain_miss = replace(composed, items=()), composed.miss
        request.chain.turn_written = True
    if state.steers:
        steering.leave_behind(state, turn)
    if socket is None:
        data = http_body(request.params, items, parent)
    else:
        data = websocket_message(request.params, items, parent, lane.name if lane else None)
        if len(data) > state.message_bytes:
            endings.too_large(state, turn, len(data), now)
            return
    count_message(state, turn, len(data))
    turn.signal(TurnSignal.WRITE)
    turn.write_began_at, turn.written_at = now, None
    limit = request.deadlines.write
    state.note_deadline(None if limit is None else now + limit)
    if socket is not None:
        socket.writing += 1
        state.actions.append(Send(socket.id, turn.id, data))
    else:
        assert turn.exchange is not None  # it has signed in
        state.actions.append(Post(turn.exchange, turn.id, data))


def written(state: PoolState, turn: PoolTurn, now: float) -> None:
    """A turn's message is on its way; the server's first event is due."""
    turn.written_at = now
    first_event = turn.request.deadlines.first_event
    state.note_deadline(None if first_event is None else now + first_event)


def _unanswered(found: Unanswerable) -> Failure:
    message = (
        f"{len(found.call_ids)} tool calls in the history have no output, and servers refuse that:"
        ' answer them first, or pass unanswered_calls="stub" or "drop"'
    )
    return Failure(FailureKind.UNANSWERED, message, call_ids=found.call_ids)


def _seat(state: PoolState, turn: PoolTurn) -> Seat:
    """Say where a turn is about to be sent, and what it would find there."""
    socket, lane = turn.connection, turn.lane
    if socket is None or lane is None:
        return Seat(None, None, turn.credential, None)
    cached = (turn.source or lane).latest
    waiting = steering.waiting_for(state, turn) if state.steers else ()
    known = cached, state.sockets, state.rotated, lane.spoilt, waiting
    return Seat(socket.id, lane.name, socket.credential, *known)


def _may_grow(state: PoolState, now: float) -> bool:
    room = len(state.sockets) < state.settings.sockets
    return room and not state.closed and now >= state.no_dial_before


def _dial(state: PoolState, homeless: int, now: float) -> None:
    sockets = list(state.sockets.values())
    for _ in range(sockets_wanted(homeless, sockets, state.settings, lanes=state.lanes_work)):
        if not _may_grow(state, now):
            return
        open_socket(state, now)
