"""Sockets that are gone: what was under way there, whether another one is dialled, the end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from turnwire.core.failure import Failure, FailureKind, is_retryable
from turnwire.core.realtime.actions import Close, End
from turnwire.core.realtime.connection import GOODBYE, Phase, Step
from turnwire.core.realtime.state import About, Status

if TYPE_CHECKING:
    from turnwire.core.realtime.actions import Ticket
    from turnwire.core.realtime.connection import Connection
    from turnwire.core.realtime.state import RealtimeState

# What the next session is told anyway, or not told.
SAID_AGAIN: Final = (About.UPDATE, About.ITEM, About.DELETE)
_QUICK_DEATHS: Final = 3
_FOR_GOOD: Final = frozenset({GOODBYE, 1008})  # and all that applications define, from 4000 on
_APPLICATION_CODES: Final = 4000
_RENEW_AGAIN: Final = 30.0  # seconds after an attempt that failed


def ended(
    state: RealtimeState, socket: Connection, failure: Failure, now: float, *, again: bool = True
) -> None:
    """A socket is gone, or was never there.

    Args:
        state: The state.
        socket: Which.
        failure: Why.
        now: The time.
        again: Whether another one may do better.
    """
    was_live, lived = socket.phase is Phase.LIVE, now - socket.opened_at
    if socket.phase is not Phase.CLOSED:
        socket.step(Step.ENDED)
    if not was_live:
        failure = _explained(socket, failure)
        _forget(state, socket)
    if socket is state.successor:
        state.successor = None
        state.renew_not_before = now + _RENEW_AGAIN
        state.log(f"the session could not be renewed: {failure.brief}")
        return
    if was_live:
        state.loss, state.lost, state.failures = failure.brief, [], 0 if socket.spoke else 1
        state.quick_deaths = state.quick_deaths + 1 if lived < state.settings.quick_death else 0
        let_go(state, socket, now)
        state.uplink.lost(now)
    else:
        state.counts.failed_dials += 1
        state.failures += 1
    hopeless = not again or not state.was_live or not state.settings.reconnect
    if hopeless or state.quick_deaths >= _QUICK_DEATHS:
        give_up(state, failure)
        return
    if state.successor is not None:  # it was on its way anyway
        state.connection, state.successor = state.successor, None
        state.become(Status.RECONNECTING)
        return
    pause = state.settings.backoff.pause(state.failures + 1, state.chance())
    if pause is None:
        give_up(state, failure)
        return
    state.become(Status.RECONNECTING)
    state.redial_at = now + pause


def _explained(socket: Connection, failure: Failure) -> Failure:
    """Say with the server's own words why a socket was not to be, if there are any."""
    if socket.complaint is None:
        return failure
    code, reason = failure.close_code, failure.close_reason
    return replace(socket.complaint, close_code=code, close_reason=reason)


def leave(state: RealtimeState, socket: Connection, failure: Failure, now: float) -> None:
    """Close a socket before the server does, and go on as after its end."""
    state.actions.append(Close(socket.generation, GOODBYE))
    ended(state, socket, failure, now)


def is_hopeless(failure: Failure) -> bool:
    """Say whether another socket would end the same way."""
    if failure.kind is FailureKind.REFUSED:
        return not is_retryable(failure)
    code = failure.close_code
    return code is not None and (code in _FOR_GOOD or code >= _APPLICATION_CODES)


def let_go(state: RealtimeState, socket: Connection, now: float) -> None:
    """Take leave of a live socket: what was under way there is lost, or said again."""
    state.lost_at = now
    active = state.sequencer.active
    asked = state.sequencer.lost(now)
    failure = Failure(
        FailureKind.LOST, f"the session's socket {socket.generation} is gone: {state.loss}"
    )
    if asked is not None and asked.response_id is None and not asked.unwanted:
        state.sequencer.again(asked)
    elif asked is not None and asked.response_id is None:
        for ticket in asked.tickets:
            state.settle(ticket, failure)
    for response_id in state.running:
        state.ledger.finished_response(response_id)
    state.lost.extend(state.running)
    if active is not None:
        state.owed = False
    for ticket in _awaited(state):
        state.settle(ticket, failure)
    state.outside.clear()
    state.running.clear()
    state.announced.clear()
    state.speaking = state.turn_ended = False
    for event_id in state.forget_unwritten(socket):
        question = state.questions.get(event_id)
        if question is not None and question.about is About.RAW:
            state.lost.append(event_id)
    _lose_questions(state, socket, failure)


def _awaited(state: RealtimeState) -> list[Ticket]:
    """Return who waits for a response that runs, or for one outside of the talk."""
    running = [ticket for one in state.running.values() for ticket in one.tickets]
    return [*running, *state.outside.values()]


def _lose_questions(state: RealtimeState, socket: Connection, failure: Failure) -> None:
    for event_id, question in list(state.questions.items()):
        if question.generation != socket.generation:
            continue
        if question.about in SAID_AGAIN and question.ticket is not None:
            state.questions[event_id] = replace(question, generation=0, until=None)
        else:
            del state.questions[event_id]
            if question.about is not About.RESPONSE:  # those outside are settled above
                state.settle(question.ticket, failure)


def _forget(state: RealtimeState, socket: Connection) -> None:
    """Forget what was said to a socket that never was live, and what it said."""
    state.held.clear()
    state.forget_unwritten(socket)
    for event_id, question in list(state.questions.items()):
        if question.generation == socket.generation:
            del state.questions[event_id]


def give_up(state: RealtimeState, failure: Failure | None) -> None:
    """End everything; whoever waits is told."""
    if state.ended:
        return
    state.ended = True
    for socket in (state.connection, state.successor):
        if socket is not None and socket.phase is not Phase.CLOSED:
            socket.step(Step.ENDED)
            state.actions.append(Close(socket.generation, GOODBYE))
    reason = failure or Failure(FailureKind.CLOSED, "the session was closed")
    tickets = [one.ticket for one in state.questions.values()]
    tickets += [ticket for asked in state.sequencer.clear() for ticket in asked.tickets]
    tickets += _awaited(state)
    tickets += [ticket for _, ticket in state.outside_later]
    for ticket in dict.fromkeys(tickets):
        state.settle(ticket, reason)
    state.questions.clear()
    state.unwritten.clear()
    state.outside.clear()
    state.outside_later.clear()
    state.uplink.live = False
    state.redial_at = None
    while state.held:
        state.deliver(state.held.popleft())
    state.become(Status.DISCONNECTED)
    state.actions.append(End(failure))
