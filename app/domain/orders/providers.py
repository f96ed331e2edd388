"""What the controllers of orders have injected."""

from datetime import timedelta

from litestar.di import Provide

from app.config import Settings
from app.domain.orders.repositories.reads import OrderReads
from app.domain.orders.services.cancel import CancelService
from app.domain.orders.services.orders import OrderService
from app.domain.orders.services.pay import PaymentService
from app.domain.orders.services.place import PlaceService
from app.domain.orders.services.provider import PaymentProvider
from app.domain.orders.services.queries import OrderQueries
from app.domain.orders.services.refund import RefundService
from app.lib.audit import Origin
from app.lib.db.engine import Database
from app.lib.db.reader import Reader
from app.lib.db.uow import UnitOfWork
from app.lib.events import Events
from app.lib.http.injection import Injected
from app.lib.pagination.cursor import CursorCodec


async def provide_order_reads(reader: Injected[Reader], cursors: Injected[CursorCodec]) -> OrderReads:
    return OrderReads(reader, cursors)


async def provide_order_queries(order_reads: Injected[OrderReads]) -> OrderQueries:
    return OrderQueries(order_reads)


async def provide_place_service(
    unit: Injected[UnitOfWork], events: Injected[Events], settings: Injected[Settings]
) -> PlaceService:
    return PlaceService(unit, events, expire_after=timedelta(minutes=settings.order_expire_minutes))


async def provide_order_service(
    unit: Injected[UnitOfWork], events: Injected[Events], origin: Injected[Origin]
) -> OrderService:
    return OrderService(unit, events, origin)


async def provide_cancel_service(
    unit: Injected[UnitOfWork], events: Injected[Events], origin: Injected[Origin]
) -> CancelService:
    return CancelService(unit, events, origin)


async def provide_refund_service(
    unit: Injected[UnitOfWork], events: Injected[Events], origin: Injected[Origin]
) -> RefundService:
    return RefundService(unit, events, origin)


async def provide_payment_service(
    database: Injected[Database], payment_provider: Injected[PaymentProvider], events: Injected[Events]
) -> PaymentService:
    return PaymentService(database, payment_provider, events)


PROVIDERS = {
    "order_reads": Provide(provide_order_reads),
    "order_queries": Provide(provide_order_queries),
    "order_service": Provide(provide_order_service),
    "place_service": Provide(provide_place_service),
    "cancel_service": Provide(provide_cancel_service),
    "refund_service": Provide(provide_refund_service),
    "payment_service": Provide(provide_payment_service),
}
