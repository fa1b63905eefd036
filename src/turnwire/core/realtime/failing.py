"""Errors of the server's: whose they are, which of them matter, and what is done about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from turnwire.core.failure import Failure, FailureKind
from turnwire.core.realtime import saying, speaking
from turnwire.core.realtime.interrupting import already_shorter, retry
from turnwire.core.realtime.state import About, Question

if TYPE_CHECKING:
    from turnwire.core.realtime.state import RealtimeState
    from turnwire.events.realtime import RealtimeError, RealtimeErrorEvent

_BUSY: Final = "conversation_already_has_active_response"
_DUPLICATE: Final = "item_create_duplicate_item_id"
_NOT_ACTIVE: Final = "response_cancel_not_active"
_TOO_SHORT: Final = "input_audio_buffer_commit_empty"
_PLACE: Final = "previous_item_id"
BETA_IS_OFF: Final = "beta_api_shape_disabled"
EXPIRED: Final = "session_expired"
# After these no other socket helps: facts of the field, tested both as code and as type.
FATAL: Final = frozenset(
    {
        "account_deactivated",
        "billing_hard_limit_reached",
        "credit_balance_exhausted",
        "insufficient_quota",
        "invalid_api_key",
        BETA_IS_OFF,
    }
)
_OURS: Final = (About.TRUNCATE, About.RETRUNCATE, About.CANCEL, About.DELETE, About.SEED)


def failure_of(error: RealtimeError) -> Failure:
    """Return the failure that an error event describes."""
    message = error.message or "the server gave no reason"
    if error.code == BETA_IS_OFF:
        message += "; leave the `OpenAI-Beta` header out"
    return Failure(FailureKind.SERVER, message, code=error.code, type=error.type, param=error.param)


def is_fatal(error: RealtimeError) -> bool:
    """Say whether there is no sense in going on."""
    return error.code in FATAL or error.type in FATAL


def error(state: RealtimeState, event: RealtimeErrorEvent, now: float) -> bool:
    """Take an error in; return whether it is to be handed on.

    One that answers what this side did by itself is nobody's business but in the counters.
    """
    found = event.error
    event_id = found.event_id or ""
    question = state.questions.pop(event_id, None)
    if found.code == _TOO_SHORT:
        state.uplink.journal.commit_refused()
    if question is None and found.code == _NOT_ACTIVE:  # it had ended by itself
        state.counts.swallowed_errors += 1
        return False
    if question is None:
        return found.code != _BUSY or _busy(state, event, now)
    if question.about is About.RESPONSE:
        return _refuse(state, event_id, event, now)
    if question.about is About.TRUNCATE and _again(state, question, found.message or ""):
        return False
    _undo(state, question, found)
    if question.ticket is not None:
        state.settle(question.ticket, failure_of(found))
        return True
    if question.about in _OURS:
        state.counts.swallowed_errors += 1
        if question.about in (About.TRUNCATE, About.RETRUNCATE):
            state.counts.truncate_errors += 1
        state.log(f"the server refused a {question.about.value}: {found.code or found.type}")
        return False
    return True


def _busy(state: RealtimeState, event: RealtimeErrorEvent, now: float) -> bool:
    """A second response was refused, and the server does not say whose."""
    sent = state.sequencer.sent
    if state.owed or sent is None:  # its own: one runs while somebody has spoken
        state.owed = False
        state.counts.swallowed_errors += 1
        return False
    return _refuse(state, sent.event_id, event, now)


def _refuse(state: RealtimeState, event_id: str, event: RealtimeErrorEvent, now: float) -> bool:
    state.questions.pop(event_id, None)
    busy = event.error.code == _BUSY
    return not speaking.refused(state, event_id, failure_of(event.error), now, busy=busy)


def _again(state: RealtimeState, question: Question, message: str) -> bool:
    """Truncate once more where the server's audio ends, if it says that it is shorter."""
    if question.truncate is None or already_shorter(message) is None:
        return False
    state.counts.truncate_errors += 1
    saying.truncate(state, retry(question.truncate, message), About.RETRUNCATE)
    return True


def _undo(state: RealtimeState, question: Question, error: RealtimeError) -> None:
    """Take back what this side held for done."""
    match question.about:
        case About.ITEM | About.SEED:
            _not_created(state, question, error)
        case About.UPDATE:
            state.configuration.answered(question.ticket, granted=False)
        case About.OPENING:
            _not_opened(state, question, error)
        case _:
            pass


def _not_opened(state: RealtimeState, question: Question, error: RealtimeError) -> None:
    """The server did not take the configuration, or one of the updates that came after it."""
    for event_id in state.questions_about(About.UPDATE):
        asked = state.questions[event_id]
        if str(asked.ticket) == question.subject and asked.generation == 0:
            del state.questions[event_id]
            state.configuration.answered(asked.ticket, granted=False)
            state.settle(asked.ticket, failure_of(error))
    live, is_first = state.live, not question.subject
    if live is None or live.session is None or live.generation != question.generation:
        return
    if is_first:  # it is what it was when it was created
        state.echoed(live.session.fields)


def _not_created(state: RealtimeState, question: Question, error: RealtimeError) -> None:
    """The server did not take the item: then this side does not have it either."""
    if question.about is About.ITEM and error.code != _DUPLICATE:
        state.items.delete(question.subject)
    for socket in (state.connection, state.successor):
        if socket is None or socket.generation != question.generation:
            continue
        socket.unconfirmed.discard(question.subject)
        if error.code == _DUPLICATE or question.subject not in socket.told:
            continue
        if error.param == _PLACE:  # the one before it was refused: it is told once more
            del socket.told[question.subject]
            socket.told_changes = -1
        else:
            socket.refused.append(question.subject)
