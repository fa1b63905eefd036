"""Every metric by name, of the gateway's figures when somebody asks.

Nothing is counted twice, and no label comes from a client.  Names carry their unit; what writes
them down adds ``turnwire_`` before, and ``_total`` behind counters.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from turnwire.gateway.observing.tally import DURATION_BOUNDS, FIRST_EVENT_BOUNDS
from turnwire.gateway.observing.version import installed_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from turnwire.gateway.observing.figures import Figures, Spread, Whole

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


def families(whole: Whole) -> Iterator[Family]:
    """Yield every metric as it is now."""
    figures = whole.figures
    yield Gauge(
        "info", "Which gateway this is; always 1.", ("version",), {(installed_version(),): 1}
    )
    if whole.workers > 1:
        yield _now("workers", "Processes that share the port.", whole.workers)
        yield _now(
            "workers_answering", "Those whose sockets and turns are in here.", len(whole.answering)
        )
    yield from _turns(figures)
    yield from _model_runs(figures)
    yield from _sockets(figures)
    yield from _volumes(figures)
    yield from _upstreams(figures)
    yield _now("store_up", "1 if the store answered when it was last asked.", figures.store_up)


def _turns(figures: Figures) -> Iterator[Family]:
    turns: Values = {labels: float(count) for labels, count in figures.turns.items()}
    chains = {result: figures.chains.get(result, 0) for result in ("hit", "miss")}
    yield Counts("turns", "Turns that ended.", ("outcome", "transport"), turns)
    yield _now("turns_active", "Turns that run.", figures.turns_running)
    yield _now("turns_waiting", "Turns that wait for their lane.", figures.turns_waiting)
    yield _histogram(
        "time_to_first_event_seconds",
        "From the create to the first output, the wait for a lane included.",
        figures.first_event,
        FIRST_EVENT_BOUNDS,
    )
    yield _histogram(
        "turn_duration_seconds",
        "From the create to the end, the wait for a lane included.",
        figures.duration,
        DURATION_BOUNDS,
    )
    yield _by_kind(
        "chain_lookups",
        "Turns that continue a response, by whether it was found.",
        "result",
        chains,
    )
    yield _by_kind("errors", "Errors that ended turns.", "code", figures.errors)
    yield _by_kind(
        "refused_messages",
        "Messages on sockets that were refused before they became turns.",
        "code",
        figures.messages,
    )
    yield _by_kind(
        "refused_requests", "Requests over HTTP that were refused.", "status", figures.refusals
    )


def _model_runs(figures: Figures) -> Iterator[Family]:
    statistics = figures.statistics
    yield _count(
        "model_runs_started", "Model runs that an upstream was asked for.", statistics.model_runs
    )
    yield _count(
        "model_runs_stopped",
        "Those that were stopped because nobody wanted them any more.",
        statistics.model_runs_stopped,
    )
    yield _now("model_runs_active", "Those that run.", statistics.model_runs_active)


def _sockets(figures: Figures) -> Iterator[Family]:
    yield _count("sockets_opened", "Sockets that were opened.", figures.statistics.sockets)
    yield _by_kind("sockets_closed", "Sockets that were closed.", "code", figures.closed)
    yield _now("sockets_open", "Sockets that are open.", figures.sockets_open)
    yield _now(
        "lanes", "Lanes of the open sockets: default ones and those used by name.", figures.lanes
    )


def _volumes(figures: Figures) -> Iterator[Family]:
    kinds = ("input", "cached", "output", "reasoning")
    yield _by_kind(
        "tokens",
        "Tokens as upstreams count them; cached ones are part of input, reasoning ones of output.",
        "kind",
        {kind: figures.tokens.get(kind, 0) for kind in kinds},
    )
    statistics = figures.statistics
    yield _count("received_bytes", "Messages and bodies from clients.", statistics.bytes_in)
    yield _count("sent_bytes", "Messages and bodies to clients.", statistics.bytes_out)
    yield _count(
        "saved_bytes", "Chains that clients did not have to send again.", figures.bytes_saved
    )


def _upstreams(figures: Figures) -> Iterator[Family]:
    states = figures.upstreams
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


def _histogram(name: str, text: str, seen: Spread, bounds: tuple[float, ...]) -> Histogram:
    buckets = tuple(zip((*bounds, float("inf")), accumulate(seen.counts), strict=True))
    return Histogram(name, text, buckets, seen.total)
