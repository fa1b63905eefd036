"""How a gateway is at one moment, in numbers, times and configured names: what operators are shown.

One process takes it from its own counters.  Several send theirs to the one that started them, which
adds them up: ``observing/adding.py``.
"""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol

from msgspec import Struct

from turnwire.gateway.observing.statistics import Statistics
from turnwire.gateway.observing.upstreams import UpstreamState, upstream_states

if TYPE_CHECKING:
    from collections.abc import Iterator

    from turnwire.gateway.observing.observer import Observer
    from turnwire.gateway.observing.seen import SeenSocket, SeenTurn
    from turnwire.gateway.observing.tally import Distribution
    from turnwire.gateway.upstreams import Upstream

_WAITING_SHOWN: Final = 100

Counted = dict[str, int]


class Bar(Struct, frozen=True):
    """One turn on the timeline; times are of the machine's monotonic clock, in seconds.

    Attributes:
        id: Tells turns apart, those of other workers included.
        worker: Where it runs; None where there is one process only.
        started: None while it waits for its lane; it has no number yet.
    """

    id: str
    worker: int | None
    socket: int | None
    lane: int | None
    transport: str
    model: str | None
    received: float
    started: float | None = None
    first_event: float | None = None
    ended: float | None = None
    outcome: str | None = None
    code: str | None = None


class Spread(Struct, frozen=True):
    """What a ``Distribution`` has seen; its bounds are known."""

    counts: tuple[int, ...]
    total: float


class Figures(Struct, frozen=True):
    """A gateway's figures.

    Attributes:
        uptime: Seconds since it started.
        turns: Those that ended, by outcome and transport.
        messages: Those that were refused before they became turns, by code.
        sockets_open: Of now, as are the four after it.
        store_up: False if the store did not answer when it was last asked; of now, too.
        bars: Turns that run, wait, or ended within the last minute.
    """

    uptime: float
    statistics: Statistics
    turns: dict[tuple[str, str], int]
    errors: Counted
    chains: Counted
    tokens: Counted
    closed: Counted
    messages: Counted
    refusals: Counted
    bytes_saved: int
    first_event: Spread
    duration: Spread
    sockets_open: int = 0
    lanes: int = 0
    turns_running: int = 0
    turns_waiting: int = 0
    upstreams: tuple[UpstreamState, ...] = ()
    store_up: bool = True
    bars: tuple[Bar, ...] = ()

    @property
    def hit_ratio(self) -> float | None:
        """The part of continuations whose chain was found; None before the first one."""
        wanted = self.chains.get("hit", 0) + self.chains.get("miss", 0)
        return self.chains.get("hit", 0) / wanted if wanted else None


class Whole(Struct, frozen=True):
    """The figures of a whole gateway.

    Attributes:
        figures: Of all its processes together.
        workers: How many share the port; 1 without workers.
        answering: The process ids of those that have told how they are, by their numbers.
    """

    figures: Figures
    workers: int
    answering: dict[int, int]


class Siblings(Protocol):
    """The other workers, for the one that is asked."""

    number: int
    count: int

    async def whole(self, *, bars: bool, seconds_old: float = 0.0) -> Whole:
        """Return the figures of all of them, its own included.

        Args:
            bars: Whether the turns are wanted, too.
            seconds_old: An answer that is not older will do.

        Raises:
            SiblingsUnknown: Nobody told in time.
        """
        ...


class SiblingsUnknown(Exception):  # an operator reads it
    """Nobody says how the other workers are."""


def figures_of(
    observer: Observer,
    statistics: Statistics,
    upstream: Upstream,
    *,
    store_up: bool = True,
    worker: int | None = None,
    share: int = 1,
) -> Figures:
    """Return the figures of this process.

    Args:
        observer: Sees the process.
        statistics: Its counters.
        upstream: Whom it asks.
        store_up: False if what keeps its responses did not answer when it was last asked.
        worker: Its number among several.
        share: The timeline takes one of so many parts of its room; 0 leaves it out.
    """
    tally = observer.tally
    now = observer.clock()
    sockets = observer.sockets.values()
    return Figures(
        uptime=now - observer.started,
        statistics=statistics.copy(),
        turns=dict(tally.turns),
        errors=dict(tally.errors),
        chains=dict(tally.chains),
        tokens=dict(tally.tokens),
        closed=dict(tally.closed),
        messages=dict(observer.refused_messages()),
        refusals=dict(tally.refusals),
        bytes_saved=tally.bytes_saved,
        first_event=_spread(tally.first_event),
        duration=_spread(tally.duration),
        sockets_open=len(sockets),
        lanes=sum(socket.serving.lanes for socket in sockets),
        turns_running=observer.timeline.running,
        turns_waiting=sum(socket.serving.waiting for socket in sockets),
        upstreams=upstream_states(upstream, statistics.model_runs_active),
        store_up=store_up,
        bars=tuple(_bars(observer, now, worker, share)) if share else (),
    )


def alone(figures: Figures) -> Whole:
    """Return the figures of a gateway that is this process."""
    return Whole(figures, 1, {1: os.getpid()})


def _spread(seen: Distribution) -> Spread:
    return Spread(tuple(seen.counts), seen.total)


def _bars(observer: Observer, now: float, worker: int | None, share: int) -> Iterator[Bar]:
    timeline = observer.timeline
    for turn in timeline.recent(now, _part(timeline.limit, share)):
        yield _bar(turn, worker)
    waiting = (bar for socket in observer.sockets.values() for bar in _waiting_on(socket, worker))
    yield from islice(waiting, _part(_WAITING_SHOWN, share))


def _part(room: int, share: int) -> int:
    return max(room // share, 1)


def _bar(turn: SeenTurn, worker: int | None) -> Bar:
    return Bar(
        id=_among_all(str(turn.number), worker),
        worker=worker,
        socket=turn.socket,
        lane=turn.lane,
        transport=turn.transport,
        model=turn.model,
        received=turn.received,
        started=turn.started,
        first_event=turn.first_event,
        ended=turn.ended,
        outcome=None if turn.ended is None else turn.outcome,
        code=turn.code,
    )


def _waiting_on(socket: SeenSocket, worker: int | None) -> Iterator[Bar]:
    if not socket.serving.waiting:
        return
    for place in socket.serving.waiting_places():
        yield Bar(
            id=_among_all(f"{socket.number}.{place.lane}.{place.received:.6f}", worker),
            worker=worker,
            socket=socket.number,
            lane=place.lane,
            transport="websocket",
            model=None,
            received=place.received,
        )


def _among_all(number: str, worker: int | None) -> str:
    return number if worker is None else f"{worker}-{number}"
