"""Sockets of a session: dialled, configured, told of the talk so far, made live."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from turnwire.core.failure import Failure, FailureKind
from turnwire.core.realtime import failing, losing, pauses, saying, speaking
from turnwire.core.realtime.actions import Close, Dial, Settle, Wake
from turnwire.core.realtime.configuration import merged
from turnwire.core.realtime.connection import GOODBYE, Connection, Phase, Step
from turnwire.core.realtime.seeding import ROOT, plan
from turnwire.core.realtime.state import About, Question, Status
from turnwire.events import realtime as wire
from turnwire.events.realtime import ReconnectedEvent, client

if TYPE_CHECKING:
    from turnwire.core.realtime.state import RealtimeState
    from turnwire.events.realtime import RealtimeEvent

OPENING: Final = 0  # the ticket of who waits for the session to be ready
_HELD_EVENTS: Final = 256  # of a socket that is not live yet; a dozen are usual
_HELD_BYTES: Final = 4 * 2**20
_MILLISECONDS: Final = 1000.0
_UNCONFIGURED: Final = (Phase.GREETING, Phase.CONFIGURING)


def dial(state: RealtimeState, now: float) -> Connection:
    """Open one more socket."""
    state.generations += 1
    state.counts.sockets += 1
    socket = Connection(state.generations, until=now + state.settings.dial_timeout)
    state.actions.append(Dial(socket.generation))
    return socket


def opened(state: RealtimeState, socket: Connection, now: float) -> None:
    """The server took the socket: say what the session is to be, and do not wait for a greeting."""
    socket.step(Step.OPENED)
    socket.opened_at = now
    opening = state.configuration.opening()
    if opening is not None:
        saying.open_with(state, socket, opening, None)
    for ticket, session in state.configuration.pending():
        saying.open_with(state, socket, session, ticket)


def received(state: RealtimeState, socket: Connection, event: RealtimeEvent, now: float) -> None:
    """Take in what a socket says before it is live; what it says is handed on when it is."""
    match event:
        case wire.ConversationItemAdded(item=item) | wire.ConversationItemDone(item=item):
            socket.unconfirmed.discard(item.id or "")
            _confirm(state, socket, About.SEED, item.id or "")
        case wire.ConversationItemDeletedEvent(item_id=item_id):
            _confirm(state, socket, About.DELETE, item_id)
        case wire.RealtimeErrorEvent():
            _failed(state, socket, event, now)
        case _:
            _hold(state, socket, event)
    if isinstance(event, wire.SessionCreatedEvent) and socket.phase is Phase.GREETING:
        socket.step(Step.GREETED)
        _greeted(state, socket, event)
    elif isinstance(event, wire.SessionUpdatedEvent):
        for event_id in state.questions_about(About.OPENING, socket=socket)[:1]:
            del state.questions[event_id]
        socket.session = event.session
    advance(state, socket, now)


def _confirm(state: RealtimeState, socket: Connection, about: About, item_id: str) -> None:
    """Take note of what became of the items that were told; their owner knows them."""
    for event_id in state.questions_about(about, item_id, socket=socket):
        del state.questions[event_id]


def _hold(state: RealtimeState, socket: Connection, event: RealtimeEvent) -> None:
    size_bytes = sum(len(one.raw) for one in state.held) + len(event.raw)
    fits = len(state.held) < _HELD_EVENTS and size_bytes <= _HELD_BYTES
    if fits or isinstance(event, wire.SessionCreatedEvent):  # somebody waits for that one
        state.held.append(event)
    elif not socket.overran:
        socket.overran = True
        limit = f"{_HELD_EVENTS} events or {_HELD_BYTES} bytes"
        state.log(f"more than {limit} came before the session was ready: ignored")


def _greeted(state: RealtimeState, socket: Connection, event: wire.SessionCreatedEvent) -> None:
    socket.session = socket.session or event.session
    if event.session.expires_at is not None:
        socket.expires_at = event.session.expires_at - state.began
    if "tracing" in state.configuration.wanted:
        tracing = {
            "type": state.configuration.kind,
            "tracing": state.configuration.wanted["tracing"],
        }
        saying.open_with(state, socket, tracing, None)


def _failed(
    state: RealtimeState, socket: Connection, event: wire.RealtimeErrorEvent, now: float
) -> None:
    """An error came before the socket was live: an item that was not taken, or the opening."""
    failure = failing.failure_of(event.error)
    question = state.questions.get(event.error.event_id or "")
    is_opening = question is not None and (question.about, question.subject) == (About.OPENING, "")
    if event.error.event_id is None and socket.phase in _UNCONFIGURED:
        # Without a name it can only mean what the socket was opened with: nothing else was said.
        is_opening, socket.complaint = True, failure
    if failing.is_fatal(event.error) and socket is state.successor:  # the talk goes on without it
        losing.leave(state, socket, failure, now)
    elif failing.is_fatal(event.error) or (is_opening and not state.was_live):
        _hold(state, socket, event)
        losing.give_up(state, failure)
    elif failing.error(state, event, now):
        _hold(state, socket, event)


def advance(state: RealtimeState, socket: Connection, now: float) -> None:
    """Go as far as possible with a socket that is not live yet."""
    if socket.phase is Phase.CONFIGURING and _is_configured(state, socket):
        socket.step(Step.CONFIGURED)
        _seed(state, socket)
    if socket.phase is not Phase.SEEDING or socket.unconfirmed:
        return
    if socket is not state.successor or pauses.may_replace(state, now):
        _go_live(state, socket, now)


def _is_configured(state: RealtimeState, socket: Connection) -> bool:
    waits = state.settings.ready_on == "updated"
    return not waits or not state.questions_about(About.OPENING, socket=socket)


def _seed(state: RealtimeState, socket: Connection) -> None:
    """Tell a new session what it has not been told yet of the talk so far, or not so."""
    socket.told_changes = state.items.changes
    settings = state.settings
    seed = plan(list(state.items), limit_bytes=settings.seed_bytes, images=settings.seed_images)
    items = [item for item in seed.items if item["id"] not in socket.refused]
    wanted = {str(item["id"]): item for item in items}
    for item_id in [one for one in socket.told if wanted.get(one) != socket.told[one]]:
        event = client.item_delete(item_id)
        saying.say(state, event, Question(About.DELETE, subject=item_id), connection=socket)
        del socket.told[item_id]
    previous_id = ROOT
    for item_id, item in wanted.items():
        if item_id not in socket.told:
            event = client.item_create(item, previous_item_id=previous_id)
            saying.say(state, event, Question(About.SEED, subject=item_id), connection=socket)
            socket.unconfirmed.add(item_id)
        previous_id = item_id
    socket.told, socket.held = wanted, set(seed.held)
    state.left_out = seed.left_out


def _go_live(state: RealtimeState, socket: Connection, now: float) -> None:
    old = state.live
    if old is not None:
        losing.let_go(state, old, now)
        state.actions.append(Close(old.generation, GOODBYE))
    socket.step(Step.SEEDED)
    state.connection, state.successor = socket, None
    state.expires_at, state.renew_asked, state.redial_at = socket.expires_at, False, None
    if socket.told_changes != state.items.changes:  # while it was told the rest
        _seed(state, socket)
    for entry in state.items:
        entry.is_text = entry.is_text or entry.id in socket.told
    seeded = len(socket.told)
    socket.told = {}
    _configured(state, socket)
    replayed = state.uplink.restart(now, detected=state.configuration.detects_turns)
    state.become(Status.CONNECTED)
    greeting = next((one for one in state.held if isinstance(one, wire.SessionCreatedEvent)), None)
    while state.held:
        state.deliver(state.held.popleft())
    if state.was_live:
        _tell_reconnected(state, socket, seeded, replayed, now)
    elif greeting is not None:
        state.actions.append(Settle(OPENING, greeting))
    state.was_live = True
    _answer_wishes(state, socket, greeting)
    state.actions.append(Wake(socket.generation))
    if state.owed and state.sequencer.waiting == 0:
        speaking.ask(state, None, state.number(), now)
    state.owed = False
    speaking.begin(state, now)


def _configured(state: RealtimeState, socket: Connection) -> None:
    """Take in what the session is; what it was told and has not echoed yet holds already."""
    if socket.session is None:
        return
    fields = socket.session.fields
    if state.questions_about(About.OPENING, socket=socket):
        fields = merged(fields, state.configuration.wanted)
    state.echoed(fields)


def _tell_reconnected(
    state: RealtimeState, socket: Connection, seeded: int, replayed: float, now: float
) -> None:
    state.counts.reconnects += 1
    state.counts.replayed_ms += replayed
    event = ReconnectedEvent(
        reason=state.loss,
        generation=socket.generation,
        gap_ms=max(0.0, now - state.lost_at) * _MILLISECONDS,
        seeded_items=seeded,
        lost=[*state.lost, *socket.refused, *state.left_out],
        audio_replayed_ms=replayed,
    )
    state.lost.clear()
    state.deliver(event)


def _answer_wishes(
    state: RealtimeState, socket: Connection, greeting: RealtimeEvent | None
) -> None:
    """Answer those whose wishes the session was opened with."""
    if greeting is None:
        return
    for event_id, question in list(state.questions.items()):
        if question.about not in losing.SAID_AGAIN or question.generation == socket.generation:
            continue
        del state.questions[event_id]
        state.configuration.answered(question.ticket, granted=True)
        failure = _untold(state, socket, question)
        if failure is not None:
            state.items.delete(question.subject)
            state.settle(question.ticket, failure)
        elif not _waits_for_seed(state, socket, question):
            state.settle(question.ticket, greeting)


def _untold(state: RealtimeState, socket: Connection, question: Question) -> Failure | None:
    """Return why an item that was wished for is not in the new session, if it is not."""
    item_id = question.subject
    if question.about is not About.ITEM:
        return None
    if item_id in socket.refused:
        return Failure(FailureKind.SERVER, "the server's next session refused the item")
    is_forgotten = state.items.get(item_id) is None and item_id not in state.gone
    if item_id not in state.left_out and not is_forgotten:
        return None
    limit = f"{state.settings.seed_bytes} bytes (`seed_bytes`)"
    message = f"the socket is gone, and the item did not go into what the next is told: {limit}"
    return Failure(FailureKind.LOST, message)


def _waits_for_seed(state: RealtimeState, socket: Connection, question: Question) -> bool:
    """Have an item's owner wait if the new session was told it just now."""
    if question.about is not About.ITEM:
        return False
    for event_id in state.questions_about(About.SEED, question.subject, socket=socket):
        told = state.questions[event_id]
        state.questions[event_id] = replace(told, about=About.ITEM, ticket=question.ticket)
        return True
    return False
