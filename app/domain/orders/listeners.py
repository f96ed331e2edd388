"""What orders have to do with accounts, in the account's own transaction."""

from app.domain.accounts.events import UserDeleted
from app.domain.orders.repositories.orders import OrderRepository
from app.lib.db.uow import UnitOfWork
from app.lib.events import in_transaction


@in_transaction(UserDeleted)
async def forget_customer(event: UserDeleted, unit: UnitOfWork) -> None:
    """The orders stay, with the money and without the person."""
    await OrderRepository(unit).forget_customer(event.aggregate_id)


LISTENERS = (forget_customer,)
