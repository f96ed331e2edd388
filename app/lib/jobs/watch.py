"""Tells workers that went away from those that live, without asking any clock but this process's stopwatch."""

from collections.abc import Iterable

from app.lib.jobs.queue import Handle, RunningRow

STALE_AFTER = 8.0
"""Seconds without a sign of life after which a worker counts as lost."""


class Watch:
    """Remembers how many signs of life each running job had given when it was last seen, and since when.

    The instants are those of a monotonic clock, so no wall clock can make a job stale or keep it from becoming so.
    Who has not looked for a while (its own database was away, or it was stopped) knows nothing and begins anew.
    """

    def __init__(self, stale_after: float = STALE_AFTER) -> None:
        self._stale_after = stale_after
        self._seen: dict[Handle, tuple[int, float]] = {}
        self._last_look = float("-inf")

    def stale(self, rows: Iterable[RunningRow], now: float) -> list[RunningRow]:
        """Takes what runs at the moment, and returns what has shown no life for too long."""
        known = self._seen if now - self._last_look < self._stale_after / 2 else {}
        self._last_look = now
        self._seen = {}
        found: list[RunningRow] = []
        for row in rows:
            beats, since = known.get((row.id, row.claim), (-1, now))
            self._seen[row.id, row.claim] = (row.beats, since if beats == row.beats else now)
            if beats == row.beats and now - since >= self._stale_after:
                found.append(row)
        return found
