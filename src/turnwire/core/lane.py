"""Lanes: the named FIFO queues on one socket, and the server's limits on them.

One rule book for both sides.  The client takes a lane only when it is free; the server queues
behind it.  Sources: docs/protocol/lanes.md.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, Generic, Literal, TypeVar

from turnwire.core.machine import advance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

LaneName = str | None  # None is the default lane: no `stream_id` on the wire

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,256}", re.ASCII)

LaneRefusal = Literal["invalid_stream_id", "websocket_stream_limit_reached"]


class LaneState(Enum):
    """Where a lane is."""

    FREE = "free"
    BUSY = "busy"  # a turn of ours is on the wire
    DRAINING = "draining"  # its turn was abandoned; the lane is dirty until the terminal event


class LaneSignal(Enum):
    """What can happen to a lane."""

    TAKE = "take"
    ABANDON = "abandon"
    END = "end"


_S, _E = LaneState, LaneSignal

TRANSITIONS: Final = {
    (_S.FREE,     _E.TAKE):    _S.BUSY,
    (_S.BUSY,     _E.ABANDON): _S.DRAINING,
    (_S.BUSY,     _E.END):     _S.FREE,
    (_S.DRAINING, _E.END):     _S.FREE,
}  # fmt: skip


@dataclass(slots=True)
class Lane(Generic[T]):
    """One lane; ``turn`` is the one on the wire, ``waiting`` those behind it (server side).

    ``latest`` is the response that the server keeps for this lane, the only one: see
    docs/protocol/continuation.md#cache.  What was said to it and waits for whatever continues it on
    this lane is owed to a chain: ``owed_to``.  If that chain went elsewhere and its caller was told
    that it is not heard, whoever continues the response here hears it all the same: ``spoilt``.
    """

    name: LaneName
    state: LaneState = LaneState.FREE
    turn: T | None = None
    waiting: deque[T] = field(default_factory=deque["T"])
    latest: str | None = None
    awaited_by: set[int] = field(default_factory=set[int])  # forks that still need `latest`
    last_used: float = 0.0
    drained_bytes: int = 0
    drain_until: float | None = None
    wanted_by: Callable[[], object | None] | None = None
    owed_to: object | None = None
    spoilt: str | None = None

    @property
    def available(self) -> bool:
        """True if a turn may be written now."""
        return self.state is LaneState.FREE and not self.awaited_by

    @property
    def replaceable(self) -> bool:
        """True if nobody would miss what the server keeps for this lane."""
        wanted = self.wanted_by
        return self.latest is None or wanted is None or wanted() is None

    def remember(
        self, response_id: str | None, wanted_by: Callable[[], object | None] | None = None
    ) -> None:
        """Note what the server now keeps for this lane.

        Args:
            response_id: None if it keeps nothing.
            wanted_by: Returns whoever may continue that response on this lane, or None.
        """
        self.latest, self.wanted_by = response_id, wanted_by
        self.owed_to = self.spoilt = None

    def signal(self, signal: LaneSignal) -> None:
        """Move along the table."""
        self.state = advance(TRANSITIONS, self.state, signal)


def anybody() -> object:
    """Stand in ``wanted_by`` for a caller that cannot be asked whether it still wants it."""
    return True


class Lanes(Generic[T]):
    """All lanes of one socket.

    Args:
        active_limit: Turns at once, over all lanes: 16 on the hosted service.
        named_limit: Distinct names for the life of the socket, never released: 32.

    Attributes:
        by_name: Every lane that has been used, and the default one; change it by methods only.
    """

    def __init__(self, active_limit: int = 16, named_limit: int = 32) -> None:
        self.active_limit = active_limit
        self.named_limit = named_limit
        self.by_name: dict[LaneName, Lane[T]] = {None: Lane(None)}
        self._active = 0
        self._ready: deque[Lane[T]] = deque()  # lane heads that wait for one of the 16 places

    def __iter__(self) -> Iterator[Lane[T]]:
        return iter(self.by_name.values())

    @property
    def active(self) -> int:
        """Turns on the wire, abandoned ones included."""
        return self._active

    @property
    def has_room(self) -> bool:
        """True if another turn may be on the wire."""
        return self._active < self.active_limit

    @property
    def names_left(self) -> int:
        """How many more names this socket takes."""
        return self.named_limit - (len(self.by_name) - 1)

    def refusal(self, name: LaneName) -> LaneRefusal | None:
        """Say why a ``stream_id`` cannot be used, or None if it can."""
        if name is None or name in self.by_name:
            return None
        if not _NAME.fullmatch(name):
            return "invalid_stream_id"
        return None if self.names_left > 0 else "websocket_stream_limit_reached"

    def open(self, name: LaneName) -> Lane[T]:
        """Return the lane of that name, made if need be; the caller has checked ``refusal``."""
        lane = self.by_name.get(name)
        if lane is None:
            lane = self.by_name[name] = Lane(name)
        return lane

    def take(self, lane: Lane[T], turn: T, now: float) -> None:
        """Put a turn on a free lane."""
        lane.signal(LaneSignal.TAKE)
        lane.turn = turn
        lane.last_used = now
        self._active += 1

    def end(self, lane: Lane[T]) -> None:
        """Free a lane: its turn's terminal event was seen."""
        lane.signal(LaneSignal.END)
        lane.turn = None
        lane.drain_until, lane.drained_bytes = None, 0
        self._active -= 1

    def adopt_as_default(self, lane: Lane[T]) -> None:
        """Treat a lane as the default one: the server ignored or refused its name."""
        del self.by_name[lane.name]
        lane.name = None
        self.by_name[None] = lane

    def withdraw(self, lane: Lane[T]) -> None:
        """Forget a lane whose name the server refused: it takes fewer names than was thought."""
        self.end(lane)
        del self.by_name[lane.name]
        self.named_limit = len(self.by_name) - 1

    # The server's half: turns queue behind their lane, lane heads behind the 16 places.

    def enqueue(self, lane: Lane[T], turn: T) -> None:
        """Queue a turn behind its lane."""
        lane.waiting.append(turn)
        if lane.state is LaneState.FREE and len(lane.waiting) == 1:
            self._ready.append(lane)

    def start_ready(self, now: float) -> list[T]:
        """Start every turn that may start, in order of arrival; return them."""
        started: list[T] = []
        while self._ready and self.has_room:
            lane = self._ready.popleft()
            turn = lane.waiting.popleft()
            self.take(lane, turn, now)
            started.append(turn)
        return started

    def clear(self) -> None:
        """Free every lane and forget what waits: the socket is gone."""
        for lane in self:
            lane.waiting.clear()
            if lane.turn is not None:
                self.end(lane)
        self._ready.clear()

    def end_and_queue(self, lane: Lane[T]) -> None:
        """Free a lane; if turns wait behind it, its head joins those that wait for a place."""
        self.end(lane)
        if lane.waiting:
            self._ready.append(lane)
