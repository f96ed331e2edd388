"""Who has a role that was renamed or deleted, in batches: it may be every user."""

from uuid import UUID

import msgspec

from app.domain.accounts.repositories.users import UserRepository
from app.lib.db.uow import UnitOfWork
from app.lib.jobs import JobContext, enqueue, job


class RoleHolders(msgspec.Struct, frozen=True):
    """Those whose ids come after ``after``."""

    role_id: UUID
    is_deleted: bool
    after: UUID = UUID(int=0)


@job("roles.touch_holders", RoleHolders, timeout=600)
async def touch_holders(payload: RoleHolders, context: JobContext) -> None:
    after: UUID | None = payload.after
    while after is not None:
        async with context.unit() as unit:
            after = await UserRepository(unit).touch_holders(payload.role_id, after, is_deleted=payload.is_deleted)


async def touch_first_holders(unit: UnitOfWork, role_id: UUID, *, is_deleted: bool) -> None:
    """The first batch now, which is all of them as a rule; the others by a job."""
    holders = RoleHolders(role_id, is_deleted)
    after = await UserRepository(unit).touch_holders(role_id, holders.after, is_deleted=is_deleted)
    if after is not None:
        await enqueue(unit, touch_holders, msgspec.structs.replace(holders, after=after))
