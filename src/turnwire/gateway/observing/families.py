"""Every metric by name, read from the counters when somebody asks.

Nothing is counted twice, and no label comes from a client.  Names carry their unit; what writes
them down adds ``turnwire_`` before, and ``_total`` behind counters.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from turnwire.gateway.observing.upstreams import upstream_states
from turnwire.gateway.observing.version import installed_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from turnwire.gateway.observing.observer import Observer
    from turnwire.gateway.observing.statistics import Statistics
    from turnwire.gateway.observing.tally import Distribution
    from turnwire.gateway.upstreams import Upstream

Values = dict[tuple[str, ...], float]


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers that only grow; one for each combination of labels."""

    name: str
    help: str
    labels: tuple[str, ...]
    values: Values


@dataclass(frozen=True, slots=True)
class Gauge:
    """Numbers as they are now; one for each combination of labels."""

    name: str
    help: str
    labels: tuple[str, ...]
    values: Values


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many were not above which bound, the last one infinite, and their sum."""

    name: str
    help: str
    buckets: tuple[tuple[float, int], ...]
    total: float


Family = Counts | Gauge | Histogram


def families(observer: Observer, statistics: Statistics, upstream: Upstream) -> Iterator[Family]:
    """Yield every metric as it is now."""
    yield Gauge(
        "info", "Which gateway this is; always 1.", ("version",), {(installed_version(),): 1}
    )
    yield from _turns(observer)
    yield from _model_runs(statistics)
    yield from _sockets(observer, statistics)
    yield from _volumes(observer, statistics)
    yield from _upstreams(upstream, statistics)


def _turns(observer: Observer) -> Iterator[Family]:
    tally = observer.tally
    waiting = sum(socket.serving.waiting for socket in observer.sockets.values())
    turns: Values = {labels: float(count) for labels, count in tally.turns.items()}
    chains = {result: tally.chains[result] for result in ("hit", "miss")}
    yield Counts("turns", "Turns that ended.", ("outcome", "transport"), turns)
    yield _now("turns_active", "Turns that run.", observer.timeline.running)
    yield _now("turns_waiting", "Turns that wait for their lane.", waiting)
    yield _histogram(
        "time_to_first_event_seconds",
        "From the create to the first output, the wait for a lane included.",
        tally.first_event,
    )
    yield _histogram(
        "turn_duration_seconds",
        "From the create to the end, the wait for a lane included.",
        tally.duration,
    )
    yield _by_kind(
        "chain_lookups",
        "Turns that continue a response, by whether it was found.",
        "result",
        chains,
    )
    yield _by_kind("errors", "Errors that ended turns.", "code", tally.errors)
    yield _by_kind(
        "refused_messages",
        "Messages on sockets that were refused before they became turns.",
        "code",
        observer.refused_messages(),
    )
    yield _by_kind(
        "refused_requests", "Requests over HTTP that were refused.", "status", tally.refusals
    )


def _model_runs(statistics: Statistics) -> Iterator[Family]:
    yield _count(
        "model_runs_started", "Model runs that an upstream was asked for.", statistics.model_runs
    )
    yield _count(
        "model_runs_stopped",
        "Those that were stopped because nobody wanted them any more.",
        statistics.model_runs_stopped,
    )
    yield _now("model_runs_active", "Those that run.", statistics.model_runs_active)


def _sockets(observer: Observer, statistics: Statistics) -> Iterator[Family]:
    lanes = sum(socket.serving.lanes for socket in observer.sockets.values())
    yield _count("sockets_opened", "Sockets that were opened.", statistics.sockets)
    yield _by_kind("sockets_closed", "Sockets that were closed.", "code", observer.tally.closed)
    yield _now("sockets_open", "Sockets that are open.", len(observer.sockets))
    yield _now("lanes", "Lanes of the open sockets: default ones and those used by name.", lanes)


def _volumes(observer: Observer, statistics: Statistics) -> Iterator[Family]:
    tally = observer.tally
    tokens = {kind: tally.tokens[kind] for kind in ("input", "cached", "output", "reasoning")}
    yield _by_kind(
        "tokens",
        "Tokens as upstreams count them; cached ones are part of input, reasoning ones of output.",
        "kind",
        tokens,
    )
    yield _count("received_bytes", "Messages and bodies from clients.", statistics.bytes_in)
    yield _count("sent_bytes", "Messages and bodies to clients.", statistics.bytes_out)
    yield _count(
        "saved_bytes", "Chains that clients did not have to send again.", tally.bytes_saved
    )


def _upstreams(upstream: Upstream, statistics: Statistics) -> Iterator[Family]:
    states = upstream_states(upstream, statistics.model_runs_active)
    for name, text, values in (
        ("up", "1 if turns go to this model server.", [float(state.up) for state in states]),
        ("turns_active", "Turns that run there.", [state.active for state in states]),
        ("turns_waiting", "Turns that wait for a place there.", [each.waiting for each in states]),
    ):
        labelled: Values = {
            (state.name,): float(value) for state, value in zip(states, values, strict=True)
        }
        yield Gauge(f"upstream_{name}", text, ("upstream",), labelled)


def _count(name: str, text: str, value: float) -> Counts:
    return Counts(name, text, (), {(): value})


def _now(name: str, text: str, value: float) -> Gauge:
    return Gauge(name, text, (), {(): value})


def _by_kind(name: str, text: str, label: str, counts: Mapping[str, int]) -> Counts:
    return Counts(name, text, (label,), {(kind,): float(count) for kind, count in counts.items()})


def _histogram(name: str, text: str, seen: Distribution) -> Histogram:
    bounds = (*seen.bounds, float("inf"))
    buckets = tuple(zip(bounds, accumulate(seen.counts), strict=True))
    return Histogram(name, text, buckets, seen.total)
