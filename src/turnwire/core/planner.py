"""Which waiting turn goes on which lane of which socket: a plain function of what is.

In this order: the lane that caches the turn's parent, a free lane that nobody needs, a new lane,
a free lane that its caller may need but has no chain on, another socket, the free lane that was
used longest ago (its chain then sends everything once), else wait.
Why: docs/decisions/0008-connections.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from turnwire.core.connection import ConnectionState
from turnwire.core.lane import anybody

if TYPE_CHECKING:
    from collections.abc import Sequence

    from turnwire.core.lane import Lane, LaneName
    from turnwire.core.pool_turn import PoolConnection, PoolTurn
    from turnwire.core.settings import PoolSettings


@dataclass(frozen=True, slots=True)
class Place:
    """A lane for a turn.

    Attributes:
        connection: The socket.
        lane: The lane, perhaps a new one.
        source: The lane that must not move until this turn, a fork, has bound its parent.
    """

    connection: PoolConnection
    lane: LaneName
    source: Lane[PoolTurn] | None = None


class Wait(Enum):
    """There is no place now."""

    FOR_PARENT = "parent"  # the lane it needs is held by a fork, or its socket is probed
    FOR_ROOM = "room"  # another socket would help


def place(turn: PoolTurn, sockets: Sequence[PoolConnection], *, may_grow: bool) -> Place | Wait:
    """Find the place for one turn.

    Args:
        turn: A turn that is ready to be sent.
        sockets: All sockets of the pool, in any state.
        may_grow: True if another socket may still be opened.
    """
    beside = _beside_parent(turn, sockets)
    if beside is not None:
        return beside
    # Least busy first, so that load spreads; then in order of age.
    usable = sorted(filter(takes_a_turn, sockets), key=lambda one: (one.lanes.active, one.id))
    for socket in usable:
        lane = _unneeded_lane(socket)
        if lane is not None:
            return Place(socket, lane.name)
    for socket in usable:
        if _takes_names(socket) and socket.lanes.names_left > 0:
            return Place(socket, _new_name(socket))
    return _oldest_lane(usable, every=not may_grow) or Wait.FOR_ROOM


def sockets_wanted(
    turns: int, sockets: Sequence[PoolConnection], settings: PoolSettings, *, lanes: bool | None
) -> int:
    """Say how many sockets to dial for turns that found no place."""
    each = settings.active_limit if lanes else 1
    coming = sum(
        socket.state is ConnectionState.CONNECTING or socket.probe_until is not None
        for socket in sockets
    )
    return max(0, -(-turns // each) - coming)


def takes_a_turn(socket: PoolConnection) -> bool:
    """Say whether a turn may be written on a socket now."""
    if socket.state is not ConnectionState.OPEN or not socket.lanes.has_room:
        return False
    if socket.probe_until is not None:
        return False  # it has been silent for long: is it still there?
    # Until the server is known to have lanes, or if it has none: one turn per socket.  Alone on
    # its socket a turn may name a lane, to find out: a server that ignores names answers anyway.
    return socket.lanes_work is True or socket.lanes.active == 0


def _takes_names(socket: PoolConnection) -> bool:
    """Say whether a turn there may name its lane; False where the server is known to have none.

    A server that ignores names would run it on the only lane, and what waits there for the next
    turn of its chain would be lost.
    """
    if socket.lanes_work is None:
        return not socket.pending_steers
    return socket.lanes_work


def _new_name(socket: PoolConnection) -> LaneName:
    used = socket.lanes.named_limit - socket.lanes.names_left
    return f"lane-{used + 1}"


def _free_lanes(socket: PoolConnection) -> list[Lane[PoolTurn]]:
    """Return the lanes that a turn may take; names only where the server may know them."""
    names = _takes_names(socket)
    probes = names and socket.lanes_work is None and socket.finds_lanes
    skip_default = probes and socket.lanes.names_left > 0
    return [
        lane
        for lane in socket.lanes
        if lane.available
        and not (lane.name is None and skip_default)
        and (lane.name is None or names)
    ]


def _unneeded_lane(socket: PoolConnection) -> Lane[PoolTurn] | None:
    """Return a free lane that nobody needs."""
    for lane in _free_lanes(socket):
        if lane.replaceable:
            return lane
    return None


def _oldest_lane(sockets: Sequence[PoolConnection], *, every: bool) -> Place | None:
    """Return the lane used longest ago, of all free ones or of those that no chain needs."""
    free = [
        (lane.last_used, socket.id, Place(socket, lane.name))
        for socket in sockets
        for lane in _free_lanes(socket)
        if every or lane.wanted_by is anybody
    ]
    return min(free, key=lambda entry: entry[:2])[2] if free else None


def _beside_parent(turn: PoolTurn, sockets: Sequence[PoolConnection]) -> Place | Wait | None:
    """Find the lane that caches the parent, or for a fork another one on its socket."""
    parent = turn.parent
    if parent is None:
        return None
    for socket in sockets:
        for lane in socket.lanes:
            if lane.latest != parent:
                continue
            if takes_a_turn(socket):
                return _at_parent(turn, socket, lane)
            if socket.probe_until is not None:
                return Wait.FOR_PARENT
            return Wait.FOR_PARENT if _finds_out_about_lanes(socket) else None
    return None


def _finds_out_about_lanes(socket: PoolConnection) -> bool:
    """Say whether the next event will show if there is room beside the turn that runs."""
    named = any(lane.turn is not None and lane.name is not None for lane in socket.lanes)
    return socket.state is ConnectionState.OPEN and socket.lanes_work is None and named


def _at_parent(turn: PoolTurn, socket: PoolConnection, lane: Lane[PoolTurn]) -> Place | Wait | None:
    chain = turn.request.chain
    forks = chain is not None and chain.is_awaited and lane.owed_to is not chain
    if chain is not None and chain.head is not None and forks:
        beside = _fork(socket, lane, stored=chain.head.stored)
        if beside is not None:
            return beside
        if lane.owed_to is not None:
            return None  # another chain is heard there first, if there is any other way
    if lane.available:
        return Place(socket, lane.name)
    return Wait.FOR_PARENT if lane.awaited_by else None


def _fork(socket: PoolConnection, source: Lane[PoolTurn], *, stored: bool) -> Place | None:
    """Find another lane beside the parent's, which stays for those that come after."""
    if source.turn is not None or not _takes_names(socket):
        return None
    barrier = None if stored else source
    for lane in _free_lanes(socket):
        if lane is not source and lane.replaceable:
            return Place(socket, lane.name, barrier)
    if socket.lanes.names_left > 0:
        return Place(socket, _new_name(socket), barrier)
    return None
