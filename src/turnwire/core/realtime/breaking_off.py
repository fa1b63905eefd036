"""Interruptions: what is heard stops, and the server is told how far it was heard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from turnwire.core.realtime import saying, speaking
from turnwire.core.realtime.actions import Flush
from turnwire.core.realtime.heard_text import heard_text
from turnwire.core.realtime.interrupting import (
    ActiveResponse,
    Interruption,
    Standing,
    can_interrupt,
    interrupt,
)
from turnwire.core.realtime.state import About, Question
from turnwire.events.realtime import AudioInterruptedEvent, client

if TYPE_CHECKING:
    from collections.abc import Sequence

    from turnwire.core.realtime.playback import HeardPart
    from turnwire.core.realtime.state import RealtimeState

Cancel = bool | Literal["auto"]


def break_off(
    state: RealtimeState,
    now: float,
    *,
    reason: str,
    cancel: Cancel = "auto",
    response_id: str | None = None,
) -> bool:
    """Stop what is heard, and tell the server how far it was heard: one step, nobody is awaited.

    Returns:
        False if there was nothing to interrupt.
    """
    active = [
        ActiveResponse(each_id, cancelled=each.cancelled, out_of_band=each.out_of_band)
        for each_id, each in state.running.items()
    ]
    unwanted = _withdraw(state, response_id)
    if not can_interrupt(state.ledger.heard(now), active, response_id):
        return unwanted
    parts = state.ledger.flush(now, response_id)
    decided = interrupt(
        parts,
        active,
        reason=reason,
        cancel=cancel,
        server_interrupts=state.configuration.interrupts,
        unheard=state.settings.unheard,
        response_id=response_id,
        announced=list(state.announced.values()),
        standing=_standing(state, parts),
        receives_audio=state.settings.receives_audio,
    )
    if decided is None:
        return unwanted
    state.actions.append(Flush(response_id))
    _perform(state, decided, parts, now)
    if cancel is not False:
        _await_end(state, decided.tombstones, now)
    return True


def _withdraw(state: RealtimeState, response_id: str | None) -> bool:
    """Have a response that was asked for and not created yet be cancelled when it is."""
    sent = state.sequencer.sent
    if sent is None or response_id is not None or sent.unwanted:
        return False
    sent.unwanted = True
    return True


def _standing(state: RealtimeState, parts: Sequence[HeardPart]) -> dict[str, Standing]:
    standing: dict[str, Standing] = {}
    for part in parts:
        entry = state.items.get(part.part.item_id)
        if part.part.item_id in state.items_outside:
            standing[part.part.item_id] = Standing.ABSENT
        elif entry is not None and entry.is_text:
            standing[part.part.item_id] = Standing.RESTORED
    return standing


def _perform(
    state: RealtimeState, decided: Interruption, parts: Sequence[HeardPart], now: float
) -> None:
    state.counts.interruptions += 1
    for response_id in decided.tombstones:
        state.tombstones.add(response_id)
    _keep_heard_words(state, parts)
    state.deliver(
        AudioInterruptedEvent(
            item_id=decided.item_id,
            content_index=decided.content_index or 0,
            heard_ms=decided.heard_ms,
            dropped_ms=int(decided.dropped_ms),
            reason=decided.reason,
        )
    )
    for response_id in decided.cancels:
        speaking.stop(state, response_id, now)
    for what in decided.truncates:
        saying.truncate(state, what)
    for item_id in decided.deletes:
        saying.delete_item(state, item_id)
    for item_id in decided.pending_deletes:
        state.delete_when_added.add(item_id)
    for item_id in decided.rewrites:
        _rewrite(state, item_id)


def _await_end(state: RealtimeState, response_ids: Sequence[str], now: float) -> None:
    """Wait for the end of what was cancelled, by the server itself if by nobody else."""
    for response_id in response_ids:
        if response_id in state.running:
            state.running[response_id].cancelled = True
        if response_id == state.sequencer.active:
            state.sequencer.cancelled(now)


def _keep_heard_words(state: RealtimeState, parts: Sequence[HeardPart]) -> None:
    for part in parts:
        entry = state.items.get(part.part.item_id)
        if entry is None:
            continue
        words = entry.spoken(part.part.content_index)
        heard = heard_text(words, part.heard_ms, part.received_ms, finished=part.finished)
        if heard.text != words or not part.finished:
            state.items.set_heard(part.part.item_id, part.part.content_index, heard.text)


def _rewrite(state: RealtimeState, item_id: str) -> None:
    """Say anew, as text, what was heard of an item that cannot be truncated."""
    entry = state.items.get(item_id)
    if entry is None or state.live is None:
        return
    content = [
        {"type": "output_text", "text": entry.heard_words(index)}
        for index in range(len(entry.shown().get("content") or []))
        if entry.heard_words(index)
    ]
    if not content:  # not a word
        saying.delete_item(state, item_id)
        return
    previous = state.items.before(item_id)
    saying.say(state, client.item_delete(item_id), Question(About.SEED, subject=item_id))
    item = {"id": item_id, "type": "message", "role": "assistant", "content": content}
    event = client.item_create(item, previous_item_id=previous)
    saying.say(state, event, Question(About.SEED, subject=item_id))
