"""In time: sockets that take too long, dials after a pause, sessions replaced before they end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from turnwire.core.failure import Failure, FailureKind
from turnwire.core.realtime import connecting, losing, pauses
from turnwire.core.realtime.connection import Phase

if TYPE_CHECKING:
    from turnwire.core.realtime.state import RealtimeState


def expire(state: RealtimeState, now: float) -> None:
    """Give sockets up that take too long, dial again, renew in time."""
    for socket in (state.connection, state.successor):
        if socket is None or not socket.is_beginning or now < socket.until:
            continue
        message = f"the session was not ready within {state.settings.dial_timeout:g} s (`timeout`)"
        if socket.phase is Phase.CONFIGURING:
            message += (
                ": the server did not echo the configuration with `session.updated`;"
                ' `wait_for="created"` does without that'
            )
        failure = Failure(FailureKind.DIAL_TIMEOUT, message)
        losing.leave(state, socket, failure, now)
    if state.redial_at is not None and now >= state.redial_at:
        state.redial_at = None
        state.connection = connecting.dial(state, now)
    renew(state, now)


def renew(state: RealtimeState, now: float) -> None:
    """Dial the successor of a session that ends soon, or make it live."""
    if state.successor is not None:
        connecting.advance(state, state.successor, now)
        return
    due = _renew_due(state)
    if due is None or now < due or state.live is None or now < state.renew_not_before:
        return
    if pauses.may_replace(state, now):
        state.loss = "renewal"
        state.successor = connecting.dial(state, now)


def _renew_due(state: RealtimeState) -> float | None:
    if state.renew_asked:
        return 0.0
    if state.expires_at is None or state.live is None or not state.settings.receives_audio:
        return None
    margin = min(state.settings.renew_margin, (state.expires_at - state.live.opened_at) / 2)
    return state.expires_at - margin


def deadlines(state: RealtimeState, now: float) -> list[float]:
    """Return when ``expire`` may have something to do."""
    sockets = [one for one in (state.connection, state.successor) if one is not None]
    due = [one.until for one in sockets if one.is_beginning]
    if state.redial_at is not None:
        due.append(state.redial_at)
    renewal = None if state.live is None else _renew_due(state)
    if renewal is not None and not any(one.is_beginning for one in sockets):
        quiet = pauses.when_quiet(state, max(renewal, state.renew_not_before), now)
        due.extend([] if quiet is None else [quiet])
    return due
