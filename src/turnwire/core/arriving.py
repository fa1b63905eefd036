"""Events as they arrive: what each does to its turn, or to its socket if it names none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from turnwire.core import endings, steering
from turnwire.core.actions import Close, Deliver
from turnwire.core.draining import drained
from turnwire.core.failure import LIMIT_REACHED, Failure, FailureKind, failure_of_event
from turnwire.core.signals import signal_of
from turnwire.core.turn import TERMINAL_SIGNALS, TurnSignal, TurnState
from turnwire.events import ResponseErrorEvent, ResponseInProgressEvent

if TYPE_CHECKING:
    from turnwire.core.lane import Lane
    from turnwire.core.pool_turn import PoolConnection, PoolTurn
    from turnwire.core.state import PoolState
    from turnwire.events import Event


def event_of_turn(state: PoolState, turn: PoolTurn, event: Event, now: float) -> None:
    """An event of a turn that somebody waits for."""
    if not endings.is_its_own(turn, event):
        message = "the server sent another response's event on this turn's lane"
        socket = turn.connection
        endings.fail(state, turn, Failure(FailureKind.PROTOCOL, message), now)
        if socket is not None:
            state.retire(socket)
        return
    if steering.has_successor(turn):
        steering.go_on(state, turn)
    signal = signal_of(event)
    _note_number(turn, event, its_own=signal is not None)
    if signal is None or (turn.verdict is not None and signal is not TurnSignal.FAIL):
        state.actions.append(Deliver(turn.id, event))
        return
    if signal is TurnSignal.FAIL:
        _failed(state, turn, event, now)
        return
    lane = turn.lane
    if state.lanes_work is None and lane is not None and lane.name is not None:
        state.know_lanes(work=True)  # the event was found by the name that it echoes
    if signal is not TurnSignal.PRODUCE or turn.state is TurnState.WRITING:
        steering.began(state, turn, runs=signal not in TERMINAL_SIGNALS)
    if signal in TERMINAL_SIGNALS:
        endings.completed(state, turn, signal, event, now)
        return
    if isinstance(event, ResponseInProgressEvent):
        turn.release_source()  # a fork has bound its parent: docs/protocol/continuation.md#fork
        state.changed = True
    turn.signal(signal)
    turn.snapshot.add(event)
    state.actions.append(Deliver(turn.id, event))
    progress = turn.request.deadlines.progress
    state.note_deadline(None if progress is None else now + progress)


def _failed(state: PoolState, turn: PoolTurn, event: Event, now: float) -> None:
    """The server says that the turn failed, or, on the default lane, that the socket ends."""
    failure, lane = failure_of_event(event), turn.lane
    if turn.connection is not None and steering.refused(state, turn.connection, failure, now):
        return
    aged = lane is not None and endings.is_about_the_socket(lane, failure)
    if aged and turn.connection is not None and turn.state is not TurnState.WRITING:
        # It names no lane and this turn runs: about the socket, and running turns may finish
        # (docs/protocol/lanes.md#errors-without-a-lane).
        state.retire(turn.connection)
        return
    endings.server_failed(state, turn, failure, event, now)


def event_of_nobody(state: PoolState, socket: PoolConnection, event: Event, now: float) -> None:
    """An event that names no lane with a turn on it: the socket's own, or nobody's."""
    failure = failure_of_event(event) if event.type == "error" else None
    if failure is not None and steering.refused(state, socket, failure, now):
        return
    # `keepalive` and the like are about no turn, so they say nothing about its lane.
    telling = failure is not None or event.type.startswith("response.")
    probe = _probe(socket) if event.stream_id is None and telling else None
    if probe is not None and probe.turn is not None:
        if failure is None:
            # The server ignored the name of the only turn here: it has no lanes.
            state.know_lanes(work=False)
            socket.lanes.adopt_as_default(probe)
        if probe.turn.id in state.turns:
            event_of_turn(state, probe.turn, event, now)
        else:
            drained(state, socket, probe, event, now)
        return
    state.counts.unrouted_events += 1
    if failure is not None and failure.code == LIMIT_REACHED:
        state.retire(socket)
    elif isinstance(event, ResponseErrorEvent) and failure is not None:
        # Nobody's error is everybody's: docs/protocol/lanes.md#errors-without-a-lane
        message = f"the socket carried an error that names no lane: {failure.message}"
        lost = replace(failure, kind=FailureKind.LOST, message=message)
        state.actions.append(Close(socket.id))
        endings.drop(state, socket, lost, now)


def _note_number(turn: PoolTurn, event: Event, *, its_own: bool) -> None:
    """Remember the last event, from which a stored response is fetched.

    Whether `keepalive` and the like are numbered together with the response is not documented: a
    number that skips some is not taken from them.
    """
    last, number = turn.last_sequence_number, event.sequence_number
    if number is not None and (its_own or number == (-1 if last is None else last) + 1):
        turn.last_sequence_number = number


def _probe(socket: PoolConnection) -> Lane[PoolTurn] | None:
    """Return the lane of the only turn on a socket whose server may not know lanes.

    Several sockets may probe at once, so it may still be there when another's answer is known.
    """
    if socket.lanes_work is True:
        return None
    return next((lane for lane in socket.lanes if lane.turn is not None), None)
