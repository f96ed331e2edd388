"""What identities have to do with accounts."""

from app.domain.accounts.events import UserErasing
from app.domain.auth.events import AccountRecovered
from app.domain.identities.repositories import IdentityRepository
from app.lib.db.uow import UnitOfWork
from app.lib.events import in_transaction


@in_transaction(UserErasing)
async def delete_identities(event: UserErasing, unit: UnitOfWork) -> None:
    """A user has few of them. So the person may come back by the same provider at once, as a new user."""
    await IdentityRepository(unit).delete_of(event.user_id)


@in_transaction(AccountRecovered)
async def unlink_later(event: AccountRecovered, unit: UnitOfWork) -> None:
    """What was linked while the account may have been in other hands was perhaps not linked by its owner."""
    await IdentityRepository(unit).delete_later(event.user_id, event.since)


LISTENERS = (delete_identities, unlink_later)
