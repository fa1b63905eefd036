"""Steers on their way: sent to the response that runs, answered, and heard by its successor.

A turn whose response has ended does not end while a steer of it is undecided: a successor may
follow on its lane.  No steer is ever sent twice.  Sources: docs/protocol/steering.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from turnwire.core import endings
from turnwire.core.actions import Deliver, Send
from turnwire.core.chain import Composed, without
from turnwire.core.counting import count_steer
from turnwire.core.failure import Failure, FailureKind
from turnwire.core.request import steer_message
from turnwire.core.snapshot import Snapshot
from turnwire.core.steer import OWNED, UNDECIDED, Steer, SteerSignal, SteerState
from turnwire.core.turn import TurnSignal, TurnState
from turnwire.events import (
    ResponseSteerAcceptedEvent,
    ResponseSteerFailedEvent,
    ResponseSteerPendingEvent,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from turnwire.core.history import HistoryItem
    from turnwire.core.pool_turn import PoolConnection, PoolTurn, Verdict
    from turnwire.core.state import PoolState
    from turnwire.events import SteerEvent

_S, _E = SteerState, SteerSignal
_RUNS: Final = (TurnState.ACCEPTED, TurnState.OUTPUT)

_OVER_HTTP: Final = (
    "steering_not_supported",
    "the turn goes over HTTP, where nothing can be said to it: say it in the next turn",
)
_TOO_LATE: Final = ("response_not_active", "the turn has ended: say it in the next one")
_NOT_CONTINUED: Final = (
    "response_not_continued",
    "the next turn did not continue the response that was steered, so it did not take this along",
)


def steer(state: PoolState, turn: PoolTurn, items: Sequence[HistoryItem]) -> Steer | None:
    """Say something to a turn; None if the queue is full and nothing was taken.

    Args:
        state: The pool.
        turn: Whom; where its response has no id yet, it is said as soon as that is known.
        items: Messages of the user's.
    """
    size_bytes = sum(len(item.encoded) for item in items)
    if state.queued_bytes and state.queued_bytes + size_bytes > state.settings.queue_bytes:
        return None
    said = Steer(state.next_number(), turn, items, size_bytes)
    state.steers[said.id] = said
    state.queued_bytes += size_bytes
    turn.steers.append(said)
    if turn.id not in state.turns:
        _give_back(state, said, *_TOO_LATE)
    elif turn.state in _RUNS:
        _send_waiting(state, turn)
    return said


def began(state: PoolState, turn: PoolTurn, *, runs: bool) -> None:
    """The server has taken a turn; if that was not its terminal event, it can be steered."""
    hears(state, turn, runs=runs)
    if runs:
        _send_waiting(state, turn)


def hears(state: PoolState, turn: PoolTurn, *, runs: bool) -> None:
    """The server has taken a turn, abandoned or not: it has heard what waited for it."""
    if turn.response_id is not None or not runs:
        _commit(state, turn, [each for each in state.steers.values() if _rides(each, turn)])


def _send_waiting(state: PoolState, turn: PoolTurn) -> None:
    for each in turn.steers:
        if each.state is not _S.WAITING:
            continue
        if turn.connection is None or turn.lane is None:
            _give_back(state, each, *_OVER_HTTP)
        elif turn.response_id is not None:
            _send(state, turn, turn.connection, each)


def _send(state: PoolState, turn: PoolTurn, socket: PoolConnection, said: Steer) -> None:
    assert turn.response_id is not None  # the caller has looked
    assert turn.lane is not None  # the same
    data = steer_message(turn.response_id, said.items)
    if len(data) > state.message_bytes:
        why = f"it has {len(data)} bytes and a socket takes {state.message_bytes}"
        _give_back(state, said, "invalid_input", why)
        return
    said.response_id, said.connection, said.lane = turn.response_id, socket.id, turn.lane.name
    state.move_steer(said, _E.SUBMIT)
    count_steer(state, turn, len(data))
    socket.writing += 1
    state.actions.append(Send(socket.id, said.id, data))


def answered(state: PoolState, socket: PoolConnection, event: SteerEvent, now: float) -> None:
    """The server says what it makes of a steer."""
    said = _said(state, socket, event)
    if said is None:
        state.counts.unrouted_events += 1
        return
    said.steer_id = said.steer_id or event.steer.id
    turn = said.turn
    match event:
        case ResponseSteerAcceptedEvent() if said.state is _S.SUBMITTED:
            state.move_steer(said, _E.ACCEPT)
        case ResponseSteerPendingEvent() if said.state in UNDECIDED:
            said.required_input = event.required_input
            state.move_steer(said, _E.PEND)
        case ResponseSteerFailedEvent():
            message = event.error.message or "the server gave no reason"
            code = None if event.error.code is None else str(event.error.code)
            _give_back(state, said, code, message)
        case _:
            pass  # said once more
    if turn.id in state.turns:
        if event.sequence_number is not None and said.response_id == turn.response_id:
            turn.last_sequence_number = event.sequence_number  # numbered with its response
        state.actions.append(Deliver(turn.id, event))
    _look_again(state, turn, now)


def _said(state: PoolState, socket: PoolConnection, event: SteerEvent) -> Steer | None:
    """Find the steer that an event is about: by its id, else the oldest without an answer."""
    here = [each for each in state.steers.values() if each.connection == socket.id]
    for each in here:
        if event.steer.id is not None and each.steer_id == event.steer.id:
            return each
    for each in here:
        if each.state is _S.SUBMITTED and each.response_id == event.steer.previous_response_id:
            known = event.steer.id and any(
                other.steer_id == event.steer.id for other in each.turn.steers
            )
            return None if known else each  # or it is said once more, of one that has ended
    return None


def refused(state: PoolState, socket: PoolConnection, failure: Failure, now: float) -> bool:
    """Recognise the error of a server that does not know steers; it is about nothing else."""
    if "response.steer" not in failure.message:
        return False
    for each in state.steers.values():
        if each.connection == socket.id and each.state is _S.SUBMITTED:
            _give_back(state, each, "steering_not_supported", failure.message)
            _look_again(state, each.turn, now)
            return True
    return False


def _look_again(state: PoolState, turn: PoolTurn, now: float) -> None:
    """End a turn, or free its lane, if that was only held up by steers without an answer."""
    if not turn.is_decided:
        return
    if turn.id in state.turns:
        endings.conclude(state, turn, now)
    elif turn.connection is not None and turn.connection.id in state.sockets and turn.lane:
        turn.verdict = None
        state.end_lane(turn.connection, turn.lane)


def has_successor(turn: PoolTurn) -> bool:
    """Say whether another response has begun since the turn's response ended."""
    return turn.verdict is not None and turn.response_id != turn.verdict.response_id


