"""Tells workers that went away from those that live."""

from collections.abc import Iterable

from app.lib.heartbeats import STALE_AFTER, Heartbeats
from app.lib.jobs.queue import Handle, RunningRow


class Watch:
    """The signs of life of running jobs; see :class:`app.lib.heartbeats.Heartbeats`."""

    def __init__(self, stale_after: float = STALE_AFTER) -> None:
        self._heartbeats: Heartbeats[Handle] = Heartbeats(stale_after)

    def stale(self, rows: Iterable[RunningRow], now: float) -> list[RunningRow]:
        """Takes what runs at the moment, and returns what has shown no life for too long."""
        by_handle = {(row.id, row.claim): row for row in rows}
        lost = self._heartbeats.stale({handle: row.beats for handle, row in by_handle.items()}, now)
        return [by_handle[handle] for handle in lost]
