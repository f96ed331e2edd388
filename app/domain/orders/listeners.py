"""What orders have to do with accounts, in the account's own transaction."""

from app.domain.accounts.events import UserErasing
from app.domain.orders.repositories.orders import OrderRepository
from app.lib.db.statements import BATCH
from app.lib.db.uow import UnitOfWork
from app.lib.events import in_transaction


@in_transaction(UserErasing)
async def forget_customer(event: UserErasing, unit: UnitOfWork) -> None:
    """The orders stay, with the money and without the person."""
    if await OrderRepository(unit).forget_customer(event.user_id) == BATCH:
        event.more_is_left()


LISTENERS = (forget_customer,)
