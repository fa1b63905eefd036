"""Pauses of the talk: when a session may be replaced, and nobody notices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from turnwire.core.realtime.sequencer import Slot

if TYPE_CHECKING:
    from turnwire.core.realtime.state import RealtimeState


def may_replace(state: RealtimeState, now: float) -> bool:
    """Say whether another socket may take over."""
    return state.live is None or is_quiet(state, now) or is_late(state, now)


def is_quiet(state: RealtimeState, now: float) -> bool:
    """Say whether nobody speaks, and nobody is about to."""
    sequencer = state.sequencer
    busy = state.speaking or state.owed or sequencer.waiting > 0 or bool(state.running)
    return not busy and sequencer.slot is Slot.FREE and not state.ledger.is_playing(now)


def is_late(state: RealtimeState, now: float) -> bool:
    """Say whether the session ends so soon that no pause can be waited for."""
    expires_at = state.expires_at
    return expires_at is not None and now >= expires_at - state.settings.renew_latest


def when_quiet(state: RealtimeState, at: float, now: float) -> float | None:
    """Return that time, or if it has come and somebody speaks, when that may be over, if ever."""
    if now < at or is_quiet(state, now):
        return at
    times: list[float] = []
    if state.expires_at is not None:
        times.append(max(at, state.expires_at - state.settings.renew_latest))
    silent = state.ledger.next_change(now)
    if silent is not None and silent > now:
        times.append(silent)
    return min(times, default=None)
