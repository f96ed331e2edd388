"""Prometheus metrics of one process, or of all workers when ``PROMETHEUS_MULTIPROC_DIR`` is set.

There are three kinds. Counters and histograms (``count``) are the library's own: it sums them over all workers. Values
of a process (``add``) are read at the scrape; of several workers each writes its own to a file again and again, and a
scrape has those of all, gauges by ``pid``. What is the same for all workers (``share``) is read by one for all.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TypeVar

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from app.lib.observability.counters import COUNTERS

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter, which no one asks for

CONTENT_TYPE = CONTENT_TYPE_LATEST.removesuffix("; charset=utf-8")  # Litestar adds it to every text
FRESH_SECONDS = 5.0
"""For which a scrape has what was read for another one, of what all workers share."""
SAMPLE_SECONDS = 1.0
"""How often one of several workers writes its values for the others."""

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
"""Of requests; all others are one to metrics and traces, because clients make them up."""

Refresh = Callable[[], Awaitable[None]]
C = TypeVar("C", bound=Collector)


class ProcessCounters(Collector):
    """What modules count by themselves."""

    def collect(self) -> Iterable[Metric]:
        """A counter each."""
        for each in COUNTERS:
            family = CounterMetricFamily(each.name, each.text, labels=each.labels)
            for labels, value in each.values.items():
                family.add_metric(labels, value)
            yield family


class ProcessMetrics(Collector):
    """Processor time, memory, open files and start of this process, where there is ``/proc``."""

    def __init__(self) -> None:
        self._source = ProcessCollector(registry=None)
        self._families = [*self._source.collect()]

    async def refresh(self) -> None:
        """Reads them, in a thread, because they are files."""
        self._families = [*await asyncio.to_thread(self._source.collect)]

    def collect(self) -> Iterable[Metric]:
        """What was read last."""
        return self._families


class BuildInfo(Collector):
    """What runs, as labels."""

    def __init__(self, **labels: str) -> None:
        self._labels = labels

    def collect(self) -> Iterable[Metric]:
        """One gauge."""
        family = GaugeMetricFamily("app_build_info", "Always 1; the labels say what runs.", labels=[*self._labels])
        family.add_metric([*self._labels.values()], 1)
        yield family


class Metrics:
    """The service's metrics. Routes are labelled by template, so a path parameter never makes a new series."""

    def __init__(self) -> None:
        self.collectors: list[Collector] = []
        """All of them, for the reference."""
        self._folder = Path(os.environ[_FOLDER]) if _FOLDER in os.environ else None
        self._counted, self._own, self._common = CollectorRegistry(), CollectorRegistry(), CollectorRegistry()
        self._own_refreshes: list[Refresh] = []
        self._common_refreshes: list[Refresh] = []
        self._copies: dict[str, Gauge | Counter] = {}
        self._copied: dict[tuple[str, ...], float] = {}
        self._kept = b""
        self._fresh_until = 0.0
        self._reading = asyncio.Lock()
        requests = Counter("http_requests", "HTTP requests.", ("method", "route", "status"), registry=None)
        text = "Time from the request's head to the end of its response."
        seconds = Histogram("http_request_duration_seconds", text, ("method", "route"), registry=None, buckets=_BUCKETS)
        self._requests, self._seconds = self.count(requests), self.count(seconds)
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        process = ProcessMetrics()
        self.add(process, process.refresh)
        self.add(ProcessCounters())

    @property
    def has_others(self) -> bool:
        """Whether other workers wait for what :meth:`sample` writes."""
        return self._folder is not None

    def count(self, metric: C) -> C:
        """Adds a counter or a histogram, made with ``registry=None``."""
        return self._add(metric, self._counted)

    def add(self, collector: Collector, refresh: Refresh | None = None) -> None:
        """Adds values of this process. ``refresh`` gets what :meth:`collect` returns; it is quick and does not fail."""
        self._add(collector, self._own)
        self._own_refreshes += [refresh] if refresh else []

    def share(self, collector: Collector, refresh: Refresh | None = None) -> None:
        """Adds values that are the same for all workers, such as those of the database. ``refresh`` does not fail;
        it is called every :data:`FRESH_SECONDS` at most, for all workers together.
        """
        self._add(collector, self._common)
        self._common_refreshes += [refresh] if refresh else []

    def _add(self, collector: C, registry: CollectorRegistry) -> C:
        registry.register(collector)
        self.collectors.append(collector)
        return collector

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts one exchange. Unknown methods share one label."""
        key = (method, route, status)
        child = self._children.get(key)
        if child is None:
            known = method if method in METHODS else "OTHER"
            child = self._requests.labels(known, route, str(status)), self._seconds.labels(known, route)
            if method in METHODS:
                self._children[key] = child
        child[0].inc()
        child[1].observe(seconds)

    async def sample(self) -> None:
        """Writes this worker's own values for the others, and waits: for a loop."""
        await self._copy_own()
        await asyncio.sleep(SAMPLE_SECONDS)

    async def scrape(self) -> bytes:
        """The text exposition format. While the database is away there are no samples of what is in it."""
        common = await self._read_common()
        if self._folder is None:
            for refresh in self._own_refreshes:
                await refresh()
            return generate_latest(self._counted) + generate_latest(self._own) + common
        await self._copy_own()
        return await asyncio.to_thread(_merge, self._folder) + common

    async def _copy_own(self) -> None:
        for refresh in self._own_refreshes:
            await refresh()
        for family in self._own.collect():
            for name, labels, value, *_ in family.samples:
                copy = self._copies.get(family.name) or self._copies.setdefault(family.name, _copy_of(family, labels))
                child = copy.labels(**labels) if labels else copy
                if isinstance(child, Gauge):
                    child.set(value)
                else:
                    key = (name, *labels.values())
                    child.inc(value - self._copied.get(key, 0.0))
                    self._copied[key] = value

    async def _read_common(self) -> bytes:
        async with self._reading:
            if time.monotonic() >= self._fresh_until:
                kept = await asyncio.to_thread(_claim, self._folder) if self._folder else None
                if kept is None:
                    for refresh in self._common_refreshes:
                        await refresh()
                    kept = generate_latest(self._common)
                    if self._folder is None:
                        self._fresh_until = time.monotonic() + FRESH_SECONDS
                    else:
                        await asyncio.to_thread(_keep, self._folder, kept)
                self._kept = kept
            return self._kept


