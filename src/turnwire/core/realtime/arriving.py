"""What the server says, and what that changes; one function for each event that changes something.

Nothing of the caller's runs here, so that an interruption waits for nobody.
"""
# ruff: noqa: ARG001 - the functions of a table have one signature

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from turnwire.core.realtime import breaking_off, failing, saying, speaking
from turnwire.core.realtime.interrupting import SPEECH_STARTED, Announced, Truncate
from turnwire.core.realtime.playback import Part
from turnwire.core.realtime.state import About
from turnwire.events import realtime as wire
from turnwire.events.realtime import FunctionCallEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from turnwire.core.realtime.state import RealtimeState
    from turnwire.events.realtime import RealtimeEvent, RealtimeItem


def arrived(state: RealtimeState, event: RealtimeEvent, now: float) -> None:
    """Take an event in, and hand it on unless it is of a response that was interrupted."""
    running = state.running.get(getattr(event, "response_id", ""))
    if running is not None:
        running.heard_at = now
    change = _CHANGES.get(type(event))
    if change is None or change(state, event, now):
        state.deliver(event)


def _audio(state: RealtimeState, event: wire.ResponseAudioDeltaEvent, now: float) -> bool:
    if event.response_id in state.tombstones:
        state.counts.late_deltas += 1
        return False
    part = Part(event.response_id, event.item_id, event.content_index)
    audio_format = state.configuration.output_format
    if not state.ledger.received(part, len(event.audio), audio_format, now):
        state.counts.late_deltas += 1  # it was interrupted, and has ended since
        return False
    state.announced.pop(event.item_id, None)
    if state.speech_ended is not None:
        state.counts.first_audio_after, state.speech_ended = now - state.speech_ended, None
    return True


def _audio_done(state: RealtimeState, event: wire.ResponseAudioDoneEvent, now: float) -> bool:
    state.ledger.finished(Part(event.response_id, event.item_id, event.content_index))
    return True


def _words(
    state: RealtimeState,
    event: wire.ResponseAudioTranscriptDeltaEvent | wire.ResponseTextDeltaEvent,
    now: float,
) -> bool:
    if event.response_id in state.tombstones:
        state.counts.late_deltas += 1
        return False
    state.items.add_words(event.item_id, event.content_index, event.delta)
    if isinstance(event, wire.ResponseTextDeltaEvent):
        state.announced.pop(event.item_id, None)  # it is read, not heard
    return True


def _all_words(
    state: RealtimeState,
    event: wire.ResponseAudioTranscriptDoneEvent | wire.ResponseTextDoneEvent,
    now: float,
) -> bool:
    match event:
        case wire.ResponseAudioTranscriptDoneEvent():
            words = event.transcript
        case wire.ResponseTextDoneEvent():
            words = event.text
    if event.response_id not in state.tombstones:
        state.items.set_words(event.item_id, event.content_index, words)
    return True


def _speech_started(
    state: RealtimeState, event: wire.InputAudioBufferSpeechStartedEvent, now: float
) -> bool:
    state.deliver(event)  # before what follows from it
    state.speaking, state.speech_ended = True, None
    state.uplink.journal.speech_started(event.audio_start_ms)
    breaking_off.break_off(state, now, reason=SPEECH_STARTED)
    return False


def _speech_stopped(
    state: RealtimeState, event: wire.InputAudioBufferSpeechStoppedEvent, now: float
) -> bool:
    state.speaking, state.speech_ended, state.turn_ended = False, now, True
    state.uplink.journal.speech_stopped(event.audio_end_ms)
    return True


def _timed_out(
    state: RealtimeState, event: wire.InputAudioBufferTimeoutTriggered, now: float
) -> bool:
    state.turn_ended = True  # nobody spoke, and the server does
    state.uplink.journal.speech_stopped(event.audio_end_ms)
    return True


