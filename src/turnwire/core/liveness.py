"""Whether the peer is still there: pings, and nothing but pings, decide.

Silence of events proves nothing, a model may think for minutes: docs/protocol/limits.md#silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from turnwire.core import endings
from turnwire.core.actions import Close, Ping
from turnwire.core.connection import ConnectionState
from turnwire.core.failure import Failure, FailureKind

if TYPE_CHECKING:
    from turnwire.core.pool_turn import PoolConnection
    from turnwire.core.state import PoolState

_LATE: Final = 1.0  # a tick that comes this late shows that this side stood still, not the peer
_WRITING: Final = 30.0  # by then the largest message is written, or nothing ever will be
_ABNORMAL: Final = 1006
_NO_PONG: Final = 1011  # what servers say then: docs/protocol/limits.md#close-codes


def probe_silent(state: PoolState, now: float) -> None:
    """Ping every socket that turns could use and that has been silent for long."""
    for socket in state.sockets.values():
        silent = now - socket.alive_at >= state.settings.probe_after
        if socket.state is ConnectionState.OPEN and silent and socket.probe_until is None:
            _ping(state, socket, now)
            socket.probe_until = now + state.settings.probe
            state.note_deadline(socket.probe_until)


def ponged(state: PoolState, socket: PoolConnection, now: float) -> None:
    """A pong came."""
    socket.ponged_at, socket.pinged_at, socket.doubted = now, None, False
    state.note_deadline(deadline(state, socket))
    _is_alive(state, socket)


def woke(state: PoolState, slept: float, now: float) -> None:
    """The machine slept: what is open may be dead, and is older than its clock says."""
    for socket in state.sockets.values():
        socket.doubted = socket.state is not ConnectionState.CONNECTING
        if socket.pinged_at is not None:
            socket.pinged_at = now
        if socket.rotate_at is not None:
            socket.rotate_at -= slept
            state.note_deadline(socket.rotate_at)
    if any(socket.lanes.active for socket in state.sockets.values()):
        probe_silent(state, now)
    state.changed = True


def is_mute(state: PoolState, socket: PoolConnection | None, now: float) -> bool:
    """Say whether a socket owes a pong for so long that it is probably dead."""
    if socket is None or socket.pinged_at is None or socket.heard_at > socket.pinged_at:
        return False
    return now - socket.pinged_at >= state.settings.probe


def expire(state: PoolState, socket: PoolConnection, now: float) -> None:
    """Ping, or give a socket up, if it is time to."""
    if socket.probe_until is not None and now >= socket.probe_until:
        _expire_probe(state, socket, now)
    if socket.id not in state.sockets or socket.state is ConnectionState.CONNECTING:
        return
    if socket.pinged_at is not None:
        _expire_ping(state, socket, now)
    elif (due := _ping_due(state, socket)) is not None and now >= due:
        _ping(state, socket, now)


def deadline(state: PoolState, socket: PoolConnection) -> float | None:
    """Return when ``expire`` may have something to do."""
    if socket.state is ConnectionState.CONNECTING:
        return None
    due = [] if socket.probe_until is None else [socket.probe_until]
    if socket.pinged_at is not None:
        due.append(socket.pinged_at + state.settings.ping_timeout)
    elif (ping := _ping_due(state, socket)) is not None:
        due.append(ping)
    return min(due, default=None)


def _ping_due(state: PoolState, socket: PoolConnection) -> float | None:
    interval = state.settings.ping_interval
    if interval is None:
        return None
    # A ping would wait behind a message that is being written.
    return socket.alive_at + interval + (_WRITING if socket.writing else 0.0)


def _ping(state: PoolState, socket: PoolConnection, now: float) -> None:
    socket.pinged_at = now
    state.note_deadline(now + state.settings.ping_timeout)
    state.actions.append(Ping(socket.id))


def _expire_ping(state: PoolState, socket: PoolConnection, now: float) -> None:
    assert socket.pinged_at is not None  # asked by the caller
    if socket.heard_at > socket.pinged_at:
        socket.pinged_at = None  # it speaks, that is enough
        _is_alive(state, socket)
        return
    due = socket.pinged_at + state.settings.ping_timeout
    if now >= due + _LATE:
        _ping(state, socket, now)
        if socket.probe_until is not None:
            socket.probe_until = now + state.settings.ping_timeout
    elif now >= due:
        seconds = state.settings.ping_timeout
        _give_up(
            state, socket, f"the socket answered no ping within {seconds:g} s (`ping_timeout`)", now
        )


def _expire_probe(state: PoolState, socket: PoolConnection, now: float) -> None:
    pinged_at = socket.pinged_at
    if pinged_at is None or socket.heard_at > pinged_at:
        _is_alive(state, socket)
    elif socket.lanes.active == 0:
        _give_up(state, socket, "the socket was silent for long and did not answer", now)
    else:
        socket.probe_until = pinged_at + state.settings.ping_timeout  # its turns wait longer


def _give_up(state: PoolState, socket: PoolConnection, message: str, now: float) -> None:
    """The peer is gone: so is the socket."""
    if socket.lanes.active == 0:
        state.counts.lost_sockets += 1  # with turns on it, it is counted there
    state.actions.append(Close(socket.id, _NO_PONG))
    endings.drop(state, socket, Failure(FailureKind.LOST, message, close_code=_ABNORMAL), now)


def _is_alive(state: PoolState, socket: PoolConnection) -> None:
    if socket.probe_until is not None:
        socket.probe_until = None
        state.changed = True