def _copy_of(family: Metric, labels: Iterable[str]) -> Gauge | Counter:
    if family.type == "gauge":
        return Gauge(family.name, family.documentation, labels, registry=None, multiprocess_mode="liveall")
    return Counter(family.name, family.documentation, labels, registry=None)


def _merge(folder: Path) -> bytes:
    """What the workers have written, without gauges of those that are gone."""
    for pid in {int(file.stem.rpartition("_")[2]) for file in folder.glob("gauge_live*.db")}:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]  # the library has no types here
        except OSError:
            continue  # another user's
    merged = CollectorRegistry()
    MultiProcessCollector(merged, str(folder))  # type: ignore[no-untyped-call]  # nor here
    return generate_latest(merged)


def _claim(folder: Path) -> bytes | None:
    """What a worker has read for all while it is fresh. Else None: the caller has to read it, and the others have the
    old text in the meantime.
    """
    file = folder / "common.txt"
    try:
        age = time.time() - file.stat().st_mtime
        if 0 <= age < FRESH_SECONDS:
            return file.read_bytes()
        os.utime(file)
    except FileNotFoundError:
        pass
    return None


def _keep(folder: Path, text: bytes) -> None:
    file = folder / f"common.{os.getpid()}"
    file.write_bytes(text)
    file.replace(folder / "common.txt")
