"""What is due when: deadlines of turns, dials and drains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from turnwire.core import endings
from turnwire.core.connection import ConnectionSignal, ConnectionState
from turnwire.core.failure import Failure, FailureKind
from turnwire.core.turn import TurnState

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    FailureKind.TURN_TIMEOUT: "the turn did not end within {0.turn:g} s (`timeout`)",
}


def _next_deadline(state: PoolState) -> float | None:
    due: list[float] = []
    for socket in state.sockets.values():
        if socket.dial_until is not None:
            due.append(socket.dial_until)
        due += [lane.drain_until for lane in socket.lanes if lane.drain_until is not None]
    for turn in state.turns.values():
        due += [when for when, _ in _due(turn)]
    if state.no_dial_before > 0:  # also with nobody waiting yet
        due.append(state.no_dial_before)
    return min(due, default=None)


def expire(state: PoolState, now: float) -> None:
    """End everything that is due."""
    if now >= state.no_dial_before:
        state.no_dial_before = 0.0
    for socket in list(state.sockets.values()):
        _expire_socket(state, socket, now)
    for turn in list(state.turns.values()):
        for when, kind in _due(turn):
            if now >= when:
                endings.fail(
                    state, turn, Failure(kind, _TOO_LATE[kind].format(turn.request.deadlines)), now
                )
                break
    state.due = _next_deadline(state)
    state.changed = True


def _expire_socket(state: PoolState, socket: PoolConnection, now: float) -> None:
    if socket.dial_until is not None and now >= socket.dial_until:
        message = (
            f"the server did not answer the dial within {state.settings.dial:g} s (`dial_timeout`)"
        )
        state.hang_up(socket, ConnectionSignal.CLOSE)
        dial_failed(state, Failure(FailureKind.DIAL_TIMEOUT, message), now)
        return
    for lane in socket.lanes:
        if lane.drain_until is not None and now >= lane.drain_until:
            lane.drain_until = None
            state.retire(socket)


def dial_failed(state: PoolState, failure: Failure, now: float) -> None:
    """A dial failed: those who have no other socket to wait for fail with it."""
    state.counts.failed_dials += 1
    hopes = (ConnectionState.OPEN, ConnectionState.CONNECTING)
    if any(socket.state in hopes for socket in state.sockets.values()):
        state.no_dial_before = now + state.settings.redial
        state.note_deadline(state.no_dial_before)
        return
    for turn in list(state.waiting.values()):
        if turn.request.transport == "websocket":
            endings.fail(state, turn, failure, now)


def _due(turn: PoolTurn) -> Iterator[tuple[float, FailureKind]]:
    limits = turn.request.deadlines
    if turn.state is TurnState.QUEUED and limits.queue is not None and turn.is_next:
        yield turn.queued_at + limits.queue, FailureKind.QUEUE_TIMEOUT
    if turn.state is TurnState.WRITING and limits.first_event is not None:
        assert turn.written_at is not None  # set with the state
        yield turn.written_at + limits.first_event, FailureKind.FIRST_EVENT_TIMEOUT
    if limits.turn is not None:
        yield turn.submitted_at + limits.turn, FailureKind.TURN_TIMEOUT
