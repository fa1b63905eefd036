"""Responses: asked for, created, cancelled, done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from turnwire.core.failure import Failure, FailureKind
from turnwire.core.realtime import saying
from turnwire.core.realtime.sequencer import Slot
from turnwire.core.realtime.state import About, Question, Running
from turnwire.events.realtime import client

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from turnwire.core.realtime.actions import Ticket
    from turnwire.core.realtime.sequencer import Asked
    from turnwire.core.realtime.state import RealtimeState
    from turnwire.events.realtime import RealtimeResponse, ResponseCreatedEvent, ResponseDoneEvent

# The key under which a create says its own name; servers echo metadata on the response.
NAME: Final = "turnwire_event_id"

_ENDLESS: Final = Failure(
    FailureKind.PROGRESS_TIMEOUT, "the server did not say that the response ended"
)


def ask(state: RealtimeState, body: Mapping[str, Any] | None, ticket: Ticket, now: float) -> None:
    """Wish for a response; it is asked for when none is active."""
    if body is not None and body.get("conversation") == "none":
        state.outside_later.append((body, ticket))
        begin(state, now)
        return
    sent = state.sequencer.sent
    if body is None and sent is not None and sent.body is None and _is_unwritten(state, sent):
        sent.tickets.append(ticket)  # nothing was said since
        return
    state.sequencer.ask(body, ticket)
    pump(state, now)


def _is_unwritten(state: RealtimeState, sent: Asked) -> bool:
    """Say whether a create is the last message that waits to be written."""
    live = state.live
    return live is not None and bool(live.control) and live.control[-1] is sent.message


def begin(state: RealtimeState, now: float) -> None:
    """Ask for all responses that may be asked for on this socket."""
    if state.live is None:
        return
    for body, ticket in state.outside_later:
        event_id = state.new_id("event")
        state.outside[event_id] = ticket
        _send(state, body, event_id, ticket)
    state.outside_later.clear()
    pump(state, now)


def pump(state: RealtimeState, now: float) -> None:
    """Ask for the next response, if one may be asked for."""
    if state.live is None:
        return
    asked = state.sequencer.next(now)
    if asked is not None:
        asked.event_id = state.new_id("event")
        waits = state.uplink.has_mark
        _send(state, asked.body, asked.event_id, None)
        asked.message = b"" if waits else state.live.control[-1]


def _send(
    state: RealtimeState, body: Mapping[str, Any] | None, event_id: str, ticket: Ticket | None
) -> None:
    given = dict(body or {})
    metadata: dict[str, Any] = {**(given.get("metadata") or {}), NAME: event_id}
    event = client.response_create({**given, "metadata": metadata}, event_id=event_id)
    question = Question(About.RESPONSE, ticket, event_id)
    saying.say(state, event, question, behind_audio=True)


def created(state: RealtimeState, event: ResponseCreatedEvent, now: float) -> None:
    """A response began."""
    response = event.response
    name = _name(response)
    if response.id in state.running or response.id in state.over:
        return  # said twice
    state.counts.responses += 1
    if name is not None and name in state.outside:
        state.questions.pop(name, None)
        ticket = state.outside.pop(name)
        state.running[response.id] = Running(now, [ticket], out_of_band=True)
        state.settle(ticket, event)
        return
    sent = state.sequencer.sent
    granted = sent is not None and (name == sent.event_id or (name is None and not state.owed))
    asked = state.sequencer.created(response.id, granted=granted, now=now)
    state.running[response.id] = Running(now, asked.tickets if asked is not None else ())
    if name is not None and name in state.given_up:
        stop(state, response.id, now)
    if asked is None:
        state.owed = False
        return
    state.questions.pop(asked.event_id, None)
    for each in asked.tickets:
        state.settle(each, event)
    if asked.unwanted:
        stop(state, response.id, now)


def _name(response: RealtimeResponse) -> str | None:
    name = (response.metadata or {}).get(NAME)
    return name if isinstance(name, str) else None


def stop(state: RealtimeState, response_id: str, now: float, ticket: Ticket | None = None) -> None:
    """Cancel a response of which nothing is to be heard any more."""
    running = state.running.get(response_id)
    if running is None or running.cancelled:
        return
    running.cancelled = True
    state.tombstones.add(response_id)
    if state.sequencer.active == response_id:
        state.sequencer.cancelled(now)
    saying.cancel(state, response_id, ticket)


def done(state: RealtimeState, event: ResponseDoneEvent, now: float) -> None:
    """A response ended."""
    response = event.response
    if response.id in state.over:
        return  # said twice
    usage = response.usage
    if usage is not None:
        state.counts.input_tokens += usage.input_tokens
        state.counts.output_tokens += usage.output_tokens
    for event_id in state.questions_about(About.CANCEL, response.id):
        del state.questions[event_id]
    for item_id, announced in list(state.announced.items()):
        if announced.response_id == response.id:
            del state.announced[item_id]
    _end(state, response.id, event, now)


def _end(
    state: RealtimeState, response_id: str, answer: ResponseDoneEvent | Failure, now: float
) -> None:
    """Answer those who wait for a response, and ask for the next one."""
    state.over.add(response_id)
    state.ledger.finished_response(response_id)
    running = state.running.pop(response_id, None)
    tickets: Sequence[Ticket] = () if running is None else running.tickets
    if running is None or not running.out_of_band:
        asked = state.sequencer.done(response_id, now)
        if asked is not None and running is None:  # the server did not say that it was created
            state.questions.pop(asked.event_id, None)
            tickets = asked.tickets
    for each in tickets:
        state.settle(each, answer)
    pump(state, now)


def refused(
    state: RealtimeState, event_id: str, failure: Failure, now: float, *, busy: bool
) -> bool:
    """Note that a create was refused; return whether it will be asked again.

    Args:
        state: The state.
        event_id: Of the create.
        failure: Why.
        now: The time.
        busy: Whether that was because a response is active.
    """
    ticket = state.outside.pop(event_id, None)
    if ticket is not None:
        state.settle(ticket, failure)
        return False
    sent = state.sequencer.sent
    if sent is None or sent.event_id != event_id:
        return False
    asked = state.sequencer.refused(now)
    assert asked is not None  # seen above
    if busy:
        _note_active(state, now)
    if busy and not asked.unwanted:
        state.sequencer.again(asked)
    elif asked.unwanted:
        message = "it was interrupted before the server began it"
        _fail(state, asked, Failure(FailureKind.SERVER, message, code="interrupted"))
    else:
        _fail(state, asked, failure)
    pump(state, now)
    return busy


def _note_active(state: RealtimeState, now: float) -> None:
    """A response runs that this side was not told of: its end will be told."""
    if state.sequencer.slot is Slot.FREE:
        known = next((one for one, each in state.running.items() if not each.out_of_band), "")
        state.sequencer.created(known, granted=False, now=now)


def _fail(state: RealtimeState, asked: Asked, failure: Failure) -> None:
    for ticket in asked.tickets:
        state.settle(ticket, failure)


def expire(state: RealtimeState, now: float) -> None:
    """Give up what should have happened long ago, so that nobody waits behind it."""
    sequencer, settings = state.sequencer, state.settings
    due = _slot_due(state)
    if due is not None and now >= due:
        if sequencer.slot is Slot.ASKED:
            _give_up_create(state, now)
        else:
            state.log("a response did not end; the next one is asked for")
            _end(state, sequencer.active or "", _ENDLESS, now)
    if state.owed and now >= state.owed_since + settings.create_timeout:
        state.owed = False  # the server does not answer by itself, whatever it says
    for response_id, running in list(state.running.items()):
        if now >= running.heard_at + settings.response_timeout:
            state.log("nothing more is said of a response; it counts as ended")
            _end(state, response_id, _ENDLESS, now)


def _give_up_create(state: RealtimeState, now: float) -> None:
    asked = state.sequencer.refused(now)
    if asked is not None:
        state.questions.pop(asked.event_id, None)
        state.given_up.add(asked.event_id)
        seconds = f"{state.settings.create_timeout:g} s (`create_timeout`)"
        message = f"the server began no response within {seconds}"
        _fail(state, asked, Failure(FailureKind.FIRST_EVENT_TIMEOUT, message))
    pump(state, now)


def _slot_due(state: RealtimeState) -> float | None:
    """Return when the slot is freed, whatever the server says; None if a response may go on."""
    since, settings = state.sequencer.since, state.settings
    match state.sequencer.slot:
        case Slot.ASKED:
            return since + settings.create_timeout
        case Slot.CANCELLING:
            return since + settings.cancel_timeout
        case Slot.ACTIVE | Slot.CONTESTED if state.sequencer.active not in state.running:
            return since + settings.response_timeout
        case _:
            return None


def deadline(state: RealtimeState) -> float | None:
    """Return when ``expire`` may have something to do."""
    due = [one.heard_at + state.settings.response_timeout for one in state.running.values()]
    if (slot_due := _slot_due(state)) is not None:
        due.append(slot_due)
    if state.owed:
        due.append(state.owed_since + state.settings.create_timeout)
    return min(due, default=None)