def go_on(state: PoolState, turn: PoolTurn) -> None:
    """The successor has begun: it continues what ended, and has heard what was said."""
    verdict = turn.verdict
    assert verdict is not None  # or there would be no successor
    turn.verdict = None
    turn.model_runs += 1
    heard = _accepted(turn, verdict.response_id)
    if turn.id in state.turns:
        assert turn.lane is not None  # only sockets are steered
        endings.advance_chain(turn, verdict)
        endings.remember(turn, turn.lane, verdict.response_id, failed=False)
        _continue(turn, verdict)
        turn.responses.append(verdict.response)
        turn.snapshot, turn.last_sequence_number = Snapshot(), None
        turn.signal(TurnSignal.ACCEPT)
    _commit(state, turn, heard)


def _accepted(turn: PoolTurn, response_id: str) -> list[Steer]:
    """Return the steers that a successor must have heard; without any, those without an answer."""
    mine = [each for each in turn.steers if each.response_id == response_id]
    return [each for each in mine if each.state is _S.ACCEPTED] or [
        each for each in mine if each.state is _S.SUBMITTED
    ]


def _continue(turn: PoolTurn, verdict: Verdict) -> None:
    """Let what comes now stand behind the response that has ended."""
    chain = turn.request.chain
    if chain is None:
        turn.continued += endings.output_of(turn, verdict)
    else:  # which has taken the output
        turn.continued = []
        turn.composed = Composed(verdict.response_id, (), None, len(chain.items), ())


