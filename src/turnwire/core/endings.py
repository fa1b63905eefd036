"""How a turn ends, well or badly, and what that does to its lane, its socket and its chain."""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from turnwire.core.actions import Close, Deliver, Finish
from turnwire.core.chain import Head
from turnwire.core.connection import ConnectionSignal
from turnwire.core.counting import count_steer, uncount_message
from turnwire.core.failure import LIMIT_REACHED, Failure, FailureKind
from turnwire.core.history import without_half_calls
from turnwire.core.lane import LaneSignal, anybody
from turnwire.core.pool_turn import Verdict
from turnwire.core.recovering import recover
from turnwire.core.request import steer_message
from turnwire.core.steer import UNDECIDED, SteerSignal, SteerState
from turnwire.core.turn import TurnSignal, TurnState

if TYPE_CHECKING:
    from collections.abc import Collection

    from turnwire.core.actions import TurnId
    from turnwire.core.history import HistoryItem
    from turnwire.core.lane import Lane
    from turnwire.core.pool_turn import PoolConnection, PoolTurn
    from turnwire.core.state import PoolState
    from turnwire.core.steer import Steer, SteerId
    from turnwire.events import Event

_MESSAGE_TOO_BIG: Final = 1009  # docs/protocol/limits.md#close-codes
_SMALLER: Final = ': send files by id, shorten the history, or use transport="auto" or "http"'


def completed(
    state: PoolState, turn: PoolTurn, signal: TurnSignal, event: Event, now: float
) -> None:
    """The server ended the turn with ``completed`` or ``incomplete``."""
    response = turn.snapshot.final(event)
    turn.response_id = turn.response_id or response.id or None
    verdict = Verdict(signal, response, turn.response_id or "", None, now)
    if turn.is_undecided:
        _hold(state, turn, verdict, event)
    else:
        _completed(state, turn, verdict, event, now)


def _completed(
    state: PoolState, turn: PoolTurn, verdict: Verdict, event: Event | None, now: float
) -> None:
    turn.signal(verdict.signal)
    turn.delivery = "terminal"
    advance_chain(turn, verdict)
    _went_well(state, turn)
    state.budget.succeeded()
    state.counts.completed += 1
    _finish(state, turn, event, Finish(turn.id, verdict.response, None), now)
    _clean(state, turn, now)


def server_failed(
    state: PoolState, turn: PoolTurn, failure: Failure, event: Event | None, now: float
) -> None:
    """The server ended the turn with an error; the lane is clean, the parent gone from it."""
    if recover(state, turn, failure, now):
        return
    if turn.is_undecided and turn.verdict is None and event is not None:
        partial, response_id = turn.snapshot.partial(), turn.response_id or ""
        _hold(state, turn, Verdict(TurnSignal.FAIL, partial, response_id, failure, now), event)
        return
    turn.verdict = None
    lose_undecided(state, turn)
    turn.signal(TurnSignal.FAIL)
    turn.delivery = "terminal"
    _clear_chain(turn)
    _went_well(state, turn)
    state.counts.failed += 1
    _finish(state, turn, event, Finish(turn.id, turn.snapshot.partial(), failure), now)
    _clean(state, turn, now)
    if failure.code == LIMIT_REACHED and turn.connection is not None:
        state.retire(turn.connection)


def _hold(state: PoolState, turn: PoolTurn, verdict: Verdict, event: Event) -> None:
    """The response has ended; while a steer of it is undecided a successor may follow."""
    turn.signal(TurnSignal.HOLD)
    turn.verdict = verdict
    state.actions.append(Deliver(turn.id, event))
    limit = turn.request.deadlines.first_event
    state.note_deadline(None if limit is None else verdict.since + limit)


def lose_undecided(state: PoolState, turn: PoolTurn) -> None:
    """An error came where a successor was due: it ends the turn, and says nothing of its steers."""
    undecided = [steer for steer in turn.steers if steer.state in UNDECIDED]
    for steer in undecided:
        what = "the turn ended with an error before the server said what became of this"
        state.move_steer(steer, SteerSignal.LOSE, Failure(FailureKind.STEER, what))
    if undecided and turn.connection is not None:
        state.retire(turn.connection)  # a successor might still come


def conclude(state: PoolState, turn: PoolTurn, now: float) -> None:
    """No successor follows: the turn ends as its response did."""
    verdict = turn.verdict
    assert verdict is not None  # it was held
    turn.verdict = None
    if verdict.failure is None:
        _completed(state, turn, verdict, None, now)
    else:
        server_failed(state, turn, verdict.failure, None, now)


