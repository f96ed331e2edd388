"""What is told of accounts after the commit, recorded in the transaction in which it happens."""

from app.domain.accounts.events import (
    AccountDeleted,
    AccountRegistered,
    AccountUpdated,
    ProfileChanged,
    UserCreated,
    UserDeleted,
    UserRegistered,
    UserUpdated,
)
from app.lib.db.uow import UnitOfWork
from app.lib.events import Listener, listens_to
from app.lib.outbox import Outbox


def outbox_listeners(outbox: Outbox) -> tuple[Listener, ...]:
    """Listeners that record events in the outbox."""

    @listens_to(UserRegistered)
    async def registered(event: UserRegistered, unit: UnitOfWork) -> None:
        await outbox.record(unit, AccountRegistered(aggregate_id=event.user_id, aggregate_version=1))

    @listens_to(UserCreated)
    async def created(event: UserCreated, unit: UnitOfWork) -> None:
        await outbox.record(unit, AccountRegistered(aggregate_id=event.user_id, aggregate_version=1))

    @listens_to(UserUpdated)
    async def updated(event: UserUpdated, unit: UnitOfWork) -> None:
        unit.signal(ProfileChanged(event.user_id))
        await outbox.record(unit, AccountUpdated(aggregate_id=event.user_id, aggregate_version=event.version))

    @listens_to(UserDeleted)
    async def deleted(event: UserDeleted, unit: UnitOfWork) -> None:
        await outbox.record(unit, AccountDeleted(aggregate_id=event.user_id, aggregate_version=event.version + 1))

    return registered, created, updated, deleted
