"""The metrics in the text format of Prometheus; what they are is in ``observing/families.py``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from turnwire.gateway.observing.families import Counts, Family, Gauge, Histogram, families

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from prometheus_client import Metric

    from turnwire.gateway.observing.figures import Whole

_PREFIX: Final = "turnwire_"


class MetricsUnavailable(Exception):  # said to whoever scrapes, with what to do
    """What writes the format is not installed."""


def metrics_text(whole: Whole) -> tuple[bytes, str]:
    """Return the metrics in the text format, and its content type.

    Raises:
        MetricsUnavailable: The extra is not installed.
    """
    return exposition(families(whole), whole.answering if whole.workers > 1 else {})


def exposition(
    found: Iterable[Family], workers: Mapping[int, int] | None = None
) -> tuple[bytes, str]:
    """Return families in the text format, and its content type.

    Their registry lives for this one answer: nothing is global.

    Args:
        found: What there is besides the figures of processes.
        workers: The process ids of several workers by their numbers; otherwise it is about this
            process.

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
    if workers:
        registry.register(_Workers(workers))
    else:
        prometheus.ProcessCollector(registry=registry)
    registry.register(_Scrape(found))
    return prometheus.generate_latest(registry), prometheus.CONTENT_TYPE_LATEST


class _Workers:
    """The figures of several processes, each with its worker's number: they are not added.

    Otherwise a worker that was started again would make the processor's time go back.
    """

    def __init__(self, workers: Mapping[int, int]) -> None:
        self._workers = workers

    def collect(self) -> Iterator[Metric]:
        import prometheus_client as prometheus  # noqa: PLC0415  # an extra

        found: dict[str, Metric] = {}
        for number, process in self._workers.items():
            of_one = prometheus.ProcessCollector(pid=partial(int, process), registry=None)
            for metric in of_one.collect():
                family = found.setdefault(
                    metric.name,
                    prometheus.Metric(metric.name, metric.documentation, metric.type),
                )
                for sample in metric.samples:
                    family.add_sample(sample.name, {"worker": str(number)}, sample.value)
        return iter(found.values())


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
