"""What identities have to do with accounts."""

from app.domain.accounts.events import PasswordChanged, UserErasing
from app.domain.auth.events import WaysIn
from app.domain.identities.providers.registry import Providers
from app.domain.identities.repositories import DELETE_IDENTITIES_OF, IDENTITIES_OF
from app.lib.db.uow import UnitOfWork
from app.lib.events import in_transaction


@in_transaction(UserErasing)
async def delete_identities(event: UserErasing, unit: UnitOfWork) -> None:
    """A user has few of them. So the person may come back by the same provider at once, as a new user."""
    await unit.execute(DELETE_IDENTITIES_OF, user_id=event.user_id)


@in_transaction(PasswordChanged)
async def unlink_all(event: PasswordChanged, unit: UnitOfWork) -> None:
    """What was linked while the account may have been in other hands was perhaps not linked by its owner."""
    if event.is_taken_back:
        await unit.execute(DELETE_IDENTITIES_OF, user_id=event.aggregate_id)


@in_transaction(WaysIn)
async def find_way_in(event: WaysIn, unit: UnitOfWork, providers: Providers) -> None:
    """An identity of a provider that is in the settings."""
    identities = await unit.all(IDENTITIES_OF, user_id=event.user_id)
    if any(providers.has_issuer(each.issuer) for each in identities):
        event.found()


LISTENERS = (delete_identities, unlink_all, find_way_in)