def _commit(state: PoolState, turn: PoolTurn, heard: Iterable[Steer]) -> None:
    """Note which response hears what was said; it stands before the turn's own input."""
    heard = list(heard)
    if not heard:
        return
    for each in heard:
        each.successor_id = turn.response_id
        state.move_steer(each, _E.COMMIT)
    said = [item for each in heard for item in each.items]
    given = turn.request.items if turn.request.whole and not turn.responses else None
    turn.continued += said if given is None else without(said, given)  # who gave all may have it
    if turn.composed is not None:
        turn.composed = replace(turn.composed, added=[*said, *turn.composed.added])


def _rides(said: Steer, turn: PoolTurn) -> bool:
    """Say whether a turn takes along what waits for whatever continues a response."""
    return (
        said.state in OWNED
        and said.turn is not turn
        and turn.connection is not None
        and turn.lane is not None
        and said.connection == turn.connection.id
        and said.lane == turn.lane.name
        and said.response_id == turn.sent_parent
    )


def waiting_for(state: PoolState, turn: PoolTurn) -> list[HistoryItem]:
    """Return what the server puts before a turn's input if it continues its parent there."""
    if turn.connection is None or turn.lane is None:
        return []
    return [
        item
        for each in state.steers.values()
        if each.state in OWNED
        and (each.connection, each.lane) == (turn.connection.id, turn.lane.name)
        and each.response_id == turn.parent
        for item in each.items
    ]


def leave_behind(state: PoolState, turn: PoolTurn) -> None:
    """A turn is about to be written: give back what it should have taken along, and does not."""
    for each in list(state.steers.values()):
        if each.state not in OWNED or _is_on_its_way(each.turn) or _rides(each, turn):
            continue
        chain, lane = turn.request.chain, turn.lane
        same_chain = chain is not None and each.turn.request.chain is chain
        same_lane = (
            turn.connection is not None
            and lane is not None
            and (each.connection, each.lane) == (turn.connection.id, lane.name)
        )
        if same_chain or same_lane:
            _give_back(state, each, *_NOT_CONTINUED)
        if same_chain and not same_lane and each.turn.lane is not None:
            each.turn.lane.remember(None)
            each.turn.lane.spoilt = each.response_id


def _is_on_its_way(turn: PoolTurn) -> bool:
    """Say whether a turn still has its lane, perhaps abandoned: a successor may follow there."""
    return turn.lane is not None and turn.lane.turn is turn


def gave_up(state: PoolState, turn: PoolTurn, now: float) -> None:
    """The server has said nothing of a steer for too long; its lane cannot be trusted any more."""
    limit = turn.request.deadlines.first_event
    within = f"within {limit:g} s (`first_event_timeout`)"
    undecided = [each for each in turn.steers if each.state in UNDECIDED]
    accepted = any(each.state is _S.ACCEPTED for each in undecided)
    if turn.connection is not None:
        state.retire(turn.connection)
    kind = FailureKind.FIRST_EVENT_TIMEOUT
    for each in undecided:
        what = f"the server did not say {within} what became of it"
        state.move_steer(each, _E.LOSE, Failure(kind, what))
    if accepted:
        what = f"the server accepted a steer, and began no response with it {within}"
        endings.fail(state, turn, Failure(kind, what), now)
    else:
        endings.conclude(state, turn, now)


def _give_back(state: PoolState, said: Steer, code: str | None, message: str) -> None:
    state.move_steer(said, _E.FAIL, Failure(FailureKind.STEER, message, code=code))
