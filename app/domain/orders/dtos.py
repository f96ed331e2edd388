"""Orders on the wire. Prices, totals, owner and status come from the server alone."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, UnsetType, field

from app.domain.accounts.dtos import PersonId, PersonRead
from app.domain.catalog.dtos import ProductName, Sku
from app.lib.errors import FieldCode
from app.lib.http.conditional import Version, Versioned
from app.lib.pagination.envelope import Page
from app.lib.wire.decoding import Check, FieldProblem, Hint
from app.lib.wire.dto import Input, Output
from app.lib.wire.fields import Line, PublicUrl, TextLines, VisibleTextLines
from app.lib.wire.metadata import Metadata, MetadataPatch
from app.lib.wire.money import Money

MAX_LINES = 100

OrderStatus = Annotated[
    Literal["pending", "paid", "shipped", "delivered", "cancelled", "refunded"],
    Meta(title="OrderStatus", description="How far an order is."),
]
EventKind = Annotated[
    Literal["placed", "paid", "shipped", "tracking_updated", "delivered", "cancelled", "expired", "refunded"],
    Meta(title="OrderEventKind", description="What happened to an order."),
]
OrderActor = Annotated[Literal["customer", "staff", "system"], Meta(title="OrderActor", description="Who did it.")]
RefundStatus = Annotated[
    Literal["processing", "succeeded"], Meta(title="RefundStatus", description="Whether the money has arrived.")
]
PaymentStatus = Annotated[
    Literal["processing", "succeeded", "declined"],
    Meta(title="PaymentStatus", description="Whether the money has arrived."),
]

OrderNumber = Annotated[int, Meta(ge=1, le=2**53 - 1, examples=[1001])]
Notes = Annotated[TextLines, Meta(max_length=500, examples=["Please ring twice."])]
Reason = Annotated[VisibleTextLines, Meta(max_length=500, examples=["Arrived broken."])]
Carrier = Annotated[Line, Meta(max_length=64, examples=["DHL"])]
TrackingNumber = Annotated[Line, Meta(max_length=64, examples=["00340434161094042557"])]
TrackingUrl = Annotated[PublicUrl, Meta(examples=["https://track.example.com/00340434161094042557"])]
Quantity = Annotated[int, Meta(ge=1, le=1000, examples=[2])]
_Pieces = Annotated[int, Meta(ge=0, le=1000, examples=[0])]
_Total = Annotated[Money, Meta(examples=[{"amount": "39.80", "currency": "EUR"}])]
_Nothing = Annotated[Money, Meta(examples=[{"amount": "0.00", "currency": "EUR"}])]


class OrderItemCreate(Input):
    """A product and the number of pieces."""

    product_id: UUID
    quantity: Quantity


def _each_once(items: list[OrderItemCreate]) -> list[OrderItemCreate]:
    seen: set[UUID] = set()
    for number, each in enumerate(items):
        if each.product_id in seen:
            raise FieldProblem(FieldCode.NOT_UNIQUE, "Is in this order already.", f"/{number}/product_id")
        seen.add(each.product_id)
    return items


class OrderCreate(Input):
    """The lines of a new order; each product once."""

    items: Annotated[list[OrderItemCreate], Meta(min_length=1, max_length=MAX_LINES), Check(_each_once)]
    notes: Notes | None = None
    metadata: Metadata = field(default_factory=dict)


class TrackingCreate(Input):
    """Where to follow the parcel."""

    carrier: Carrier
    number: TrackingNumber
    url: TrackingUrl | None = None


class TrackingUpdate(Input):
    """A merge patch; an order without tracking takes all but the URL."""

    carrier: Carrier | UnsetType = UNSET
    number: TrackingNumber | UnsetType = UNSET
    url: TrackingUrl | None | UnsetType = UNSET


class TrackingRead(Output):
    """Where to follow the parcel. The service never looks there."""

    carrier: Carrier
    number: TrackingNumber
    url: TrackingUrl | None


class OrderUpdate(Input):
    """A merge patch: ``notes`` until the order is paid, ``tracking`` once it is shipped, ``metadata`` at any time."""

    notes: Notes | None | UnsetType = UNSET
    tracking: Annotated[TrackingUpdate, Meta(extra={"is_alternative": True})] | None | UnsetType = UNSET
    metadata: MetadataPatch | None | UnsetType = UNSET


class OrderCancel(Input):
    """Why it is cancelled. The customer can read it."""

    reason: Annotated[Reason, Meta(examples=["Ordered twice."])] | None = None


class OrderShip(Input):
    """Where to follow the parcel; this can be added later, too."""

    tracking: TrackingCreate | None = None


class OrderItemRead(Output):
    """A line, with the name and prices at the time of the order."""

    product_id: UUID
    sku: Sku
    name: ProductName
    quantity: Quantity
    unit_price: Money
    total: _Total
    refunded_quantity: _Pieces


class OrderFields(Output):
    """An order. ``number`` is its name among people, and gives no rights. ``expires_at`` is when it is cancelled unless
    it is paid; ``customer_id`` is null when the account is deleted. While ``payment_processing``, the outcome of a
    payment is awaited.
    """

    id: UUID
    number: OrderNumber
    status: OrderStatus
    customer_id: PersonId | None
    items: Annotated[list[OrderItemRead], Meta(max_length=MAX_LINES)]
    total: _Total
    refunded: _Nothing
    notes: Notes | None
    tracking: Annotated[TrackingRead | None, Meta(examples=[None])]
    metadata: Annotated[
        Metadata, Meta(description="Set with the order, then with `orders:write`; its customer sees it.")
    ]
    payment_processing: bool
    expires_at: Annotated[datetime, Meta(examples=["2026-01-31T12:30:00Z"])] | None
    created_at: datetime
    updated_at: datetime
    version: Version


class OrderRead(OrderFields, Versioned):
    __doc__ = OrderFields.__doc__


class OrderWithCustomer(OrderFields):
    """An order with ``expand=customer``. It has no ETag, because it is two resources. A deleted customer is null."""

    customer: PersonRead | None


OrderPage = Page[OrderRead]
OrderWithCustomerPage = Page[OrderWithCustomer]


class RefundItemRead(Output):
    """Refunded pieces of a line, and whether they returned to the stock."""

    product_id: UUID
    sku: Sku
    name: ProductName
    quantity: Quantity
    amount: _Total
    restock: Annotated[bool, Meta(examples=[True])]


_RefundItems = Annotated[list[RefundItemRead], Meta(max_length=MAX_LINES)]


class RefundRead(Output):
    """Money that goes back. While it is processing, the payment provider has not confirmed it yet."""

    id: UUID
    status: RefundStatus
    amount: _Total
    reason: Reason | None
    items: _RefundItems
    created_at: datetime
    settled_at: datetime | None


RefundPage = Page[RefundRead]


class OrderEventRead(Output):
    """An event in the life of an order; ``amount`` is the money that it concerns. ``items`` are the lines that were
    refunded, by the refund of ``refund_id``.
    """

    id: UUID
    kind: Annotated[EventKind, Meta(examples=["refunded"])]
    status: Annotated[OrderStatus, Meta(examples=["refunded"])]
    actor: Annotated[OrderActor, Meta(examples=["staff"])]
    amount: _Total
    reason: Reason | None
    refund_id: UUID | None
    items: _RefundItems
    created_at: datetime


OrderEventPage = Page[OrderEventRead]


class PaymentRead(Output):
    """An attempt to pay. While it is processing, its outcome is not known yet; then ``settled_at`` is null."""

    id: UUID
    method: Annotated[str, Meta(max_length=32, examples=["test"])]
    status: PaymentStatus
    amount: _Total
    created_at: datetime
    settled_at: datetime | None


PaymentPage = Page[PaymentRead]


class PaymentCreate(Input):
    """How to pay. The provider decides which methods there are."""

    method: Annotated[
        str,
        Meta(min_length=1, max_length=32, pattern=r"^[a-z][a-z_]*$(?!\n)", examples=["test"]),
        Hint("Must be lower-case letters and underscores."),
    ] = "test"


class RefundItem(Input):
    """Pieces to refund. ``restock`` returns them to the stock; without it the refund's own ``restock`` counts."""

    product_id: UUID
    quantity: Quantity
    restock: Annotated[bool, Meta(examples=[True])] | UnsetType = UNSET


def _refunded_once(items: list[RefundItem]) -> list[RefundItem]:
    if len({each.product_id for each in items}) < len(items):
        raise FieldProblem(FieldCode.NOT_UNIQUE, "Each product may be given once.")
    return items


class RefundCreate(Input):
    """Which lines to refund; without ``items`` all that is left. ``restock`` is for lines without their own. The
    customer can read the reason.
    """

    items: Annotated[list[RefundItem], Meta(min_length=1, max_length=MAX_LINES), Check(_refunded_once)] | None = None
    restock: bool = True
    reason: Reason | None = None


DEFAULT_PAYMENT, WHOLE_REFUND = PaymentCreate(), RefundCreate()
NO_REASON, NO_TRACKING = OrderCancel(), OrderShip()
