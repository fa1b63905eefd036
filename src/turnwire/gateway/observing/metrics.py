"""The metrics in the text format of Prometheus; what they are is in ``observing/families.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from turnwire.gateway.observing.families import Counts, Family, Gauge, Histogram, families

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client import Metric

    from turnwire.gateway.observing import Observer
    from turnwire.gateway.observing.statistics import Statistics
    from turnwire.gateway.upstreams import Upstream

_PREFIX: Final = "turnwire_"


class MetricsUnavailable(Exception):  # said to whoever scrapes, with what to do
    """What writes the format is not installed."""


def metrics_text(
    observer: Observer, statistics: Statistics, upstream: Upstream
) -> tuple[bytes, str]:
    """Return the metrics in the text format, and its content type.

    Raises:
        MetricsUnavailable: The extra is not installed.
    """
    return exposition(families(observer, statistics, upstream))


def exposition(found: Iterable[Family]) -> tuple[bytes, str]:
    """Return families in the text format, and its content type.

    Their registry lives for this one answer: nothing is global.

    Raises:
        MetricsUnavailable: The extra is not installed.
    """
    try:
        import prometheus_client as prometheus  # noqa: PLC0415  # an extra
    except ModuleNotFoundError as error:
        raise MetricsUnavailable(
            'Metrics need prometheus-client: pip install "turnwire[metrics]", then start the'
            " gateway again."
        ) from error
    registry = prometheus.CollectorRegistry()
    prometheus.ProcessCollector(registry=registry)
    registry.register(_Scrape(found))
    return prometheus.generate_latest(registry), prometheus.CONTENT_TYPE_LATEST


class _Scrape:
    """What the registry asks for its one collection."""

    def __init__(self, found: Iterable[Family]) -> None:
        self._found = [*found]

    def collect(self) -> Iterator[Metric]:
        return map(_metric, self._found)


def _metric(family: Family) -> Metric:
    from prometheus_client import core  # noqa: PLC0415  # an extra

    name = _PREFIX + family.name
    match family:
        case Histogram():
            buckets = [
                (f"{bound:g}".replace("inf", "+Inf"), count) for bound, count in family.buckets
            ]
            return core.HistogramMetricFamily(name, family.help, buckets, family.total)
        case Counts():
            counter = core.CounterMetricFamily(name, family.help, labels=family.labels)
            for labels, value in family.values.items():
                counter.add_metric(labels, value)
            return counter
        case Gauge():
            gauge = core.GaugeMetricFamily(name, family.help, labels=family.labels)
            for labels, value in family.values.items():
                gauge.add_metric(labels, value)
            return gauge
