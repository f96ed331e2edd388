"""Tells lost processes from living ones, without any clock but this process's stopwatch."""

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

STALE_AFTER = 8.0
"""Seconds without a sign of life after which a process counts as lost."""


class Heartbeats(Generic[K]):
    """Remembers the number of signs of life of each at the last look, and since when it has been the same.

    The instants are those of a monotonic clock, so a jump of the wall clock makes no process lost. A process that has
    not looked for a while (its own database was away, or it was stopped) knows nothing and starts again.
    """

    def __init__(self, stale_after: float = STALE_AFTER) -> None:
        self._stale_after = stale_after
        self._seen: dict[K, tuple[int, float]] = {}
        self._last_look = float("-inf")

    def stale(self, beats: Mapping[K, int], now: float) -> list[K]:
        """Takes the counts of the moment, and returns those without a sign of life for too long."""
        known = self._seen if now - self._last_look < self._stale_after / 2 else {}
        self._last_look = now
        self._seen = {}
        found: list[K] = []
        for key, count in beats.items():
            counted, since = known.get(key, (-1, now))
            self._seen[key] = (count, since if count == counted else now)
            if count == counted and now - since >= self._stale_after:
                found.append(key)
        return found
