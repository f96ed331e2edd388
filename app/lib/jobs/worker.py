"""The worker: takes what is due, runs it, writes how it ended. One per process, on the process's own event loop."""

import asyncio
import os
import random
import socket
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from functools import cache, partial
from typing import Any
from uuid import UUID

import msgspec
import structlog
from sqlalchemy import select

from app.lib.db.base import new_id
from app.lib.db.engine import Database
from app.lib.db.faults import driver_error, is_passing
from app.lib.db.prepared import Prepared, prepare
from app.lib.db.statements import json_list
from app.lib.db.uow import UnitOfWork
from app.lib.jobs.declaration import Job
from app.lib.jobs.enqueue import WAKE
from app.lib.jobs.execution import Executor
from app.lib.jobs.heartbeats import STALE_AFTER, Heartbeats
from app.lib.jobs.planner import Planner, all_plans
from app.lib.jobs.queue import (
    ClaimedJob,
    Ending,
    Outcome,
    RunningRow,
    beat,
    claim_of,
    due_jobs,
    settle,
    take_back,
)
from app.lib.jobs.tables import JobStatus, QueuedJob, in_status
from app.lib.observability.repeats import log_once

log = structlog.stdlib.get_logger(__name__)

_LAST_WORDS_SECONDS = 5.0
_LONGEST_ROUND = 1_000
"""Owners of one kind that are remembered as served."""
_SILENT_SECONDS = 30.0
"""After which the loop hangs: a turn takes no longer than statements may take."""
_PAUSES = (0.2, 0.5, 1.0, 2.0)

_running_rows = prepare(
    select(QueuedJob.id, QueuedJob.claim, QueuedJob.beats).where(in_status(JobStatus.RUNNING)), RunningRow
)


class WorkerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """``drain_seconds``: how long running jobs may go on when the worker has to stop; what is left is handed back.

    New jobs of this process are seen at once, those of others when the worker looks, every ``poll_seconds``. Its signs
    of life come every ``beat_seconds``; after ``stale_seconds`` without one the others take its jobs back.
    """

    concurrency: int = 8
    drain_seconds: float = 10.0
    poll_seconds: float = 1.0
    beat_seconds: float = 2.0
    stale_seconds: float = STALE_AFTER

    @property
    def share(self) -> int:
        """Places that one kind of job may take, so that one that hangs leaves some to the others."""
        return max(1, self.concurrency - max(1, self.concurrency // 4))

    @property
    def slow_share(self) -> int:
        """The same for a kind that has a limit of its own, because it waits for something outside: several of these
        may hang at the same time.
        """
        return max(1, self.concurrency // 4)


class _Kind(msgspec.Struct, frozen=True):
    """Jobs that are claimed by one statement: of one kind that has a limit, or all others. ``owner_share`` is what one
    owner may take of the ``share``; None where owners do not count.
    """

    names: tuple[str, ...]
    share: int
    owner_share: int | None
    claim: Prepared[ClaimedJob]


class _Run(msgspec.Struct, frozen=True):
    """A job that runs here."""

    job: ClaimedJob
    task: asyncio.Task[Outcome]


class Worker:
    """Runs the jobs of a registry until it is stopped.

    A turn of its loop settles what has ended, gives a sign of life, and claims as much as there is room for, in one
    short transaction; where there is nothing to write, it only reads. A database that is away is waited for.
    """

    def __init__(self, database: Database, executor: Executor, options: WorkerOptions | None = None) -> None:
        self._database = database
        self._executor = executor
        self._options = options or WorkerOptions()
        jobs = executor.registry.values()
        self._planner = Planner(jobs)
        self._limited = [self._kind_of(each, each.at_most) for each in jobs if each.at_most is not None]
        self._others = [each.name for each in jobs if each.at_most is None]
        self._claim_others = cache(claim_of)
        self._anything_due = prepare(select(select(QueuedJob.id).where(*due_jobs(executor.registry)).exists()), bool)
        self.id = new_id()
        self.name = f"{socket.gethostname()[:80]}:{os.getpid()}"
        self._running: dict[UUID, _Run] = {}
        self._served: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
        self._outcomes: list[Outcome] = []
        self._heartbeats: Heartbeats[tuple[UUID, UUID]] = Heartbeats(self._options.stale_seconds)
        self._awake = asyncio.Event()
        self._hungry = True
        self.failures = 0
        self._declared = False
        self._next_look = self._next_beat = 0.0
        self._stop_at: float | None = None
        self._cancelled = False
        self._turned_at = 0.0
        self._loop: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Starts the loop. Needs no database yet."""
        WAKE.add(self.wake)
        self._loop = asyncio.create_task(self._run(), name="jobs")

    async def stop(self) -> None:
        """Takes no more jobs, lets those that run finish for ``drain_seconds``, and hands the others back."""
        seconds = self._options.drain_seconds
        self._stop_at = time.monotonic() + seconds
        log.info("jobs.stopping", running=len(self._running), waits_up_to_seconds=seconds)
        self._awake.set()
        if self._loop is not None:
            await self._loop

    @property
    def concurrency(self) -> int:
        """Jobs that it runs at a time."""
        return self._options.concurrency

    def fault(self) -> str | None:
        """Why it takes no jobs at the moment; None while it does."""
        if self._loop is None or self._loop.done():
            return "The worker does not run."
        if self.failures:
            return "The worker cannot read or write the queue."
        return "The worker hangs." if time.monotonic() - self._turned_at > _SILENT_SECONDS else None

    def wake(self) -> None:
        """Makes it look at once."""
        self._hungry = True
        self._awake.set()

    async def _run(self) -> None:
        while not self._is_over():
            try:
                await self._turn()
            except Exception as exc:  # noqa: BLE001 - the database is away, or will be back, and the worker stays
                is_away = is_passing(exc)
                write, trace = log.warning if is_away else log.error, None if is_away or self.failures else exc
                log_once(write, "jobs.turn_failed", error=type(driver_error(exc)).__name__, exc_info=trace)
                self._hungry = True
                await self._pause(_PAUSES[min(self.failures, len(_PAUSES) - 1)])
                self.failures += 1
            else:
                self.failures, self._turned_at = 0, time.monotonic()
                has_room = self._hungry and len(self._running) < self._options.concurrency
                is_stopping = self._stop_at is not None
                if not (self._outcomes or (not self._running if is_stopping else has_room)):
                    await self._pause(self._options.poll_seconds)
        WAKE.discard(self.wake)

    def _is_over(self) -> bool:
        if self._stop_at is None:
            return False
        late = time.monotonic() - self._stop_at
        if late > 0 and not self._cancelled:
            self._cancelled = True  # once: a second time would interrupt how they clean up
            for run in self._running.values():
                run.task.cancel()
        # What cannot be written in time is taken back by others once they miss its signs of life.
        return late > _LAST_WORDS_SECONDS or not (self._running or self._outcomes)

    async def _turn(self) -> None:
        now = time.monotonic()
        if not self._declared:
            async with self._database.independent() as unit:
                await self._planner.declare(unit)
            self._declared = True
        if now >= self._next_look and self._stop_at is None:
            await self._look(now)
            self._next_look = now + self._options.poll_seconds * random.uniform(0.8, 1)  # noqa: S311 - spreads the workers, no secret
        room = self._options.concurrency - len(self._running) if self._hungry and self._stop_at is None else 0
        beats = bool(self._running) and now >= self._next_beat
        if self._outcomes or beats or room > 0:
            await self._exchange(room, beats=beats)

    async def _look(self, now: float) -> None:
        """Reads what others have changed: new jobs, due schedules, lost workers."""
        reader = self._database.reader
        if await reader.first(self._anything_due):
            self._hungry = True
        plans = self._planner.overdue(await reader.all(all_plans))
        others = {(row.id, row.claim): row for row in await reader.all(_running_rows) if row.claim != self.id}
        if others and not self._next_look:  # of other workers, or of a process that was killed
            log.info("jobs.found_running", count=len(others), taken_back_after_seconds=self._options.stale_seconds)
        lost = self._heartbeats.stale({key: row.beats for key, row in others.items()}, now)
        if not (plans or lost):
            return
        async with self._database.independent() as unit:
            taken, failed = await take_back(unit, [others[key] for key in lost])
            fired = await self._planner.advance(unit, plans)
        self._hungry = True
        if taken:
            log.warning("jobs.taken_back", count=len(taken), job_ids=[str(each) for each in taken[:20]])
        if failed:
            log.error("jobs.failed", reason="WorkerLost", job_ids=[str(each) for each in failed[:20]])
        for name in fired:
            log.debug("job.scheduled", job=name)

    async def _exchange(self, room: int, *, beats: bool) -> None:
        """Writes what has ended, gives a sign of life and takes new jobs, in one transaction."""
        outcomes = self._outcomes[:]
        alive: set[UUID] | None = None
        claimed: list[ClaimedJob] = []
        async with self._database.independent() as unit:
            if outcomes:
                await settle(unit, self.id, outcomes)
            if beats:
                alive = await beat(unit, self.id)
            if room > 0:
                self._hungry = False  # before it asks, so that what wakes it in the meantime counts
                claimed, may_have_more = await self._claim(unit, room)
                self._hungry |= may_have_more
        del self._outcomes[: len(outcomes)]
        if alive is not None:
            self._next_beat = time.monotonic() + self._options.beat_seconds
            for job_id in self._running.keys() - alive:  # cancelled, or another worker took this one for dead
                log.warning("job.lost", job_id=str(job_id))
                self._running.pop(job_id).task.cancel()
        for each in claimed:
            if not self._running:
                self._next_beat = time.monotonic() + self._options.beat_seconds
            task = asyncio.create_task(self._executor.run(each), name=f"job {each.name}")
            self._running[each.id] = _Run(each, task)
            task.add_done_callback(partial(self._ended, each.id))

    def _kind_of(self, job: Job[Any], at_most: int) -> _Kind:
        share = min(at_most, self._options.slow_share)
        by_owner = job.owner is not None
        owner_share = max(1, share // 3) if by_owner else None
        return _Kind((job.name,), share, owner_share, claim_of([job.name], by_owner=by_owner))

    def _kinds(self, running: Counter[str]) -> Iterator[_Kind]:
        """Those with a limit first. The others are claimed together, but for those that have their share."""
        yield from self._limited
        if names := tuple(name for name in self._others if running[name] < self._options.share):
            yield _Kind(names, self._options.share, None, self._claim_others(names))

    async def _claim(self, unit: UnitOfWork, room: int) -> tuple[list[ClaimedJob], bool]:
        """Takes as many jobs as there is room for, and says whether there may be more for the places that are left."""
        claimed: list[ClaimedJob] = []
        running = Counter(run.job.name for run in self._running.values())
        may_have_more = False
        for kind in self._kinds(running):
            while (limit := min(kind.share - max(running[name] for name in kind.names), room - len(claimed))) > 0:
                taken = await self._claim_some(unit, kind, limit, claimed)
                claimed += taken
                running.update(each.name for each in taken)
                if kind.owner_share is None or not taken:
                    may_have_more |= len(kind.names) > 1 and len(taken) == limit and len(claimed) < room
                    break
        return claimed, may_have_more

    async def _claim_some(
        self, unit: UnitOfWork, kind: _Kind, limit: int, claimed: list[ClaimedJob]
    ) -> list[ClaimedJob]:
        """Where owners count one at a time: first of those who had none in this round, and none of those who have their
        share. So one who has many jobs, and slow ones, takes every other place at most.
        """
        values = {"worker_id": self.id, "worker_name": self.name}
        if kind.owner_share is None:
            return await unit.all(kind.claim, limit=limit, **values)
        ours = [*(run.job for run in self._running.values()), *claimed]
        owners = Counter(each.owner for each in ours if each.name in kind.names and each.owner is not None)
        busy = {owner for owner, count in owners.items() if count >= kind.owner_share}
        served = self._served[kind.names]
        taken = await unit.all(kind.claim, limit=1, busy=json_list(busy | served), **values)
        if not taken and served:
            served.clear()  # the next round
            taken = await unit.all(kind.claim, limit=1, busy=json_list(busy), **values)
        if len(served) >= _LONGEST_ROUND:
            served.clear()
        served.update(each.owner for each in taken if each.owner is not None)
        return taken

    def _ended(self, job_id: UUID, task: asyncio.Task[Outcome]) -> None:
        run = self._running.get(job_id)
        if run is not None and run.task is task:  # it may have been let go, and even be running here again
            del self._running[job_id]
            handed_back = Outcome(job_id=job_id, ending=Ending.POSTPONED)
            self._outcomes.append(handed_back if task.cancelled() else task.result())
        self._hungry = True
        self._awake.set()

    async def _pause(self, seconds: float) -> None:
        """Until it is woken, or the time is over; when it has to stop, never beyond its end."""
        if self._stop_at is not None:
            seconds = min(seconds, max(self._stop_at - time.monotonic(), 0.05))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._awake.wait()
        self._awake.clear()