def _committed(
    state: RealtimeState, event: wire.InputAudioBufferCommittedEvent, now: float
) -> bool:
    said = state.uplink.committed()
    if event.item_id and state.items.get(event.item_id) is None:
        item: dict[str, Any] = {"id": event.item_id, "type": "message", "role": "user"}
        item["content"] = [{"type": "input_audio"}]
        state.items.put(item, _place(state, event.previous_item_id))
    state.items.keep_audio(event.item_id, said)
    if state.turn_ended:  # found by the server; what this side commits it does not answer
        state.owed, state.owed_since = state.configuration.answers, now
    state.speaking = state.turn_ended = False
    return True


def _cleared(state: RealtimeState, event: wire.InputAudioBufferClearedEvent, now: float) -> bool:
    state.speaking = state.turn_ended = False
    return True


def _item_placed(
    state: RealtimeState,
    event: wire.ConversationItemAdded | wire.ConversationItemDone,
    now: float,
) -> bool:
    _put(state, event.item, _place(state, event.previous_item_id))
    item_id = event.item.id or ""
    _confirm(state, event, item_id)
    if item_id in state.delete_when_added:
        state.delete_when_added.discard(item_id)
        saying.delete_item(state, item_id)
    elif item_id in state.announced:
        state.announced[item_id] = state.announced[item_id]._replace(is_added=True)
    state.deliver(event)  # before what follows from it
    _call(state, event.item, "")
    return False


def _confirm(state: RealtimeState, event: RealtimeEvent, item_id: str) -> None:
    for about in (About.ITEM, About.SEED):
        for event_id in state.questions_about(about, item_id, socket=state.live):
            state.settle(state.questions.pop(event_id).ticket, event)


def _place(state: RealtimeState, previous_id: str | None) -> str:
    """Return what an item follows: nothing that was added here and not yet on the server."""
    if previous_id is not None and state.items.get(previous_id) is not None:
        return previous_id
    ours = {one.subject for one in state.questions.values() if one.about is About.ITEM}
    return state.items.last(without=ours)


def _put(state: RealtimeState, item: RealtimeItem, previous_id: str | None) -> None:
    if item.id and item.id not in state.gone:
        fields: dict[str, Any] = {**item.to_dict(), "id": item.id, "type": item.type}
        state.items.put(fields, previous_id)


def _item_retrieved(
    state: RealtimeState, event: wire.ConversationItemRetrieved, now: float
) -> bool:
    _put(state, event.item, None)
    for event_id in state.questions_about(About.RETRIEVE, event.item.id or ""):
        state.settle(state.questions.pop(event_id).ticket, event)
    return True


def _item_deleted(
    state: RealtimeState, event: wire.ConversationItemDeletedEvent, now: float
) -> bool:
    for event_id in state.questions_about(About.DELETE, event.item_id, socket=state.live):
        state.settle(state.questions.pop(event_id).ticket, event)
    comes_back = (About.SEED, About.ITEM)
    if not any(state.questions_about(one, event.item_id, socket=state.live) for one in comes_back):
        state.items.delete(event.item_id)
        state.gone.add(event.item_id)
    return True


def _item_truncated(
    state: RealtimeState, event: wire.ConversationItemTruncatedEvent, now: float
) -> bool:
    what = Truncate(event.item_id, event.content_index, event.audio_end_ms)
    asked = {id_: one for id_, one in state.questions.items() if one.truncate is not None}
    of_part = [id_ for id_, one in asked.items() if one.truncate and one.truncate[:2] == what[:2]]
    exact = [id_ for id_ in of_part if asked[id_].truncate == what]
    for event_id in (exact or of_part)[:1]:  # servers may round
        state.settle(state.questions.pop(event_id).ticket, event)
    return True


def _transcribed(
    state: RealtimeState,
    event: wire.ConversationItemInputAudioTranscriptionCompletedEvent,
    now: float,
) -> bool:
    state.items.set_transcript(event.item_id, event.content_index, event.transcript)
    return True


