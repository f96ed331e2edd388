"""What a job is: declared once, as a value, next to the code that does it."""

import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

from app.lib.db.engine import Database
from app.lib.db.reader import Reader
from app.lib.db.uow import UnitOfWork
from app.lib.jobs.schedules import Schedule
from app.lib.services import Services

P = TypeVar("P", bound=msgspec.Struct)
T = TypeVar("T")

MAX_NAME_LENGTH = 100
MAX_KEY_LENGTH = 200
MAX_OWNER_LENGTH = 64


class JobContext(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt of a job. ``attempt`` counts from 1; ``request_id`` is that of the request that it began with."""

    job_id: UUID
    name: str
    attempt: int
    is_last_attempt: bool
    request_id: str | None
    database: Database
    services: Services

    def unit(self) -> AbstractAsyncContextManager[UnitOfWork]:
        """A transaction, committed at the end of the block or not at all. One at a time: SQLite has one writer."""
        return self.database.independent()

    async def in_batches(self, work: Callable[[UnitOfWork], Awaitable[int]]) -> int:
        """Does the work again, each time in a transaction of its own, until it returns 0 for nothing left to do.
        Returns the sum.
        """
        done, count = 0, 1
        while count:
            async with self.unit() as unit:
                count = await work(unit)
            done += count
        return done

    @property
    def reader(self) -> Reader:
        """For reads, without a transaction."""
        return self.database.reader

    def service(self, kind: type[T]) -> T:
        """The long-lived object of this type. Raises ``LookupError`` when there is none."""
        return self.services.get(kind)


class GiveUp(Exception):
    """Raised by a job that no repetition can help: it fails for good at once. The text is kept for operators."""


class RetryLater(Exception):
    """Raised by a job whose attempt has failed and that knows when to try again, or what the logs may say about it.
    Without ``seconds`` it waits as its :class:`Retry` says.
    """

    def __init__(self, seconds: float | None = None, reason: str = "") -> None:
        super().__init__(reason)
        self.seconds = seconds


class Postpone(Exception):
    """Raised by a job that has not tried yet, because its turn comes later. Not an attempt, and not logged as one."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


class NoPayload(msgspec.Struct, frozen=True):
    """The payload of a job that needs none."""


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """How often a job is attempted, and how long it waits between two attempts.

    The waits are those in ``delays``, one after another; then ``first_delay`` (or the last of ``delays``) times
    ``factor`` for each further attempt, up to ``max_delay``. All in seconds. ``jitter`` is the part of a wait that is
    random: 1 is full jitter (between no wait and all of it), 0 is none.
    """

    attempts: int = 8
    first_delay: float = 2.0
    factor: float = 2.0
    max_delay: float = 3600.0
    jitter: float = 1.0
    delays: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.factor < 1 or not 0 <= self.jitter <= 1:
            raise ValueError("a retry wants at least one attempt, a factor of at least 1 and a jitter from 0 to 1")

    def wait_after(self, attempt: int) -> float:
        """Seconds to wait after the nth attempt (from 1) has failed, with its jitter."""
        if attempt <= len(self.delays):
            whole = self.delays[attempt - 1]
        else:
            first = self.delays[-1] * self.factor if self.delays else self.first_delay
            exponent = min(attempt - len(self.delays) - 1, 64)  # far beyond any limit, and short of an overflow
            whole = min(first * self.factor**exponent, self.max_delay)
        return whole * (1 - self.jitter * random.random())  # noqa: S311 - spreads the load, no secret


ONCE = Retry(attempts=1)
"""No second attempt; though a job whose worker was lost runs again in any case."""

Run = Callable[[P, JobContext], Awaitable[int | None]]
"""A scheduled job that returns 0 has found nothing to do, and leaves no row."""


class Job(msgspec.Struct, Generic[P], frozen=True, eq=False):
    """A declared job; see :func:`job`."""

    name: str
    payload_type: type[P]
    run: Run[P]
    retry: Retry = Retry()
    timeout: float = 30.0
    schedule: Schedule | None = None
    key: Callable[[P], str] | None = None
    at_most: int | None = None
    owner: Callable[[P], str | None] | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= MAX_NAME_LENGTH:
            raise ValueError(f"the name of a job has 1 to {MAX_NAME_LENGTH} characters")
        if self.schedule is not None and any(field.required for field in msgspec.structs.fields(self.payload_type)):
            raise TypeError(f"{self.name} has a schedule, so its payload needs a default for each of its fields")

    def __repr__(self) -> str:
        return f"Job({self.name!r})"

    def decode(self, payload: str) -> P:
        """Raises ``msgspec.DecodeError`` for what is not, or no longer, a payload of this job."""
        return msgspec.json.decode(payload, type=self.payload_type)


def job(
    name: str,
    payload_type: type[P],
    *,
    retry: Retry | None = None,
    timeout: float = 30.0,
    schedule: Schedule | None = None,
    key: Callable[[P], str] | None = None,
    at_most: int | None = None,
    owner: Callable[[P], str | None] | None = None,
) -> Callable[[Run[P]], Job[P]]:
    """Makes a :class:`Job` of the decorated ``async def run(payload, context)``.

    It runs at least once after the commit that enqueued it, so it has to be idempotent; never in the transaction of an
    HTTP request, so it opens its own by ``context.unit()``. What it raises counts as a failed attempt, :class:`GiveUp`
    as the last one. ``timeout`` is in seconds for one attempt. A job with a ``schedule`` returns 0 where it has found
    nothing to do: then its row goes, so that an idle service stays quiet.

    ``key`` makes a job unique: while one with the same name and key waits or runs, no other one is enqueued. Give
    ``at_most`` to a job that waits for something outside: that number of them run in a process at a time, and no more
    than a quarter of what the worker runs, so that several such kinds may hang and leave room for others. Any other
    kind leaves at least a quarter to the rest. With an ``owner`` of the payload, no owner takes more than a third of
    the places of such a kind, so that one with many slow jobs does not delay those of others.
    Payloads are kept in the database and shown to operators: they hold ids, and never a secret.
    """

    def decorate(run: Run[P]) -> Job[P]:
        return Job(name, payload_type, run, retry or Retry(), timeout, schedule, key, at_most, owner)

    return decorate


Registry = Mapping[str, Job[Any]]


def registry_of(jobs: Iterable[Job[Any]]) -> Registry:
    """Jobs by name. Raises ``ValueError`` when two have one name."""
    registry: dict[str, Job[Any]] = {}
    for each in jobs:
        if registry.setdefault(each.name, each) is not each:
            raise ValueError(f"job {each.name} is declared twice")
    return registry
