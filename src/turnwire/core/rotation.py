"""Replacing sockets before the server ends them: docs/protocol/limits.md#age.

The new one is open before the old one takes no more turns; turns that run there finish.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from turnwire.core.connection import ConnectionState
from turnwire.core.dialing import open_socket

if TYPE_CHECKING:
    from turnwire.core.pool_turn import PoolConnection
    from turnwire.core.state import PoolState

_LATELY: Final = 60.0  # a socket that was used by then is expected to be used again
_ONCE_MORE: Final = 0.05  # of the age: how long to wait after a dial for the new one failed


def opened(state: PoolState, socket: PoolConnection, now: float) -> None:
    """Note when a new socket will be too old, and let it take over."""
    settings = state.settings
    if settings.max_age is not None:
        jitter = min(settings.max_age_jitter, settings.max_age / 2)
        socket.rotate_at = now + settings.max_age + jitter * (2 * state.chance() - 1)
        state.note_deadline(socket.rotate_at)
    old = state.sockets.get(socket.replaces) if socket.replaces is not None else None
    socket.replaces = None
    if old is not None:
        _retire(state, old)


def expire(state: PoolState, socket: PoolConnection, now: float) -> None:
    """Replace a socket if it is too old."""
    if socket.rotate_at is None or now < socket.rotate_at:
        return
    if socket.state is not ConnectionState.OPEN:
        socket.rotate_at = None
        return
    expected = socket.lanes.active or any(
        lane.last_used > now - _LATELY for lane in socket.lanes if lane.latest is not None
    )
    if not expected or state.closed or socket.overdue:
        _retire(state, socket)
        return
    assert state.settings.max_age is not None  # or there would be no time for it
    socket.rotate_at, socket.overdue = now + state.settings.max_age * _ONCE_MORE, True
    open_socket(state, now, replaces=socket)


def _retire(state: PoolState, socket: PoolConnection) -> None:
    socket.rotate_at = None
    state.counts.rotations += 1
    state.rotated.add(socket.id)
    state.retire(socket)
