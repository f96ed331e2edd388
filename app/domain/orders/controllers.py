from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Controller, Response, get, patch, post
from litestar.di import Provide
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.response import Stream

from app.domain.catalog.controllers import AmountFilter, CurrencyFilter
from app.domain.catalog.errors import InsufficientStock
from app.domain.orders import examples
from app.domain.orders.dtos import (
    DEFAULT_PAYMENT,
    NO_REASON,
    NO_TRACKING,
    WHOLE_REFUND,
    OrderCancel,
    OrderCreate,
    OrderEventPage,
    OrderNumber,
    OrderPage,
    OrderRead,
    OrderShip,
    OrderStatus,
    OrderUpdate,
    OrderWithCustomer,
    OrderWithCustomerPage,
    PaymentCreate,
    PaymentPage,
    RefundCreate,
    RefundPage,
)
from app.domain.orders.errors import InvalidTransition, PaymentDeclined, RefundTooLarge, TooManyOpenOrders
from app.domain.orders.permissions import ORDERS_READ, ORDERS_WRITE
from app.domain.orders.services.cancel import CancelService
from app.domain.orders.services.export import ExportRows, OrderExport
from app.domain.orders.services.orders import OrderService
from app.domain.orders.services.pay import PaymentService
from app.domain.orders.services.place import PlaceService
from app.domain.orders.services.queries import ORDER_SORT, OrderQueries
from app.domain.orders.services.refund import RefundService
from app.lib.errors import PermissionDenied, PreconditionFailed
from app.lib.http.injection import Caller, Injected, Paging, Precondition, Times
from app.lib.http.locations import created
from app.lib.http.rules import METADATA_BODY, PRODUCES_ANYTHING, TEXT_BODY
from app.lib.http.transaction import IDEMPOTENT
from app.lib.openapi.document import for_holders_of, may_raise, sends_headers
from app.lib.openapi.examples import shows
from app.lib.security.policies import authenticated, permission
from app.lib.wire.dto import StructDTO
from app.lib.wire.money import filter_bounds

StatusFilter = Annotated[
    list[OrderStatus] | None, QueryParameter(name="status", description="Repeat for any of several.", max_items=6)
]
NumberFilter = Annotated[
    list[Annotated[OrderNumber, QueryParameter(schema_extra={"format": "int64", "minimum": 1, "maximum": 2**53 - 1})]]
    | None,
    QueryParameter(name="number", description="Repeat for any of several.", max_items=20),
]
_Ids = list[Annotated[UUID, QueryParameter(schema_extra={"maxLength": 36})]] | None
CustomerFilter = Annotated[
    _Ids, QueryParameter(name="customer_id", description="Of this customer; repeat for any of several.", max_items=20)
]
ProductFilter = Annotated[
    _Ids, QueryParameter(name="product_id", description="With this product; repeat for any of several.", max_items=20)
]
Expand = Annotated[Literal["customer"] | None, QueryParameter(description="Shows the customers, too.")]
Rows = Annotated[ExportRows, QueryParameter(description="What a row is: a line of an order, or an order.")]
Sort = Annotated[str | None, ORDER_SORT]
Orders = Injected[OrderService]
Queries = Injected[OrderQueries]
Filters = Injected[dict[str, Any]]


async def provide_order_filters(
    times: Times,
    number: NumberFilter = None,
    status: StatusFilter = None,
    customer_id: CustomerFilter = None,
    product_id: ProductFilter = None,
    currency: CurrencyFilter = None,
    min_total: AmountFilter = None,
    max_total: AmountFilter = None,
) -> dict[str, Any]:
    """The filters of a list of orders and of its export."""
    return {
        "number": number,
        "status": status,
        "customer_id": customer_id,
        "product_id": product_id,
        "currency": currency,
        **filter_bounds(currency, min_total=min_total, max_total=max_total),
        **times,
    }


_LOOK_AGAIN = {"Retry-After": "20"}
"""After this time the provider was asked again about a payment whose outcome is unknown."""


