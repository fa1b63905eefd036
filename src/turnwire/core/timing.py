"""What is due when: deadlines of turns, dials and drains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from turnwire.core import endings, liveness, rotation, steering
from turnwire.core.actions import Close
from turnwire.core.connection import ConnectionSignal
from turnwire.core.dialing import dial_failed
from turnwire.core.failure import Failure, FailureKind
from turnwire.core.routing import begin_exchange
from turnwire.core.turn import TurnState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from turnwire.core.exchange import Exchange
    from turnwire.core.pool_turn import PoolConnection, PoolTurn
    from turnwire.core.state import PoolState

# With the client's names of the limits, so that people know what to change.
_TOO_LATE: Final = {
    FailureKind.QUEUE_TIMEOUT: (
        "no lane became free within {0.queue:g} s (`queue_timeout`);"
        " allow more sockets (`max_sockets`), or a longer wait"
    ),
    FailureKind.FIRST_EVENT_TIMEOUT: (
        "the server sent no event of the turn within {0.first_event:g} s (`first_event_timeout`)"
    ),
    FailureKind.LOST: "the connection took no message within {0.write:g} s (`write_timeout`)",
    FailureKind.PROGRESS_TIMEOUT: ("no event came within {0.progress:g} s (`progress_timeout`)"),
    FailureKind.TURN_TIMEOUT: "the turn did not end within {0.turn:g} s (`timeout`)",
}


def _next_deadline(state: PoolState) -> float | None:
    due: list[float | None] = []
    for socket in state.sockets.values():
        due += [socket.dial_until, socket.rotate_at, liveness.deadline(state, socket)]
        due += [lane.drain_until for lane in socket.lanes]
    for exchange in state.exchanges.values():
        due += [exchange.begins_at, exchange.sign_in_until]
    for turn in state.turns.values():
        due += [when for when, _ in _due(state, turn)]
    due += state.resting.values()
    if state.no_dial_before > 0:  # also with nobody waiting yet
        due.append(state.no_dial_before)
    return min((when for when in due if when is not None), default=None)


def expire(state: PoolState, now: float) -> None:
    """End everything that is due, and begin what is."""
    if now >= state.no_dial_before:
        state.no_dial_before = 0.0
    for socket in list(state.sockets.values()):
        if socket.id in state.sockets:
            _expire_socket(state, socket, now)
    for number, exchange in list(state.exchanges.items()):
        _expire_exchange(state, number, exchange, now)
    for turn in list(state.turns.values()):
        for when, kind in _due(state, turn):
            if now >= when and turn.id in state.turns:
                _too_late(state, turn, kind, now)
                break
    for number, until in list(state.resting.items()):
        if now >= until:
            state.wait_again(state.turns[number], now)
    state.due = _next_deadline(state)
    state.changed = True


def _too_late(state: PoolState, turn: PoolTurn, kind: FailureKind, now: float) -> None:
    if turn.verdict is not None and kind is FailureKind.FIRST_EVENT_TIMEOUT:
        steering.gave_up(state, turn, now)
        return
    message = _TOO_LATE[kind].format(turn.request.deadlines)
    if kind is FailureKind.FIRST_EVENT_TIMEOUT and liveness.is_mute(state, turn.connection, now):
        kind, message = FailureKind.LOST, f"{message}, nor a pong"
    if kind is not FailureKind.LOST:
        endings.fail(state, turn, Failure(kind, message), now)
    elif turn.connection is None:
        endings.cut_off(state, turn, Failure(kind, message), now)
    else:  # what does not take a message is of no use to the others either
        state.actions.append(Close(turn.connection.id, 1001))
        endings.drop(state, turn.connection, Failure(kind, message, close_code=1006), now)


def _expire_socket(state: PoolState, socket: PoolConnection, now: float) -> None:
    if socket.dial_until is not None and now >= socket.dial_until:
        message = (
            f"the server did not answer the dial within {state.settings.dial:g} s (`dial_timeout`)"
        )
        state.hang_up(socket, ConnectionSignal.CLOSE)
        dial_failed(state, socket, Failure(FailureKind.DIAL_TIMEOUT, message), now)
        return
    rotation.expire(state, socket, now)
    if socket.id in state.sockets:
        liveness.expire(state, socket, now)
    for lane in list(socket.lanes):
        if lane.drain_until is not None and now >= lane.drain_until:
            lane.drain_until = None
            state.retire(socket)


def _expire_exchange(state: PoolState, number: int, exchange: Exchange, now: float) -> None:
    turn = exchange.turn
    if exchange.begins_at is not None and now >= exchange.begins_at:
        del state.exchanges[number]
        begin_exchange(state, turn, exchange.purpose, now, looks=exchange.looks)
    elif exchange.sign_in_until is not None and now >= exchange.sign_in_until:
        message = f"the api_key function did not return within {state.settings.dial:g} s"
        failure = Failure(FailureKind.DIAL_TIMEOUT, message)
        endings.fail(state, turn, failure, now)


def _due(state: PoolState, turn: PoolTurn) -> Iterator[tuple[float, FailureKind]]:
    limits = turn.request.deadlines
    waits = turn.id in state.waiting
    if limits.turn is not None:  # first: what it ends needs no recovery
        yield turn.submitted_at + limits.turn, FailureKind.TURN_TIMEOUT
    if waits and limits.queue is not None and turn.is_next:
        yield turn.queued_at + limits.queue, FailureKind.QUEUE_TIMEOUT
    if turn.state is TurnState.WRITING:
        assert turn.write_began_at is not None  # set with the state
        if turn.written_at is not None and limits.first_event is not None:
            yield turn.written_at + limits.first_event, FailureKind.FIRST_EVENT_TIMEOUT
        elif turn.written_at is None and limits.write is not None:
            yield turn.write_began_at + limits.write, FailureKind.LOST
    if turn.verdict is not None and limits.first_event is not None:
        yield turn.verdict.since + limits.first_event, FailureKind.FIRST_EVENT_TIMEOUT
    if turn.state in (TurnState.ACCEPTED, TurnState.OUTPUT) and limits.progress is not None:
        yield _heard_at(state, turn) + limits.progress, FailureKind.PROGRESS_TIMEOUT


def _heard_at(state: PoolState, turn: PoolTurn) -> float:
    exchange = state.exchanges.get(turn.exchange) if turn.exchange is not None else None
    if exchange is not None:
        return exchange.heard_at
    return turn.connection.heard_at if turn.connection is not None else turn.queued_at
