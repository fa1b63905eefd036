"""Opening sockets, and what a dial that failed means for those who wait for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from turnwire.core import endings
from turnwire.core.actions import Dial
from turnwire.core.backoff import LONGEST_PAUSE, asked_pause
from turnwire.core.connection import Connection, ConnectionState
from turnwire.core.failure import FailureKind, is_retryable
from turnwire.core.lane import Lanes
from turnwire.core.recovering import recover

if TYPE_CHECKING:
    from turnwire.core.failure import Failure
    from turnwire.core.pool_turn import PoolConnection, PoolTurn
    from turnwire.core.state import PoolState

_UNAUTHORIZED: Final = 401
_TOO_MANY: Final = 429
_HOPES: Final = (ConnectionState.OPEN, ConnectionState.CONNECTING)


def open_socket(state: PoolState, now: float, *, replaces: PoolConnection | None = None) -> None:
    """Dial one more socket."""
    settings = state.settings
    socket: Connection[PoolTurn] = Connection(
        state.next_number(),
        lanes=Lanes(settings.active_limit, state.named_limit),
        lanes_work=state.lanes_work,
        # The first socket's first turn goes without a name.  A second socket is needed only
        # if turns overlap, and that is when lanes begin to matter.
        finds_lanes=bool(state.sockets) or settings.sockets == 1,
        dial_until=now + settings.dial,
        replaces=replaces.id if replaces else None,
    )
    state.sockets[socket.id] = socket
    state.note_deadline(socket.dial_until)
    state.counts.dials += 1
    state.actions.append(Dial(socket.id))


def dial_failed(state: PoolState, socket: PoolConnection, failure: Failure, now: float) -> None:
    """A dial failed: try again, or tell those who have no other socket to wait for."""
    state.counts.failed_dials += 1
    state.changed = True
    old = state.sockets.get(socket.replaces) if socket.replaces is not None else None
    if old is not None and old.state is ConnectionState.OPEN:
        return  # the one that it was to replace still works
    if any(other.state in _HOPES for other in state.sockets.values()):
        _leave_alone(state, now + state.settings.redial)
        return
    state.no_dial_before = 0.0  # what the first of several dials said no longer counts
    state.failed_dials += 1
    if failure.status == _UNAUTHORIZED or failure.kind is FailureKind.SIGN_IN:
        _not_let_in(state, failure, now)
        return
    pause, waited = _pause(state, failure), list(state.waiting.values())
    if pause is None or failure.status is None:  # HTTP may get through where a socket does not
        _fall_back(state, failure, now)
    if pause is None:  # for those that waited; a turn may have begun to behind one of them
        for turn in waited:
            if turn.id in state.waiting:
                endings.fail(state, turn, failure, now)
    if pause is None or not state.waiting:
        state.failed_dials = 0
    else:
        _leave_alone(state, now + pause)


def _leave_alone(state: PoolState, until: float) -> None:
    state.no_dial_before = until
    state.note_deadline(until)


def _not_let_in(state: PoolState, failure: Failure, now: float) -> None:
    """The key was refused: another one once, if one can be had; HTTP would not take it either."""
    refused = failure.kind is FailureKind.REFUSED
    if refused and state.settings.refreshes_key and not state.key_refreshed:
        state.key_refreshed = True
        return
    state.failed_dials, state.key_refreshed = 0, False
    for turn in list(state.waiting.values()):
        endings.fail(state, turn, failure, now)


def _pause(state: PoolState, failure: Failure) -> float | None:
    """Return when to dial again, or None if that makes no sense."""
    if failure.kind is FailureKind.REFUSED and not is_retryable(failure):
        return None  # "not here"; no answer at all may mean "not now"
    pause = state.settings.dial_backoff.pause(state.failed_dials, state.chance())
    asked = asked_pause(failure.headers)
    if pause is None or asked is None:
        return pause
    return None if asked > LONGEST_PAUSE else max(pause, asked)


def _fall_back(state: PoolState, failure: Failure, now: float) -> None:
    """Let the turns go over HTTP that may."""
    auto = [turn for turn in state.waiting.values() if turn.request.transport == "auto"]
    if auto and failure.status != _TOO_MANY:
        state.log(state.breaker.refused(failure.brief, now))
    for turn in auto:
        recover(state, turn, failure, now)