class OrderController(Controller):
    path = "/orders"
    dependencies = {"order_filters": Provide(provide_order_filters)}  # noqa: RUF012 - Litestar reads it from the class
    tags = ("Orders",)
    dto = None
    return_dto = StructDTO[OrderRead]

    @get(
        guards=[authenticated],
        return_dto=None,
        summary="List orders",
        description="Your own, or with `orders:read` all. `min_total` and `max_total` need `currency`.",
    )
    async def list_orders(
        self,
        queries: Queries,
        principal: Caller,
        paging: Paging,
        order_filters: Filters,
        sort: Sort = None,
        expand: Expand = None,
    ) -> OrderPage | OrderWithCustomerPage:
        page = await queries.list_orders(paging, sort, order_filters, principal)
        return page if expand is None else await queries.with_customers(page)

    @post(
        guards=[authenticated],
        dto=StructDTO[OrderCreate],
        summary="Place an order",
        description="All lines or none. The stock is reserved until the order expires.",
        opt=IDEMPOTENT | METADATA_BODY | may_raise(InsufficientStock, TooManyOpenOrders),
    )
    async def place_order(
        self, data: JSONBody[OrderCreate], place_service: Injected[PlaceService], principal: Caller
    ) -> Response[OrderRead]:
        order = await place_service.place(data, principal)
        return created(order, f"/api/v1/orders/{order.id}")

    @get(
        "/{order_id:uuid}",
        guards=[authenticated],
        return_dto=None,
        summary="Get an order",
        description="Your own, or with `orders:read` any. With `expand=customer` there is no ETag.",
    )
    async def get_order(
        self, order_id: FromPath[UUID], queries: Queries, principal: Caller, expand: Expand = None
    ) -> OrderRead | OrderWithCustomer:
        order = await queries.get_order(order_id, principal)
        return order if expand is None else await queries.with_customer(order)

    @patch(
        "/{order_id:uuid}",
        guards=[authenticated],
        dto=StructDTO[OrderUpdate],
        summary="Update an order",
        description=(
            "Its notes while it is pending. With `orders:write` also its metadata, and its tracking once it is shipped."
        ),
        opt=METADATA_BODY | may_raise(InvalidTransition, PermissionDenied, PreconditionFailed),
    )
    async def update_order(
        self,
        order_id: FromPath[UUID],
        data: JSONBody[OrderUpdate],
        orders: Orders,
        principal: Caller,
        if_match: Precondition,
    ) -> OrderRead:
        return await orders.update(order_id, data, if_match, principal)

    @get(
        "/{order_id:uuid}/events",
        guards=[authenticated],
        return_dto=StructDTO[OrderEventPage],
        summary="List the events of an order",
        description="What happened to the order, when and by whom, oldest first.",
    )
    async def list_order_events(
        self, order_id: FromPath[UUID], queries: Queries, principal: Caller, paging: Paging
    ) -> OrderEventPage:
        return await queries.list_events(order_id, paging, principal)

    @get(
        "/{order_id:uuid}/payments",
        guards=[authenticated],
        return_dto=StructDTO[PaymentPage],
        summary="List the payments of an order",
        description="Attempts to pay and how they ended, oldest first.",
    )
    async def list_order_payments(
        self, order_id: FromPath[UUID], queries: Queries, principal: Caller, paging: Paging
    ) -> PaymentPage:
        return await queries.list_payments(order_id, paging, principal)

    @get(
        "/{order_id:uuid}/refunds",
        guards=[authenticated],
        return_dto=StructDTO[RefundPage],
        summary="List the refunds of an order",
        description="What was refunded, line by line, and whether the money has arrived, oldest first.",
    )
    async def list_order_refunds(
        self, order_id: FromPath[UUID], queries: Queries, principal: Caller, paging: Paging
    ) -> RefundPage:
        return await queries.list_refunds(order_id, paging, principal)

    @post(
        "/{order_id:uuid}/pay",
        guards=[authenticated],
        dto=StructDTO[PaymentCreate],
        status_code=200,
        responses={202: ResponseSpec(OrderRead, generate_examples=False)},
        summary="Pay an order",
        description="Your own. 202 when the outcome is not known yet: read the order again later.",
        opt=may_raise(InvalidTransition, PaymentDeclined, PermissionDenied, PreconditionFailed)
        | sends_headers(202, "Retry-After")
        | shows(200, **examples.PAID)
        | shows(202, **examples.PAYING),
    )
    async def pay_order(
        self,
        order_id: FromPath[UUID],
        payment_service: Injected[PaymentService],
        queries: Queries,
        principal: Caller,
        if_match: Precondition,
        data: JSONBody[PaymentCreate | None] = None,
    ) -> Response[OrderRead]:
        is_paid = await payment_service.pay(order_id, (data or DEFAULT_PAYMENT).method, if_match, principal)
        order = await queries.get_order(order_id, principal)
        return Response(order) if is_paid else Response(order, status_code=202, headers=_LOOK_AGAIN)

    @post(
        "/{order_id:uuid}/cancel",
        guards=[authenticated],
        dto=StructDTO[OrderCancel],
        status_code=200,
        summary="Cancel an order",
        description="Your own until it is paid, or with `orders:write` any until it is shipped. Refunds a paid order.",
        opt=may_raise(InvalidTransition, PermissionDenied, PreconditionFailed) | shows(200, **examples.CANCELLED),
    )
    async def cancel_order(
        self,
        order_id: FromPath[UUID],
        cancel_service: Injected[CancelService],
        principal: Caller,
        if_match: Precondition,
        data: JSONBody[OrderCancel | None] = None,
    ) -> OrderRead:
        return await cancel_service.cancel(order_id, data or NO_REASON, if_match, principal)

    @post(
        "/{order_id:uuid}/ship",
        guards=[authenticated],
        dto=StructDTO[OrderShip],
        status_code=200,
        summary="Ship an order",
        description=(
            "A paid order becomes shipped. Its customer and webhooks are notified. The tracking can be added and "
            "corrected later."
        ),
        opt=may_raise(InvalidTransition, PermissionDenied, PreconditionFailed)
        | for_holders_of(ORDERS_WRITE)
        | shows(200, **examples.SHIPPED),
    )
    async def ship_order(
        self,
        order_id: FromPath[UUID],
        orders: Orders,
        principal: Caller,
        if_match: Precondition,
        data: JSONBody[OrderShip | None] = None,
    ) -> OrderRead:
        return await orders.ship(order_id, data or NO_TRACKING, if_match, principal)

    @post(
        "/{order_id:uuid}/deliver",
        guards=[authenticated],
        status_code=200,
        summary="Deliver an order",
        description="A shipped order becomes delivered. Its customer and webhooks are notified.",
        opt=may_raise(InvalidTransition, PermissionDenied, PreconditionFailed)
        | for_holders_of(ORDERS_WRITE)
        | shows(200, **examples.DELIVERED),
    )
    async def deliver_order(
        self, order_id: FromPath[UUID], orders: Orders, principal: Caller, if_match: Precondition
    ) -> OrderRead:
        return await orders.deliver(order_id, if_match, principal)

    @post(
        "/{order_id:uuid}/refund",
        guards=[authenticated],
        dto=StructDTO[RefundCreate],
        status_code=200,
        summary="Refund an order",
        description="Some of its lines or, without a body, all that is left, which returns to the stock.",
        opt=IDEMPOTENT
        | TEXT_BODY
        | may_raise(InvalidTransition, RefundTooLarge, PermissionDenied, PreconditionFailed)
        | for_holders_of(ORDERS_WRITE)
        | shows(200, **examples.REFUNDED),
    )
    async def refund_order(
        self,
        order_id: FromPath[UUID],
        refund_service: Injected[RefundService],
        principal: Caller,
        if_match: Precondition,
        data: JSONBody[RefundCreate | None] = None,
    ) -> OrderRead:
        return await refund_service.refund(order_id, data or WHOLE_REFUND, if_match, principal)

    @get(
        "/export",
        guards=[permission(ORDERS_READ)],
        opt={PRODUCES_ANYTHING: True} | shows(200, examples.EXPORT),
        media_type="text/csv",
        summary="Export orders as CSV",
        description=(
            "Oldest first, with the filters of the list. One row per line of an order, which repeats what is the "
            "order's; with `rows=order` one per order. Text that would be a formula begins with an apostrophe."
        ),
    )
    async def export_orders(self, export: Injected[OrderExport], order_filters: Filters, rows: Rows = "line") -> Stream:
        lines = await export.lines(order_filters, rows)
        headers = {"Content-Disposition": 'attachment; filename="orders.csv"', "Cache-Control": "no-store"}
        return Stream(lines, media_type="text/csv; charset=utf-8", headers=headers)
