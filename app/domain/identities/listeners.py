"""What identities have to do with accounts."""

from app.domain.accounts.events import PasswordChanged, UserErasing
from app.domain.identities.repositories import IdentityRepository
from app.lib.db.uow import UnitOfWork
from app.lib.events import in_transaction


@in_transaction(UserErasing)
async def delete_identities(event: UserErasing, unit: UnitOfWork) -> None:
    """A user has few of them. So the person may come back by the same provider at once, as a new user."""
    await IdentityRepository(unit).delete_of(event.user_id)


@in_transaction(PasswordChanged)
async def unlink_all(event: PasswordChanged, unit: UnitOfWork) -> None:
    """What was linked while the account may have been in other hands was perhaps not linked by its owner."""
    if event.is_taken_back:
        await IdentityRepository(unit).delete_of(event.aggregate_id)


LISTENERS = (delete_identities, unlink_all)
