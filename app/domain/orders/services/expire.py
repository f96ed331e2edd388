from datetime import datetime
from uuid import UUID

import structlog

from app.domain.orders.repositories.orders import OrderRepository
from app.domain.orders.services.cancel import CancelService
from app.lib.db.engine import Database
from app.lib.db.retries import in_transaction
from app.lib.events import Events

BATCH = 100

log = structlog.stdlib.get_logger(__name__)


class ExpireService:
    """Cancels what was not paid in time. Each order has a transaction of its own, so a failing one stops no other."""

    def __init__(self, database: Database, events: Events) -> None:
        self._database = database
        self._events = events

    async def expire_orders(self, now: datetime | None = None) -> int:
        """Returns the number of orders. They expire by ``now``, or by the database's clock."""
        count = 0
        while True:
            async with self._database.independent() as unit:
                overdue = await OrderRepository(unit).list_overdue(now, BATCH)
            expired = sum([await self._expire(order_id, now) for order_id in overdue])
            count += expired
            if len(overdue) < BATCH or not expired:
                return count

    async def _expire(self, order_id: UUID, now: datetime | None) -> bool:
        try:
            return await in_transaction(
                self._database, lambda unit: CancelService(unit, self._events).expire(order_id, now)
            )
        except Exception:
            log.exception("order.not_expired", order_id=str(order_id))
            return False