def _output_item(
    state: RealtimeState,
    event: wire.ResponseOutputItemAddedEvent | wire.ResponseOutputItemDoneEvent,
    now: float,
) -> bool:
    item, added = event.item, isinstance(event, wire.ResponseOutputItemAddedEvent)
    if item.id and _is_outside(state, event.response_id):
        state.items_outside.add(item.id)
    if event.response_id in state.over:
        return True
    if item.id and added and item.type == "message":
        if event.response_id in state.tombstones:
            state.delete_when_added.add(item.id)
        else:
            is_added = state.items.get(item.id) is not None
            state.announced[item.id] = Announced(event.response_id, item.id, is_added)
    elif item.id and not added and not _is_outside(state, event.response_id):
        _put(state, item, _place(state, None))
    if not added:
        state.announced.pop(item.id or "", None)
    state.deliver(event)
    _call(state, item, event.response_id)
    return False


def _is_outside(state: RealtimeState, response_id: str) -> bool:
    running = state.running.get(response_id)
    return running is not None and running.out_of_band


def _call(state: RealtimeState, item: RealtimeItem, response_id: str) -> None:
    """Tell of a function call, once, when it is whole."""
    whole = item.type == "function_call" and item.status in (None, "completed")
    if not whole or item.call_id is None or not item.name or item.call_id in state.calls:
        return
    if item.arguments is None or (item.status is None and not item.arguments):
        return
    answered = any(
        one.item.get("type") == "function_call_output" and one.item.get("call_id") == item.call_id
        for one in state.items
    )
    state.calls.add(item.call_id)
    if answered:  # a call that this side told the server of
        return
    state.deliver(
        FunctionCallEvent(
            call_id=item.call_id,
            name=item.name,
            arguments=item.arguments,
            id=item.id or "",
            response_id=response_id,
        )
    )


def _created(state: RealtimeState, event: wire.ResponseCreatedEvent, now: float) -> bool:
    state.deliver(event)
    speaking.created(state, event, now)
    return False


def _done(state: RealtimeState, event: wire.ResponseDoneEvent, now: float) -> bool:
    for item in event.response.output:  # servers exist that do not say `output_item.done`
        _call(state, item, event.response.id)
    state.deliver(event)
    speaking.done(state, event, now)
    return False


def _session_updated(state: RealtimeState, event: wire.SessionUpdatedEvent, now: float) -> bool:
    state.echoed(event.session.fields)
    if event.session.expires_at is not None:
        state.expires_at = event.session.expires_at - state.began
    for about in (About.OPENING, About.UPDATE):  # one echo for each update, in order
        for event_id in state.questions_about(about, socket=state.live)[:1]:
            question = state.questions.pop(event_id)
            state.configuration.answered(question.ticket, granted=True)
            state.settle(question.ticket, event)
            return True
    return True


_CHANGES: Final[Mapping[type[RealtimeEvent], Callable[[RealtimeState, Any, float], bool]]] = {
    wire.ResponseAudioDeltaEvent: _audio,
    wire.ResponseAudioDoneEvent: _audio_done,
    wire.ResponseAudioTranscriptDeltaEvent: _words,
    wire.ResponseTextDeltaEvent: _words,
    wire.ResponseAudioTranscriptDoneEvent: _all_words,
    wire.ResponseTextDoneEvent: _all_words,
    wire.InputAudioBufferSpeechStartedEvent: _speech_started,
    wire.InputAudioBufferSpeechStoppedEvent: _speech_stopped,
    wire.InputAudioBufferTimeoutTriggered: _timed_out,
    wire.InputAudioBufferCommittedEvent: _committed,
    wire.InputAudioBufferClearedEvent: _cleared,
    wire.ConversationItemAdded: _item_placed,
    wire.ConversationItemDone: _item_placed,
    wire.ConversationItemRetrieved: _item_retrieved,
    wire.ConversationItemDeletedEvent: _item_deleted,
    wire.ConversationItemTruncatedEvent: _item_truncated,
    wire.ConversationItemInputAudioTranscriptionCompletedEvent: _transcribed,
    wire.ResponseOutputItemAddedEvent: _output_item,
    wire.ResponseOutputItemDoneEvent: _output_item,
    wire.ResponseCreatedEvent: _created,
    wire.ResponseDoneEvent: _done,
    wire.SessionUpdatedEvent: _session_updated,
    wire.RealtimeErrorEvent: failing.error,
}
