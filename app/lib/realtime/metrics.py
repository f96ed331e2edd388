"""Sockets and channels of this process in numbers, for Prometheus."""

import os
from collections import Counter
from collections.abc import Iterable
from typing import Protocol
from uuid import UUID

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.lib.events.fanout import Fanout
from app.lib.realtime.frames import CloseCode
from app.lib.realtime.hub import Hub
from app.lib.realtime.log import ChannelWriter
from app.lib.realtime.sockets import Socket

_KINDS = ("socket", "stream", "lobby")


class Measured(Protocol):
    """The parts of :class:`.service.Realtime` that are measured."""

    hub: Hub
    writer: ChannelWriter
    fanout: Fanout
    sockets: dict[UUID, Socket]
    closed: Counter[CloseCode]


class RealtimeMetrics(Collector):
    """Collected at the time of the scrape; every sample is labelled with the process."""

    def __init__(self, realtime: Measured) -> None:
        self._realtime = realtime

    def collect(self) -> Iterable[Metric]:
        """A fan-out that is not connected costs time and nothing else: everything still arrives through the log."""
        realtime, pid, hub = self._realtime, str(os.getpid()), self._realtime.hub
        yield _gauge("realtime_channels", "Channels with subscribers here.", len(hub.channels))
        yield _gauge(
            "realtime_fanout_connected", "Whether workers get each other's hints.", int(realtime.fanout.is_connected)
        )
        yield _counter("realtime_events_published", "Events published here.", realtime.writer.published)
        yield _counter("realtime_events_delivered", "Events given to sockets, once for each.", hub.delivered)
        yield _counter("realtime_events_replayed", "Events that a subscriber had missed.", hub.replayed)
        yield _counter(
            "realtime_events_read_from_log", "Events of other workers, read from the log.", hub.read_from_log
        )
        kinds: Counter[str] = Counter(socket.kind for socket in realtime.sockets.values())
        sockets = GaugeMetricFamily("realtime_sockets", "Open sockets and streams.", labels=["pid", "kind"])
        for kind in _KINDS:
            sockets.add_metric([pid, kind], kinds[kind])
        yield sockets
        closed = CounterMetricFamily(
            "realtime_sockets_closed", "Sockets that the service closed.", labels=["pid", "code"]
        )
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
