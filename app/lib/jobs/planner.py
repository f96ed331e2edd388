"""Schedules: one row says when a scheduled job runs next, and the first worker that moves it on enqueues the job."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import bindparam, select, update

from app.lib.db.base import table_of
from app.lib.db.instants import database_now
from app.lib.db.prepared import columns_of, prepare
from app.lib.db.statements import insert_or_update
from app.lib.db.uow import UnitOfWork
from app.lib.jobs.declaration import Job
from app.lib.jobs.enqueue import enqueue
from app.lib.jobs.schedules import Schedule
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
    last_at: datetime | None
    now: datetime


all_plans = prepare(select(*columns_of(PlanRow, JobSchedule, now=database_now())).order_by(JobSchedule.name), PlanRow)
_now = prepare(select(database_now().label("now")), datetime)
_insert = prepare(insert_or_update(_schedules).on_conflict_do_nothing())
_change = prepare(
    update(_schedules)
    .where(_c.name == bindparam("job_name"), _c.spec != bindparam("new_spec"))
    .values(spec=bindparam("new_spec"), next_at=bindparam("new_next_at", type_=_c.next_at.type))
)
_move = prepare(
    update(_schedules)
    .where(_c.name == bindparam("job_name"), _c.next_at == bindparam("seen_next_at"))
    .values(
        next_at=bindparam("new_next_at", type_=_c.next_at.type), last_at=bindparam("new_last_at", type_=_c.last_at.type)
    )
)


class Planner:
    """The schedules of these jobs."""

    def __init__(self, jobs: Iterable[Job[Any]]) -> None:
        self._jobs: dict[str, tuple[Job[Any], Schedule]] = {
            each.name: (each, each.schedule) for each in jobs if each.schedule is not None
        }

    async def declare(self, unit: UnitOfWork) -> None:
        """Makes a row for each schedule that has none, and plans again where the schedule reads differently."""
        now = await unit.first(_now)
        assert now is not None  # noqa: S101 - the select has one row
        for name, (_, schedule) in sorted(self._jobs.items()):
            next_at = schedule.next_after(now)
            if not await unit.execute(_insert, name=name, spec=schedule.spec, next_at=next_at, last_at=None):
                await unit.execute(_change, job_name=name, new_spec=schedule.spec, new_next_at=next_at)

    def overdue(self, plans: Iterable[PlanRow]) -> list[PlanRow]:
        """The plans that :meth:`advance` has to move on; never those of jobs that are not declared here."""
        return [
            plan
            for plan in plans
            if plan.name in self._jobs
            and (schedule := self._jobs[plan.name][1]).spec == plan.spec
            and (plan.next_at <= plan.now or schedule.is_void(plan.next_at, plan.now))
        ]

    async def advance(self, unit: UnitOfWork, plans: Iterable[PlanRow]) -> list[str]:
        """Plans the next run of each, and enqueues it where this one is due. Returns the names of what was enqueued.

        If several instants were missed, there is one run. Of several workers, the one that moves the plan enqueues.
        """
        fired: list[str] = []
        for plan in plans:
            declared, schedule = self._jobs[plan.name]
            is_due = plan.next_at <= plan.now
            moved = await unit.execute(
                _move,
                job_name=plan.name,
                seen_next_at=plan.next_at,
                new_next_at=schedule.next_after(plan.now),
                new_last_at=plan.next_at if is_due else plan.last_at,
            )
            if moved and is_due:
                await enqueue(unit, declared, declared.payload_type(), key=SCHEDULED_KEY)
                fired.append(plan.name)
        return fired