def cut_off(
    state: PoolState, turn: PoolTurn, failure: Failure, now: float, *, unwritten: bool = False
) -> None:
    """The way to the server broke under a turn: recover it, or end it."""
    unwritten = unwritten and turn.state is TurnState.WRITING
    if unwritten:
        uncount_message(state, turn)
    if recover(state, turn, failure, now, unwritten=unwritten):
        return
    fail(state, turn, failure, now)
    if unwritten:
        turn.delivery = TurnState.QUEUED.value  # nothing of it was sent


def fail(state: PoolState, turn: PoolTurn, failure: Failure, now: float) -> None:
    """The turn ends on our side; what the server does with it is unknown."""
    turn.signal(TurnSignal.FAIL)
    _clear_chain(turn)
    _gave_up_probe(state, turn)
    state.counts.failed += 1
    _finish(state, turn, None, Finish(turn.id, turn.snapshot.partial(), failure), now)
    _release(state, turn, now)


def cancel(state: PoolState, turn: PoolTurn, now: float) -> None:
    """The caller no longer wants the turn."""
    turn.signal(TurnSignal.CANCEL)
    _gave_up_probe(state, turn)
    state.counts.cancelled += 1
    _finish(state, turn, None, Finish(turn.id, turn.snapshot.partial(), None), now)
    _release(state, turn, now)


def too_large(state: PoolState, turn: PoolTurn, size_bytes: int, now: float) -> None:
    """The message does not fit through a socket; it was not written."""
    limit = state.message_bytes
    message = f"the turn's message has {size_bytes} bytes and a socket takes {limit}{_SMALLER}"
    failure = Failure(FailureKind.TOO_LARGE, message, limit_bytes=limit)
    if not recover(state, turn, failure, now):
        refuse(state, turn, failure, now)


def refuse(state: PoolState, turn: PoolTurn, failure: Failure, now: float) -> None:
    """The turn cannot be sent as it is; nothing of it was, so its lane is clean."""
    turn.signal(TurnSignal.FAIL)
    _gave_up_probe(state, turn)
    state.counts.failed += 1
    _finish(state, turn, None, Finish(turn.id, None, failure), now)
    if turn.exchange is not None and state.exchanges.pop(turn.exchange, None) is not None:
        state.actions.append(Close(turn.exchange))
    if turn.connection is not None and turn.lane is not None:
        state.end_lane(turn.connection, turn.lane)


def drop(
    state: PoolState,
    socket: PoolConnection,
    failure: Failure,
    now: float,
    unwritten: Collection[TurnId] = (),
) -> None:
    """A socket is gone: each turn on it is recovered or ends with an error, at once."""
    for number in unwritten:
        _give_back_unsent(state, number)
    ended = [lane.turn for lane in socket.lanes if lane.turn is not None and lane.turn.is_decided]
    state.forget(socket, ConnectionSignal.LOST)
    for turn in ended:
        if turn.id in state.turns:
            conclude(state, turn, now)
    turns = [lane.turn for lane in socket.lanes if lane.turn is not None]
    turns = [turn for turn in turns if turn.id in state.turns]
    lost = [turn for turn in turns if turn.id not in unwritten]
    too_big = _too_big(lost) if failure.close_code == _MESSAGE_TOO_BIG else None
    if too_big is not None:
        state.message_bytes = min(state.message_bytes, too_big.message_bytes - 1)
    elif lost:
        state.counts.lost_sockets += 1
        state.log(state.breaker.lost(failure.brief, now))
        for turn in lost:
            turn.probes_breaker = False  # it has found out
    # Each goes in front of the queue: the one that came first goes last.
    for turn in sorted(turns, key=lambda turn: turn.id, reverse=True):
        why = _refused_size(turn, failure) if turn is too_big else failure
        cut_off(state, turn, why, now, unwritten=turn.id in unwritten)


def _give_back_unsent(state: PoolState, number: SteerId) -> None:
    steer = state.steers.get(number)
    if steer is not None and steer.response_id is not None:
        count_steer(state, steer.turn, -len(steer_message(steer.response_id, steer.items)))
        unsent = Failure(FailureKind.STEER, "the connection ended before it was sent")
        state.move_steer(steer, SteerSignal.FAIL, unsent)
        steer.response_id = None


