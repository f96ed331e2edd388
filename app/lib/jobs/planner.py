"""Schedules: which scheduled job is due, decided by one row each and by whoever is first."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.lib.db.base import table_of
from app.lib.db.instants import database_now
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.statements import affected, insert_or_ignore
from app.lib.db.uow import UnitOfWork
from app.lib.jobs.declaration import Job
from app.lib.jobs.enqueue import enqueue
from app.lib.jobs.tables import JobSchedule

_schedules = table_of(JobSchedule)
_c = _schedules.c

SCHEDULED_KEY = "schedule"
"""The key of scheduled runs: while one waits or runs, the next one is left out instead of piling up."""


class PlanRow(msgspec.Struct, frozen=True):
    """A schedule as it is planned, and the database's time when it was read."""

    name: str
    spec: str
    next_at: datetime
    planned_at: datetime
    last_at: datetime | None
    now: datetime


all_plans = prepare(select(*columns_of(PlanRow, JobSchedule, now=database_now())).order_by(JobSchedule.name), PlanRow)


def overdue(plans: Iterable[PlanRow], jobs: Iterable[Job[Any]]) -> list[PlanRow]:
    """The plans that :meth:`Planner.advance` has to move on; never those of jobs that are not declared here."""
    schedules = {each.name: each.schedule for each in jobs if each.schedule is not None}
    return [
        plan
        for plan in plans
        if (schedule := schedules.get(plan.name)) is not None
        and schedule.spec == plan.spec
        and (plan.next_at <= plan.now or schedule.is_displaced(plan.now, plan.planned_at))
    ]


class Planner:
    """The schedules of these jobs, in one transaction."""

    def __init__(self, unit: UnitOfWork, jobs: Iterable[Job[Any]]) -> None:
        self._unit = unit
        self._session: AsyncSession = unit.session
        self._jobs = {each.name: each for each in jobs if each.schedule is not None}

    async def declare(self) -> None:
        """Makes a row for each schedule that has none, and plans anew where the schedule reads differently."""
        now = await self._now()
        for name, each in sorted(self._jobs.items()):
            assert each.schedule is not None  # noqa: S101 - the constructor saw to it; this tells the type checkers
            plan = {"spec": each.schedule.spec, "next_at": each.schedule.next_after(now), "planned_at": now}
            if not await insert_or_ignore(self._session, JobSchedule, {"name": name, **plan}):
                changed = (_c.name == name) & (_c.spec != plan["spec"])
                await self._session.execute(update(_schedules).where(changed).values(**plan))

    async def advance(self, plans: Iterable[PlanRow]) -> list[str]:
        """Plans the next run of each, and enqueues it where this one is due. Returns the names of what was enqueued.

        However many instants were missed, there is one run. Of several workers the one that moves the plan on is the
        one that enqueues.
        """
        now = await self._now()
        fired: list[str] = []
        for plan in plans:
            declared = self._jobs[plan.name]
            assert declared.schedule is not None  # noqa: S101 - the constructor saw to it; this tells the type checkers
            is_due = plan.next_at <= now and not declared.schedule.is_displaced(now, plan.planned_at)
            last_at = {"last_at": plan.next_at} if is_due else {}
            if await self._move(plan, declared.schedule.next_after(now), now, **last_at) and is_due:
                await enqueue(self._unit, declared, declared.payload_type(), key=SCHEDULED_KEY)
                fired.append(plan.name)
        return fired

    async def _move(self, plan: PlanRow, next_at: datetime, now: datetime, **values: datetime) -> bool:
        result = await self._session.execute(
            update(_schedules)
            .where(_c.name == plan.name, _c.next_at == plan.next_at, _c.planned_at == plan.planned_at)
            .values(next_at=next_at, planned_at=now, **values)
        )
        return affected(result) == 1

    async def _now(self) -> datetime:
        now: datetime = (await self._session.execute(select(database_now()))).scalar_one()
        return now
