"""When a job runs by itself. Instants are the database's, in UTC, so daylight saving changes nothing."""

from datetime import UTC, datetime, timedelta
from typing import Protocol

from cronsim import CronSim

_TRUSTED_STEP = timedelta(days=1)
"""A clock that was further off than this was never right, so its plans are void."""


class Schedule(Protocol):
    """When a job runs by itself."""

    @property
    def spec(self) -> str:
        """The schedule in a few words. When they change, the next run is planned again."""
        ...

    def next_after(self, instant: datetime) -> datetime:
        """The next run strictly after the instant."""
        ...

    def is_void(self, next_at: datetime, now: datetime) -> bool:
        """Whether the next run is so far ahead that the clock must have been set back since it was planned."""
        ...


class Cron:
    """By the wall clock, in UTC: ``Cron("17 3 * * *")``. Five fields as in crontab(5).

    Each of its instants comes once: a clock that is set back does not run them again, and those that were missed
    (no worker was running) are made up for by one run. Raises ``CronSimError`` for what is no such expression, and
    ``ValueError`` for one that never comes.
    """

    __slots__ = ("spec",)

    def __init__(self, expression: str) -> None:
        self.spec = expression
        try:
            self.next_after(datetime(2000, 1, 1, tzinfo=UTC))
        except StopIteration:
            raise ValueError(f"{expression!r} never comes") from None

    def next_after(self, instant: datetime) -> datetime:
        """The next instant of the expression."""
        return next(CronSim(self.spec, instant))

    def is_void(self, next_at: datetime, now: datetime) -> bool:
        """Only by more than a day: what ran by a wrong clock stays done, but not for years."""
        return next_at > self.next_after(now + _TRUSTED_STEP)


class Every:
    """Again this number of seconds after its last start."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    @property
    def spec(self) -> str:
        """For people."""
        return f"every {self.seconds:g} s"

    def next_after(self, instant: datetime) -> datetime:
        """The interval later."""
        return instant + timedelta(seconds=self.seconds)

    def is_void(self, next_at: datetime, now: datetime) -> bool:
        """When it is further away than the interval."""
        return next_at > self.next_after(now)