def _too_big(turns: list[PoolTurn]) -> PoolTurn | None:
    """Find whose message the server did not take: the largest that it has not answered."""
    unanswered = [turn for turn in turns if turn.state is TurnState.WRITING]
    return max(unanswered, key=lambda turn: turn.message_bytes, default=None)


def _refused_size(turn: PoolTurn, failure: Failure) -> Failure:
    message = (
        f"the server closed the socket with 1009 (message too big) at {turn.message_bytes} bytes"
        + _SMALLER
    )
    return replace(failure, kind=FailureKind.TOO_LARGE, message=message)


def _went_well(state: PoolState, turn: PoolTurn) -> None:
    """The way to the server works, whatever the answer was."""
    if turn.connection is not None:
        turn.probes_breaker = False
        state.log(state.breaker.succeeded())
    else:
        state.breaker.reached()


def _gave_up_probe(state: PoolState, turn: PoolTurn) -> None:
    if turn.probes_breaker:
        turn.probes_breaker = False
        state.breaker.gave_up_probe()


def is_its_own(turn: PoolTurn, event: Event) -> bool:
    """Adopt the response's id; a second id on the lane would be another turn's answer.

    Unless the first response has ended and was steered: then it is its successor's.
    Over HTTP there is one response on the stream, whatever a gateway calls it in its last event.
    """
    response = getattr(event, "response", None)
    response_id: str | None = response.id if response is not None else None
    if response_id and (turn.response_id is None or turn.lane is None or turn.verdict is not None):
        turn.response_id = response_id
    return not response_id or response_id == turn.response_id


def is_about_the_socket(lane: Lane[PoolTurn], failure: Failure) -> bool:
    """Tell the end of a socket's life from the error of the turn on its default lane."""
    return failure.code == LIMIT_REACHED and lane.name is None


def advance_chain(turn: PoolTurn, verdict: Verdict) -> None:
    """Only ``response.completed`` brings a head; what was said stays in the history."""
    chain, composed, socket = turn.request.chain, turn.composed, turn.connection
    if chain is None or composed is None:
        return
    head = None
    if verdict.signal is TurnSignal.COMPLETE and verdict.response.id:
        head = Head(
            response_id=verdict.response.id,
            connection=socket.id if socket else None,
            lane=turn.lane.name if turn.lane else None,
            credential=socket.credential if socket else turn.credential,
            stored=turn.request.params.stored,
            params=turn.request.params,
            warm_up=turn.request.warm_up,
        )
    chain.completed(composed, output_of(turn, verdict), head)


def output_of(turn: PoolTurn, verdict: Verdict) -> list[HistoryItem]:
    """Return what a response leaves in the history."""
    output = turn.snapshot.history(verdict.response)
    return output if verdict.signal is TurnSignal.COMPLETE else without_half_calls(output)


def _clear_chain(turn: PoolTurn) -> None:
    # A turn that was never written cost the server nothing: the head still holds.
    if turn.request.chain is not None and turn.sent_bytes:
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
        remember(turn, turn.lane, turn.response_id, failed=failed)
        turn.lane.last_used = now
        state.end_lane(turn.connection, turn.lane)


def remember(
    turn: PoolTurn, lane: Lane[PoolTurn], response_id: str | None, *, failed: bool
) -> None:
    """Follow what the server keeps: docs/protocol/continuation.md#eviction."""
    if failed:
        if lane.latest is not None and lane.latest == turn.sent_parent:
            lane.remember(None)
        return
    chain, pending = turn.request.chain, any(map(_is_pending, turn.steers))
    if chain is None:
        # What only this lane has its caller may name in the next turn.
        lane.remember(response_id, anybody if pending or not turn.request.params.stored else None)
    elif chain.head is not None and chain.head.response_id == response_id:
        lane.remember(response_id, weakref.ref(chain.head))
    else:
        lane.remember(response_id)
    if pending:
        lane.owed_to = chain


def _is_pending(steer: Steer) -> bool:
    return steer.state is SteerState.PENDING


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
    if turn.verdict is not None:  # its response has ended; only its successor is to be drained
        failed = turn.verdict.signal is TurnSignal.FAIL
        remember(turn, lane, turn.verdict.response_id, failed=failed)
    lane.signal(LaneSignal.ABANDON)
    lane.drain_until = now + state.settings.drain
    state.note_deadline(lane.drain_until)
    state.close_if_drained(socket)
