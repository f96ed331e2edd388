from typing import Protocol
from uuid import UUID

from app.lib.db.uow import UnitOfWork


class EnqueueDelivery(Protocol):
    """Has :meth:`Deliverer.deliver` called for a delivery, once the unit's transaction is committed, and only then.

    An attempt that waits for its time is made at once instead. False when one is being made at the moment.
    """

    async def __call__(self, unit: UnitOfWork, delivery_id: UUID) -> bool: ...
