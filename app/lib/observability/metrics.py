"""Prometheus metrics of one process, or of all workers when ``PROMETHEUS_MULTIPROC_DIR`` is set."""

import os
from collections.abc import Awaitable, Callable, Iterable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST.removesuffix("; charset=utf-8")  # Litestar adds it to every text

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Gauges(Collector):
    """Values that are asked for at the time of the scrape, in this process: name, help and a function."""

    def __init__(self, *gauges: tuple[str, str, Callable[[], float]]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterable[Metric]:
        """One gauge each, labelled with the process."""
        for name, text, read in self._gauges:
            family = GaugeMetricFamily(name, text, labels=["pid"])
            family.add_metric([str(os.getpid())], read())
            yield family


class Metrics:
    """The service's registry. Routes are labelled by template, so a path parameter never makes a new series."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "http_requests", "HTTP requests.", ("method", "route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "Time from the request's head to the end of its response.",
            ("method", "route"),
            registry=self.registry,
            buckets=_BUCKETS,
        )
        self._limited = Counter(
            "http_requests_rate_limited", "Requests refused by a limit.", ("route",), registry=self.registry
        )
        self._added: list[Collector] = []
        self._refreshes: list[Callable[[], Awaitable[None]]] = []
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def add(self, collector: Collector, refresh: Callable[[], Awaitable[None]] | None = None) -> None:
        """Adds a collector, such as :class:`Gauges`. ``refresh`` reads what it tells; it is quick and does not fail."""
        self.registry.register(collector)
        self._added.append(collector)
        if refresh is not None:
            self._refreshes.append(refresh)

    async def refresh(self) -> None:
        """Readies those collectors that have to wait for their values; before :meth:`render`."""
        for refresh in self._refreshes:
            await refresh()

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts one exchange. Unknown methods share one label."""
        key = (method, route, status)
        child = self._children.get(key)
        if child is None:
            known = method if method in _METHODS else "OTHER"
            child = self._requests.labels(known, route, str(status)), self._seconds.labels(known, route)
            if method in _METHODS:
                self._children[key] = child
        child[0].inc()
        child[1].observe(seconds)
        if status == 429:  # noqa: PLR2004 - Too Many Requests
            self._limited.labels(route).inc()

    def render(self) -> bytes:
        """The text exposition format. With several workers, counters and histograms are summed over them."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self.registry)
        merged = CollectorRegistry()
        MultiProcessCollector(merged)  # type: ignore[no-untyped-call]  # the library does not annotate it
        own = CollectorRegistry()
        for collector in self._added:
            own.register(collector)
        return generate_latest(merged) + generate_latest(own)


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
