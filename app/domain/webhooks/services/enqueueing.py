from datetime import timedelta
from typing import Protocol
from uuid import UUID

from app.lib.db.uow import UnitOfWork


class EnqueueDelivery(Protocol):
    """Has :meth:`Deliverer.deliver` called for a delivery, once the unit's transaction is committed, and only then."""

    async def __call__(self, unit: UnitOfWork, delivery_id: UUID, *, delay: timedelta = timedelta()) -> None: ...
