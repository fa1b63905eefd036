"""What the status page draws, as one JSON object: numbers, times and configured names."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from turnwire.gateway.observing.upstreams import upstream_states
from turnwire.gateway.observing.version import installed_version

if TYPE_CHECKING:
    from turnwire.gateway.json_shapes import Json
    from turnwire.gateway.observing import Observer, SeenTurn
    from turnwire.gateway.observing.seen import SeenSocket
    from turnwire.gateway.observing.statistics import Statistics
    from turnwire.gateway.upstreams import Upstream

_ERRORS_SHOWN: Final = 12
_WAITING_SHOWN: Final = 100


def snapshot(observer: Observer, statistics: Statistics, upstream: Upstream) -> Json:
    """Return how the gateway is now; times are of the observer's clock, in seconds."""
    now = observer.clock()
    tally = observer.tally
    errors = tally.errors + observer.refused_messages()
    sockets = observer.sockets.values()
    return {
        "version": installed_version(),
        "process": os.getpid(),
        "now": round(now, 3),
        "uptime_seconds": round(now - observer.started, 3),
        "upstreams": [
            asdict(state) for state in upstream_states(upstream, statistics.model_runs_active)
        ],
        "sockets": {
            "open": len(observer.sockets),
            "opened": statistics.sockets,
            "lanes": sum(socket.serving.lanes for socket in sockets),
        },
        "turns": {
            "active": observer.timeline.running,
            "waiting": sum(socket.serving.waiting for socket in sockets),
            "started": statistics.turns,
        },
        "model_runs": {
            "active": statistics.model_runs_active,
            "started": statistics.model_runs,
            "stopped": statistics.model_runs_stopped,
        },
        "chains": {
            "hit": tally.chains["hit"],
            "miss": tally.chains["miss"],
            "hit_ratio": tally.hit_ratio,
        },
        "bytes": {
            "in": statistics.bytes_in,
            "out": statistics.bytes_out,
            "saved": tally.bytes_saved,
        },
        "tokens": {kind: tally.tokens[kind] for kind in ("input", "cached", "output")},
        "errors": dict(errors.most_common(_ERRORS_SHOWN)),
        "refusals": dict(tally.refusals),
        "window_seconds": observer.timeline.seconds,
        "timeline": [_bar(turn) for turn in observer.timeline.recent(now)] + _waiting(observer),
    }


def _bar(turn: SeenTurn) -> Json:
    return {
        "id": str(turn.number),
        "socket": turn.socket,
        "lane": turn.lane,
        "transport": turn.transport,
        "model": turn.model,
        "received": round(turn.received, 3),
        "started": round(turn.started, 3),
        "first_event": None if turn.first_event is None else round(turn.first_event, 3),
        "ended": None if turn.ended is None else round(turn.ended, 3),
        "outcome": None if turn.ended is None else turn.outcome,
        "code": turn.code,
    }


def _waiting(observer: Observer) -> list[Json]:
    """Return the turns that wait for their lane; they have no number yet."""
    bars: list[Json] = []
    for socket in observer.sockets.values():
        if not socket.serving.waiting:
            continue
        bars += _waiting_on(socket)
        if len(bars) >= _WAITING_SHOWN:
            return bars[:_WAITING_SHOWN]
    return bars


def _waiting_on(socket: SeenSocket) -> list[Json]:
    return [
        {
            "id": f"{socket.number}.{place.lane}.{place.received:.6f}",
            "socket": socket.number,
            "lane": place.lane,
            "transport": "websocket",
            "model": None,
            "received": round(place.received, 3),
            "started": None,
            "first_event": None,
            "ended": None,
            "outcome": None,
            "code": None,
        }
        for place in socket.serving.waiting_places()
    ]
