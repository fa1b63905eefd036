"""What the status page draws, as one JSON object: numbers, times and configured names."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from msgspec.structs import asdict as members

from turnwire.gateway.observing.version import installed_version

if TYPE_CHECKING:
    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.observing.figures import Bar, Whole

_ERRORS_SHOWN: Final = 12
_TIMES: Final = ("received", "started", "first_event", "ended")


def snapshot(whole: Whole, now: float, window: float) -> Json:
    """Return how the gateway is now.

    Args:
        whole: Its figures.
        now: The time of the clock that the turns were seen by, in seconds.
        window: Seconds for which turns are drawn after their end.
    """
    figures, workers = whole.figures, whole.workers
    statistics, chains = figures.statistics, Counter(figures.chains)
    errors = Counter(figures.errors) + Counter(figures.messages)
    tokens = Counter(figures.tokens)
    return {
        "version": installed_version(),
        "process": os.getpid(),
        "workers": {"all": workers, "answering": len(whole.answering)} if workers > 1 else None,
        "now": round(now, 3),
        "uptime_seconds": round(figures.uptime, 3),
        "upstreams": [asdict(state) for state in figures.upstreams],
        "store_up": figures.store_up,
        "sockets": {
            "open": figures.sockets_open,
            "opened": statistics.sockets,
            "lanes": figures.lanes,
        },
        "turns": {
            "active": figures.turns_running,
            "waiting": figures.turns_waiting,
            "started": statistics.turns,
        },
        "model_runs": {
            "active": statistics.model_runs_active,
            "started": statistics.model_runs,
            "stopped": statistics.model_runs_stopped,
        },
        "chains": {
            "hit": chains["hit"],
            "miss": chains["miss"],
            "hit_ratio": figures.hit_ratio,
        },
        "bytes": {
            "in": statistics.bytes_in,
            "out": statistics.bytes_out,
            "saved": figures.bytes_saved,
        },
        "tokens": {kind: tokens[kind] for kind in ("input", "cached", "output")},
        "errors": dict(errors.most_common(_ERRORS_SHOWN)),
        "refusals": figures.refusals,
        "window_seconds": window,
        "timeline": [_drawn(bar) for bar in figures.bars],
    }


def _drawn(bar: Bar) -> Json:
    drawn = members(bar)
    for name in _TIMES:
        drawn[name] = None if drawn[name] is None else round(drawn[name], 3)
    return drawn
