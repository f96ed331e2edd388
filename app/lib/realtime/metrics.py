"""Sockets and channels of this process in numbers, for Prometheus."""

import os
from collections import Counter
from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.lib.realtime.service import Realtime

_KINDS = ("socket", "stream", "lobby")


class RealtimeMetrics(Collector):
    """Asked for at the time of the scrape; every sample is labelled with the process."""

    def __init__(self, realtime: Realtime) -> None:
        self._realtime = realtime

    def collect(self) -> Iterable[Metric]:
        """A fan-out that is not connected costs time and nothing else: everything still arrives by the log."""
        realtime, pid = self._realtime, str(os.getpid())
        statistics = realtime.hub.statistics
        yield _gauge("realtime_channels", "Channels that somebody here listens to.", statistics.channels)
        yield _gauge(
            "realtime_fanout_connected", "Whether workers hear of each other at once.", int(realtime.hub.is_connected)
        )
        yield _counter("realtime_events_published", "Events published here.", statistics.published)
        yield _counter("realtime_events_delivered", "Events handed to sockets, once for each.", statistics.delivered)
        yield _counter("realtime_events_replayed", "Events that somebody had missed.", statistics.replayed)
        yield _counter(
            "realtime_events_read_from_log", "Events that no message between workers told of.", statistics.read_from_log
        )
        kinds: Counter[str] = Counter(socket.kind for socket in realtime.sockets)
        sockets = GaugeMetricFamily("realtime_sockets", "Open sockets and streams.", labels=["pid", "kind"])
        for kind in _KINDS:
            sockets.add_metric([pid, kind], kinds[kind])
        yield sockets
        closed = CounterMetricFamily("realtime_sockets_closed", "Sockets that we closed.", labels=["pid", "code"])
        for code, count in sorted(realtime.closed.items()):
            closed.add_metric([pid, str(int(code))], count)
        yield closed


def _gauge(name: str, text: str, value: float) -> Metric:
    family = GaugeMetricFamily(name, text, labels=["pid"])
    family.add_metric([str(os.getpid())], value)
    return family


def _counter(name: str, text: str, value: float) -> Metric:
    family = CounterMetricFamily(name, text, labels=["pid"])
    family.add_metric([str(os.getpid())], value)
    return family
