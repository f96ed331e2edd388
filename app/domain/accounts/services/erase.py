"""The deletion of what belongs to a user, in batches: a million rows in one statement never come to an end."""

import time
from uuid import UUID

import msgspec

from app.domain.accounts.events import UserErasing
from app.domain.accounts.repositories.users import ERASING, UserRepository
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.jobs import Cron, JobContext, NoPayload, Postpone, enqueue_many, job

_AT_A_TIME = 300.0
"""Seconds, after which the job lets others have its place, and goes on later."""


class EraseUser(msgspec.Struct, frozen=True):
    user_id: UUID


async def erase_batch(unit: UnitOfWork, events: Events, user_id: UUID) -> bool:
    """Deletes a batch of what belongs to a user, by each domain that has something. Whether nothing is left."""
    erasing = UserErasing(user_id=user_id)
    await events.publish(unit, erasing)
    return erasing.is_complete


@job("users.erase", EraseUser, timeout=600, key=lambda payload: str(payload.user_id))
async def erase_user(payload: EraseUser, context: JobContext) -> None:
    started, events = time.monotonic(), context.service(Events)
    while time.monotonic() < started + _AT_A_TIME:
        async with context.unit() as unit:
            if await erase_batch(unit, events, payload.user_id):
                await UserRepository(unit).delete_erased(payload.user_id)
                return
    raise Postpone(0)


@job("users.sweep", NoPayload, schedule=Cron("*/10 * * * *"))
async def sweep_erased(_payload: NoPayload, context: JobContext) -> int:
    """Gives a job to each deleted user that has none, because it was cancelled or has failed."""
    async with context.unit() as unit:
        erasing = await unit.all(ERASING)
        await enqueue_many(unit, [(erase_user, EraseUser(each)) for each in erasing])
    return len(erasing)


JOBS = (erase_user, sweep_erased)
