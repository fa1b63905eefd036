"""The figures of several processes, added up.  Pure.

What only grows is added, and never taken away again: a worker that has ended leaves its counts
behind, so that sums do not go back when the next one begins at zero.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from dataclasses import replace as replaced
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from turnwire.gateway.observing.figures import Counted, Figures, Spread
from turnwire.gateway.observing.seen import OTHER
from turnwire.gateway.observing.statistics import NOW, Statistics
from turnwire.gateway.observing.tally import CODE_LIMIT, DURATION_BOUNDS, FIRST_EVENT_BOUNDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from turnwire.gateway.observing.figures import Bar
    from turnwire.gateway.observing.upstreams import UpstreamState

_BEST_FIRST: Final = ("healthy", "suspect", "probing", "down")

NOTHING: Final = Figures(
    uptime=0.0,
    statistics=Statistics(),
    turns={},
    errors={},
    chains={},
    tokens={},
    closed={},
    messages={},
    refusals={},
    bytes_saved=0,
    first_event=Spread((0,) * (len(FIRST_EVENT_BOUNDS) + 1), 0.0),
    duration=Spread((0,) * (len(DURATION_BOUNDS) + 1), 0.0),
)


def added(parts: Iterable[Figures]) -> Figures:
    """Return the figures of all of them together; the uptime is that of the oldest."""
    some = (NOTHING, *parts)
    turns: Counter[tuple[str, str]] = Counter()
    for each in some:
        turns.update(each.turns)
    return Figures(
        uptime=max(each.uptime for each in some),
        statistics=_statistics([each.statistics for each in some]),
        turns=dict(turns),
        errors=_counted(each.errors for each in some),
        chains=_counted(each.chains for each in some),
        tokens=_counted(each.tokens for each in some),
        closed=_counted(each.closed for each in some),
        messages=_counted(each.messages for each in some),
        refusals=_counted(each.refusals for each in some),
        bytes_saved=sum(each.bytes_saved for each in some),
        first_event=_spread([each.first_event for each in some]),
        duration=_spread([each.duration for each in some]),
        sockets_open=sum(each.sockets_open for each in some),
        lanes=sum(each.lanes for each in some),
        turns_running=sum(each.turns_running for each in some),
        turns_waiting=sum(each.turns_waiting for each in some),
        upstreams=_upstreams([each.upstreams for each in some if each.upstreams]),
        store_up=all(each.store_up for each in some),
        bars=tuple(sorted((bar for each in some for bar in each.bars), key=_age)),
    )


def counts_of(figures: Figures) -> Figures:
    """Return what only grows; nothing runs, waits or is open, as nobody knows of that any more."""
    return replace(
        figures,
        uptime=0.0,
        statistics=replaced(figures.statistics, **dict.fromkeys(NOW, 0)),
        sockets_open=0,
        lanes=0,
        turns_running=0,
        turns_waiting=0,
        upstreams=(),
        store_up=True,
        bars=(),
    )


def left_behind(before: Figures, ended: Figures) -> Figures:
    """Return the counts of workers that have ended, with those of one more.

    Each may have met codes of its own; those beyond the limit of one worker become ``other``.
    """
    total = added((before, counts_of(ended)))
    kept = dict(list(total.errors.items())[:CODE_LIMIT])
    if rest := sum(total.errors.values()) - sum(kept.values()):
        kept[OTHER] = kept.get(OTHER, 0) + rest
    return replace(total, errors=kept)


def _statistics(parts: Sequence[Statistics]) -> Statistics:
    names = [field.name for field in fields(Statistics)]
    return Statistics(**{name: sum(getattr(each, name) for each in parts) for name in names})


def _counted(parts: Iterable[Counted]) -> Counted:
    total: Counter[str] = Counter()
    for each in parts:
        total.update(each)
    return dict(total)


def _spread(parts: Sequence[Spread]) -> Spread:
    columns = zip(*(each.counts for each in parts), strict=True)
    return Spread(tuple(map(sum, columns)), sum(each.total for each in parts))


def _age(bar: Bar) -> float:
    return bar.received


def _upstreams(parts: Sequence[tuple[UpstreamState, ...]]) -> tuple[UpstreamState, ...]:
    """Return each upstream once, in the order of the configuration, which all workers have."""
    by_name: dict[str, list[UpstreamState]] = {}
    for state in (state for states in parts for state in states):
        by_name.setdefault(state.name, []).append(state)
    return tuple(_upstream(states) for states in by_name.values())


def _upstream(states: list[UpstreamState]) -> UpstreamState:
    """Return an upstream as bad as the worker finds it that finds it worst."""
    worst = max(states, key=lambda state: _BEST_FIRST.index(state.health))
    alike = sum(state.health == worst.health for state in states)
    reason = worst.reason
    if alike < len(states):
        reason = f"{alike} of {len(states)} workers: {reason or worst.health}"
    return replaced(
        worst,
        active=sum(state.active for state in states),
        waiting=sum(state.waiting for state in states),
        reason=reason,
    )
